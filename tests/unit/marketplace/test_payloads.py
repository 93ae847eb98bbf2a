"""What the two jobs accept, and what they refuse at enqueue."""

import json
from typing import Any

import pytest

from workflows.engine.retry import retry_rule
from workflows.exceptions import PayloadError
from workflows.job_type import JobType
from workflows.jobs.order_expiry.payload import OrderExpiry
from workflows.jobs.whatsapp_message_send.payload import WhatsAppMessageSend
from workflows.marketplace.content import TextContent
from workflows.marketplace.fields import to_e164

NUMBER = "+9779841000001"
SEED = {"phoneNumber": "+9779800000000", "message": "Hello!"}
TEMPLATE = {
    "phoneNumber": "984-1000001",
    "purpose": "bid_invite",
    "orderId": "ord_1001",
    "dedupeKey": "bid_invite:rnd_1:sup_A",
    "content": {
        "type": "template",
        "name": "bid_invite_v1",
        "language": "en",
        "bodyParams": ["ORD-1001", "20 ctn noodles", "Rs. 40,850.00", "10:10"],
        "buttonPayloads": ["b:rnd_1:sup_A:5f2c9a"],
    },
    "notAfter": "2026-11-24T10:10:00+05:45",
}
SEND = JobType(
    name="send", queue="send", payload=WhatsAppMessageSend, retry=retry_rule(3)
)
EXPIRE = JobType(
    name="expire", queue="expire", payload=OrderExpiry, retry=retry_rule(1)
)


@pytest.mark.parametrize(
    "spelling",
    [
        "+977 984-1000001",
        "9841000001",
        "09841000001",
        "984-1000001",
        "00977 984 1000001",
        "९८४१०००००१",
    ],
)
def test_every_spelling_of_a_number_is_the_same_number(spelling: str) -> None:
    assert to_e164(spelling) == NUMBER


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("12345", "not a valid"),
        ("+97798412345678", "not a valid"),
        ("+977 1-4412345", "not a mobile"),
        ("call me", "not a phone"),
        ("", "not a phone"),
        (9841000001, "must be a string"),
        (None, "must be a string"),
    ],
)
def test_what_is_no_mobile_number_is_refused(number: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        to_e164(number)


@pytest.mark.parametrize("payload", [SEED, TEMPLATE, {"messageId": "msg_1"}])
def test_the_three_documented_forms_survive_the_queue(payload: dict[str, Any]) -> None:
    stored = SEND.encode(payload)
    assert SEND.decode(stored) == WhatsAppMessageSend.model_validate(payload)


def test_the_number_is_stored_normalised() -> None:
    assert json.loads(SEND.encode(TEMPLATE))["phoneNumber"] == NUMBER


def test_message_is_short_for_a_text() -> None:
    assert WhatsAppMessageSend.model_validate(SEED).what == TextContent(body="Hello!")


def test_the_content_keeps_the_type_by_which_it_is_read_back() -> None:
    text = SEED | {"message": None, "content": {"type": "text", "body": "नमस्ते"}}
    assert json.loads(SEND.encode(text))["content"] == {
        "type": "text",
        "body": "नमस्ते",
        "previewUrl": False,
    }


def interactive(*titles: str) -> dict[str, Any]:
    buttons = [{"id": str(n), "title": title} for n, title in enumerate(titles)]
    return {
        "phoneNumber": NUMBER,
        "content": {"type": "interactive", "body": "?", "buttons": buttons},
    }


def template(parameter: str) -> dict[str, Any]:
    content = {"type": "template", "name": "t", "bodyParams": [parameter]}
    return {"phoneNumber": NUMBER, "content": content}


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({"phoneNumber": "12345", "message": "x"}, "/phoneNumber"),
        ({"phoneNumber": 9841000001, "message": "x"}, "/phoneNumber"),
        ({"phoneNumber": "+97714412345", "message": "x"}, "/phoneNumber"),
        ({"message": "x"}, ""),
        ({"phoneNumber": NUMBER}, ""),
        (SEED | {"content": {"type": "text", "body": "x"}}, ""),
        (SEED | {"message": ""}, "/message"),
        (SEED | {"message": "x" * 4097}, "/message"),
        (SEED | {"notAfter": "2026-11-24T10:10:00"}, "/notAfter"),
        (SEED | {"v": 2}, "/v"),
        (SEED | {"unknown": 1}, "/unknown"),
        (SEED | {"dedupeKey": "with space"}, "/dedupeKey"),
        (SEED | {"delivery": "exactly_once"}, "/delivery"),
        (interactive(), "/content/interactive/buttons"),
        (interactive("a", "b", "c", "d"), "/content/interactive/buttons"),
        (interactive("a", "a"), "/content/interactive"),
        (interactive("x" * 21), "/content/interactive/buttons/0/title"),
        (template("a\nb"), "/content/template/bodyParams/0"),
        (template("a     b"), "/content/template/bodyParams/0"),
        ({"messageId": "../etc"}, "/messageId"),
    ],
)
def test_an_invalid_message_is_refused_with_the_place(
    payload: dict[str, Any], path: str
) -> None:
    with pytest.raises(PayloadError) as caught:
        SEND.encode(payload)
    assert caught.value.path == path


def test_a_message_must_not_end_before_it_begins() -> None:
    at = "2026-11-24T10:10:00+05:45"
    with pytest.raises(PayloadError, match="earlier"):
        SEND.encode(SEED | {"notBefore": at, "notAfter": at})


@pytest.mark.parametrize(
    "payload", [{"orderId": "order-123"}, {"orderId": "ord_1001", "expiryEpoch": 2}]
)
def test_the_documented_expiry_forms_survive_the_queue(payload: dict[str, Any]) -> None:
    assert EXPIRE.decode(EXPIRE.encode(payload)) == OrderExpiry.model_validate(payload)


@pytest.mark.parametrize(
    "payload",
    [{}, {"orderId": ""}, {"orderId": "a", "expiryEpoch": 0}, {"orderId": "a b"}],
)
def test_an_invalid_expiry_is_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        EXPIRE.encode(payload)
