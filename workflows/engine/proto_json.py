"""Spans, times and names as Protobuf's JSON writes them, from and to ms."""

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from workflows.exceptions import InvalidArgumentError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SPAN = re.compile(r"(-?)(\d{1,15})(?:\.(\d{1,9}))?s")
TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")


@lru_cache(maxsize=1024)  # the timeouts in code: few, over and over
def span(ms: int) -> str:
    """Return a span: `10s`, `0.500s`."""
    sign, (seconds, rest) = "-" if ms < 0 else "", divmod(abs(ms), 1000)
    return f"{sign}{seconds}.{rest:03}s" if rest else f"{sign}{seconds}s"


@lru_cache(maxsize=1024)
def span_ms(text: str | None) -> int | None:
    """Read a span; None and a span of 0 (Temporal's "not set") give None.

    Raises:
        InvalidArgumentError: it is no span.
    """
    if not text:
        return None
    found = SPAN.fullmatch(text)
    if found is None:
        msg = f"{text[:40]!r} is not a duration such as '1.500s'"
        raise InvalidArgumentError(msg)
    ms = int(found[2]) * 1000 + int((found[3] or "").ljust(9, "0")) // 1_000_000
    return (-ms if found[1] else ms) or None


def timestamp(ms: int) -> str:
    """Return a time: `2026-11-24T08:39:59.225Z`."""
    text = (EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S")
    rest = ms % 1000
    return f"{text}.{rest:03}Z" if rest else f"{text}Z"


def timestamp_ms(text: str) -> int:
    """Read a time, cutting what is finer than a millisecond.

    Raises:
        InvalidArgumentError: it is no time in UTC.
    """
    found = TIME.fullmatch(text)
    if found is None:
        msg = f"{text[:40]!r} is not a time such as '2026-01-31T23:59:59.999Z'"
        raise InvalidArgumentError(msg)
    whole = datetime.fromisoformat(found[1]).replace(tzinfo=UTC) - EPOCH
    fraction = int((found[2] or "").ljust(9, "0")) // 1_000_000
    return whole // timedelta(milliseconds=1) + fraction


def payloads(values: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return Payloads: what holds arguments, results and details."""
    return {"payloads": list(values)}


def payload_list(holder: Mapping[str, Any] | None) -> tuple[Mapping[str, Any], ...]:
    """Return what a Payloads holds; nothing if there is none."""
    return tuple((holder or {}).get("payloads", ()))


def header_fields(holder: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return what a Header holds."""
    fields: Mapping[str, Any] = (holder or {}).get("fields", {})
    return fields


def json_payload(value: Any, **metadata: str) -> dict[str, Any]:
    """Return a value of the engine's own as a payload of encoding json/plain."""
    names = {"encoding": "json/plain", **metadata}
    return {
        "metadata": {key: _base64(text.encode()) for key, text in names.items()},
        "data": _base64(msgspec.json.encode(value)),
    }


def json_value(payload: Mapping[str, Any]) -> Any:
    """Read what `json_payload` wrote.

    Raises:
        InvalidArgumentError: it is something else.
    """
    try:
        return msgspec.json.decode(base64.b64decode(payload["data"]))
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError):
        msg = "a payload that is no JSON of the engine"
        raise InvalidArgumentError(msg) from None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
