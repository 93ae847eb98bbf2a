"""What is said to WhatsApp, and how its answers are understood."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from tests.unit.marketplace.rows import PHONE, message
from workflows.marketplace.content import (
    Button,
    InteractiveContent,
    TemplateContent,
)
from workflows.marketplace.ports import Accepted
from workflows.marketplace.transports.console import line
from workflows.marketplace.transports.graph import (
    read_answer,
    request_body,
    wait_asked,
)
from workflows.marketplace.whatsapp_errors import SendFailure

TEMPLATE = TemplateContent(
    name="bid_invite_v1", body_params=("ORD-1", "10:10"), button_payloads=("b:1",)
)
BUTTONS = InteractiveContent(
    body="Take it?",
    footer="until 10:10",
    buttons=(Button(id="y", title="Accept"), Button(id="n", title="Reject")),
)


def answer(status: int, body: Any, **headers: str) -> httpx2.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.Response(status, content=content, headers=headers)


# -- requests --------------------------------------------------------------------------


def test_a_text_carries_our_id_for_the_webhook() -> None:
    assert request_body(message()) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "biz_opaque_callback_data": "msg_1",
        "to": PHONE,
        "type": "text",
        "text": {"body": "Hello!", "preview_url": False},
    }


def test_a_user_without_a_phone_is_addressed_by_its_id() -> None:
    body = request_body(replace(message(), to_phone=None, to_bsuid="NP.1"))
    assert body["recipient"] == "NP.1"
    assert "to" not in body


def test_a_template_has_positional_parameters_and_button_payloads() -> None:
    body = request_body(replace(message(), content=TEMPLATE))
    assert body["template"] == {
        "name": "bid_invite_v1",
        "language": {"code": "en"},
        "components": [
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "text": "ORD-1"},
                    {"type": "text", "text": "10:10"},
                ],
            },
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": "0",
                "parameters": [{"type": "payload", "payload": "b:1"}],
            },
        ],
    }


def test_buttons_are_replies() -> None:
    body = request_body(replace(message(), content=BUTTONS))["interactive"]
    assert body["footer"] == {"text": "until 10:10"}
    assert body["action"]["buttons"][1] == {
        "type": "reply",
        "reply": {"id": "n", "title": "Reject"},
    }


# -- answers ---------------------------------------------------------------------------


def test_a_success_names_the_message_and_its_pacing() -> None:
    sent = {"id": "wamid.1", "message_status": "held_for_quality_assessment"}
    body = {"contacts": [], "messages": [sent]}
    assert read_answer(answer(200, body)) == Accepted(
        "wamid.1", "held_for_quality_assessment"
    )


@pytest.mark.parametrize("body", [b"", b"<html>", {"messages": []}, {}, [1]])
def test_a_success_without_an_id_may_have_been_sent(body: object) -> None:
    failure = read_answer(answer(200, body))
    assert isinstance(failure, SendFailure)
    assert failure.ambiguous


def test_an_error_is_known_by_its_code() -> None:
    body = {"error": {"code": 131016, "message": "down", "type": "OAuthException"}}
    failure = read_answer(answer(500, body))
    assert failure == SendFailure(http_status=500, code=131016, detail="down")


@pytest.mark.parametrize(
    "body", [b"<html>", b"", {"error": "x"}, {"error": {"code": "x"}}, [], b"\xff"]
)
def test_an_error_body_that_makes_no_sense_has_no_code(body: object) -> None:
    assert read_answer(answer(502, body)) == SendFailure(http_status=502)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "-7"}, 0),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "99999999999999"}, 86_400),
        (
            {
                "Date": "Tue, 24 Nov 2026 04:15:00 GMT",
                "Retry-After": "Tue, 24 Nov 2026 04:16:30 GMT",
            },
            90,
        ),
        ({"Retry-After": "Tue, 24 Nov 2026 04:16:30 GMT"}, 0),
        ({"X-Business-Use-Case-Usage": "not json"}, 0),
        ({"X-Business-Use-Case-Usage": '{"1": [{"call_count": 9}]}'}, 0),
        (
            {
                "X-Business-Use-Case-Usage": json.dumps(
                    {"1": [{"estimated_time_to_regain_access": 7}]}
                ),
                "Retry-After": "30",
            },
            420,
        ),
    ],
)
def test_wa_14_the_wait_is_read_in_its_own_unit(
    headers: dict[str, str], seconds: int
) -> None:
    assert wait_asked(httpx2.Headers(headers)) == timedelta(seconds=seconds)


# -- console ---------------------------------------------------------------------------


def test_the_console_prints_one_line_per_message() -> None:
    assert line(message()) == f"→ {PHONE} [adhoc] Hello!"
    assert line(replace(message(), content=BUTTONS)).endswith(
        "Take it? [1] Accept [2] Reject"
    )
    assert line(replace(message(), content=TEMPLATE)).endswith(
        "bid_invite_v1(ORD-1, 10:10)"
    )


def test_the_console_lets_no_control_character_through() -> None:
    text = message().content.model_copy(update={"body": "a\x1b[2J\nb\u202e नमस्ते"})
    printed = line(replace(message(), content=text))
    assert printed.endswith("a\\x1b[2J\\nb\\u202e नमस्ते")
