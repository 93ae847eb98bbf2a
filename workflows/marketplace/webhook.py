"""WhatsApp's webhooks: whether they are genuine, and what they tell.

They come at least once, late and in any order. What is read here is applied by
`workflows.marketplace.inbound`, which takes all of that.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from workflows.marketplace.fields import BSUID_PATTERN, to_e164
from workflows.marketplace.message import MessageStatus

TOLD = {
    "sent": MessageStatus.SENT,
    "delivered": MessageStatus.DELIVERED,
    "read": MessageStatus.READ,
    "failed": MessageStatus.FAILED,
}
_SECONDS = re.compile(r"[0-9]{1,11}")
_WAMID = re.compile(r"[\x21-\x7e]{1,128}")  # with a prefix it is the key of a row
_BSUID = re.compile(BSUID_PATTERN)
MAX_SAID = 40
MAX_CODE = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEvent:
    """What became of a message; `message_id` is ours, if WhatsApp echoed it."""

    wamid: str
    message_id: str | None
    status: MessageStatus
    at: datetime
    code: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """What a user wrote (`text`) or which button he pressed (`button`: its payload).

    `sender`: a number in E.164 or a business-scoped user id; None if it is neither,
    then `said` is what it was said to be.
    """

    wamid: str
    sender: str | None
    at: datetime
    said: str = ""
    text: str | None = None
    button: str | None = None


Event = StatusEvent | InboundMessage


def is_genuine(raw: bytes, signature: str, secrets: Sequence[bytes]) -> bool:
    """Check `X-Hub-Signature-256` of the bytes as they came, in constant time.

    `secrets`: of the app; two while one replaces the other. None of them: never.
    """
    said = signature.encode(errors="replace")
    fits = False
    for secret in secrets:
        expected = b"sha256=" + hmac.digest(secret, raw, hashlib.sha256).hex().encode()
        fits |= hmac.compare_digest(said, expected)
    return fits


def read_events(body: Any) -> list[Event | None]:
    """Return what a webhook tells; None for each entry that means nothing to us."""
    return [
        event
        for value in _values(body)
        for event in (
            *(_guarded(_status, one) for one in _list(value, "statuses")),
            *(_guarded(_message, one) for one in _list(value, "messages")),
        )
    ]


def _values(body: Any) -> Iterator[dict[str, Any]]:
    for entry in _list(body, "entry"):
        for change in _list(entry, "changes"):
            value = change.get("value") if isinstance(change, dict) else None
            if isinstance(value, dict):
                yield value


def _list(of: Any, name: str) -> list[Any]:
    found = of.get(name) if isinstance(of, dict) else None
    return found if isinstance(found, list) else []


def _guarded(read: Any, one: Any) -> Event | None:
    """Read one entry; a malformed one must not cost those beside it."""
    try:
        event: Event | None = read(one)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError):
        return None
    return event


def _status(one: dict[str, Any]) -> Event | None:
    status = TOLD.get(one["status"])
    if status is None:
        return None
    error = _first_error(one)
    code = error.get("code")
    detail = _dict(error.get("error_data")).get("details") or error.get("title")
    return StatusEvent(
        wamid=_text(one["id"]),
        message_id=_optional(one.get("biz_opaque_callback_data")),
        status=status,
        at=_time(one["timestamp"]),
        code=code if isinstance(code, int) and 0 <= code < MAX_CODE else None,
        detail=_optional(detail) or "",
    )


def _first_error(one: dict[str, Any]) -> dict[str, Any]:
    return _dict(next(iter(_list(one, "errors")), None))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _message(one: dict[str, Any]) -> Event:
    pressed = _dict(one.get("button"))
    replied = _dict(_dict(one.get("interactive")).get("button_reply"))
    said = _optional(one.get("from")) or ""
    return InboundMessage(
        wamid=_text(one["id"]),
        sender=_sender(said, one.get("from_user_id")),
        said=said[:MAX_SAID],
        at=_time(one["timestamp"]),
        text=_optional(_dict(one.get("text")).get("body")),
        button=_optional(pressed.get("payload") or replied.get("id")),
    )


def _sender(phone: str, user_id: Any) -> str | None:
    """Return who it was: the number by the rule used everywhere, else the id."""
    try:
        return to_e164(f"+{phone.removeprefix('+')}")
    except ValueError:
        pass
    if isinstance(user_id, str) and _BSUID.fullmatch(user_id):
        return user_id
    return None


def _text(value: Any) -> str:
    if not isinstance(value, str) or not _WAMID.fullmatch(value):
        msg = "not the id of a message"
        raise ValueError(msg)
    return value


def _optional(value: Any) -> str | None:
    """Return a text; without NUL, which PostgreSQL cannot hold."""
    return value.replace("\0", "") or None if isinstance(value, str) else None


def _time(value: Any) -> datetime:
    if not _SECONDS.fullmatch(str(value)):
        msg = "not a time in seconds"
        raise ValueError(msg)
    return datetime.fromtimestamp(int(value), UTC)
