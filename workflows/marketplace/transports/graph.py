"""Meta's Cloud API: one call per message, every trouble told as a `SendFailure`.

There is no idempotency key: what may have been sent is reported as ambiguous, and
our message id travels as `biz_opaque_callback_data`, by which a later status webhook
tells the truth. The access token is in a header and in no log line or error text.
"""

from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import msgspec

from workflows.marketplace.content import (
    InteractiveContent,
    TemplateContent,
    TextContent,
)
from workflows.marketplace.message import Message
from workflows.marketplace.ports import Accepted
from workflows.marketplace.settings import MarketplaceSettings
from workflows.marketplace.whatsapp_errors import SendFailure

MAX_WAIT = timedelta(days=1)  # no server keeps us away for longer

# The request did not reach the other side, so nothing was sent.
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class GraphTransport:
    """One connection pool; make it after the fork. Thread-safe."""

    def __init__(self, settings: MarketplaceSettings) -> None:
        token = settings.whatsapp_access_token.get_secret_value()
        base = str(settings.whatsapp_graph_base_url).rstrip("/")
        self._account = (
            f"{base}/{settings.whatsapp_graph_version}"
            f"/{settings.whatsapp_phone_number_id}"
        )
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx2.Timeout(
                settings.whatsapp_read_timeout_s,
                connect=settings.whatsapp_connect_timeout_s,
            ),
        )

    def send(self, message: Message) -> Accepted | SendFailure:
        """Make one call; see `MessageTransport.send`."""
        try:
            response = self._client.post(
                f"{self._account}/messages", json=request_body(message)
            )
        except NOT_SENT as error:
            return SendFailure(http_status=0, detail=type(error).__name__)
        except httpx2.TransportError as error:
            return SendFailure(
                http_status=0, detail=type(error).__name__, ambiguous=True
            )
        return read_answer(response)

    def probe(self) -> bool:
        """Read the phone number's own record; sends nothing."""
        try:
            response = self._client.get(
                self._account, params={"fields": "id,quality_rating"}
            )
        except httpx2.TransportError:
            return False
        return response.is_success

    def close(self) -> None:
        """Close the connection pool."""
        self._client.close()


def request_body(message: Message) -> dict[str, Any]:
    """Return the JSON body of the call for a message."""
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "biz_opaque_callback_data": message.id,
    }
    if message.to_phone:
        body["to"] = message.to_phone
    else:
        body["recipient"] = message.to_bsuid
    content = message.content
    if isinstance(content, TextContent):
        text = {"body": content.body, "preview_url": content.preview_url}
        return body | {"type": "text", "text": text}
    if isinstance(content, InteractiveContent):
        return body | {"type": "interactive", "interactive": _interactive(content)}
    return body | {"type": "template", "template": _template(content)}


def _interactive(content: InteractiveContent) -> dict[str, Any]:
    buttons = [
        {"type": "reply", "reply": {"id": button.id, "title": button.title}}
        for button in content.buttons
    ]
    interactive: dict[str, Any] = {
        "type": "button",
        "body": {"text": content.body},
        "action": {"buttons": buttons},
    }
    if content.footer:
        interactive["footer"] = {"text": content.footer}
    return interactive


def _template(content: TemplateContent) -> dict[str, Any]:
    components: list[dict[str, Any]] = []
    if content.body_params:
        parameters = [{"type": "text", "text": text} for text in content.body_params]
        components.append({"type": "body", "parameters": parameters})
    components += [
        {
            "type": "button",
            "sub_type": "quick_reply",
            "index": str(index),
            "parameters": [{"type": "payload", "payload": payload}],
        }
        for index, payload in enumerate(content.button_payloads)
    ]
    return {
        "name": content.name,
        "language": {"code": content.language},
        "components": components,
    }


# -- answers ---------------------------------------------------------------------


class _Sent(msgspec.Struct):
    id: str
    message_status: str | None = None


class _Answer(msgspec.Struct):
    messages: list[_Sent]


class _Error(msgspec.Struct):
    code: int
    message: str = ""


class _ErrorAnswer(msgspec.Struct):
    error: _Error


class _Usage(msgspec.Struct):
    estimated_time_to_regain_access: float = 0  # minutes, unlike Retry-After


def read_answer(response: httpx2.Response) -> Accepted | SendFailure:
    """Understand an HTTP answer to a send."""
    status = response.status_code
    if response.is_success:
        try:
            sent = msgspec.json.decode(response.content, type=_Answer).messages[0]
        except (msgspec.DecodeError, IndexError):
            detail = "a success without a message id"
            return SendFailure(http_status=status, detail=detail, ambiguous=True)
        return Accepted(sent.id, sent.message_status)
    try:
        error = msgspec.json.decode(response.content, type=_ErrorAnswer).error
    except msgspec.DecodeError:
        return SendFailure(http_status=status, wait=wait_asked(response.headers))
    return SendFailure(
        http_status=status,
        code=error.code,
        detail=error.message,
        wait=wait_asked(response.headers),
    )


def wait_asked(headers: httpx2.Headers) -> timedelta:
    """Return how long the answer asks us to wait: seconds, a date, or minutes."""
    waits = [_retry_after(headers.get("Retry-After", ""), headers.get("Date", ""))]
    usage = headers.get("X-Business-Use-Case-Usage", "")
    try:
        businesses = msgspec.json.decode(usage, type=dict[str, list[_Usage]])
    except msgspec.DecodeError:
        businesses = {}
    for entries in businesses.values():
        waits += [_minutes(e.estimated_time_to_regain_access) for e in entries]
    return max(timedelta(0), min(max(waits), MAX_WAIT))


def _minutes(value: float) -> timedelta:
    return timedelta(minutes=min(max(value, 0), MAX_WAIT / timedelta(minutes=1)))


def _retry_after(value: str, date: str) -> timedelta:
    """Read seconds, or a date relative to the answer's own Date header."""
    if value.isascii() and value.isdigit():
        return timedelta(seconds=int(value[:9]))
    try:
        return parsedate_to_datetime(value) - parsedate_to_datetime(date)
    except (TypeError, ValueError):  # not dates, or only one with a zone
        return timedelta(0)
