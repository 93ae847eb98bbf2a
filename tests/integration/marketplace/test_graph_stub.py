"""The stub answers as the Cloud API does where a client can tell."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.integration.marketplace.stub import TOKEN, StubProcess

PHONE = "+9779841000001"


@pytest.fixture
def client(stub: StubProcess) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx2.Client(base_url=stub.url, headers=headers, timeout=2) as client:
        yield client


def post(client: httpx2.Client, **changes: Any) -> httpx2.Response:
    body: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "to": PHONE,
        "type": "text",
        "text": {"body": "Hello!"},
    }
    body = {k: v for k, v in (body | changes).items() if v is not None}
    return client.post("/v25.0/1055501/messages", json=body)


def code(response: httpx2.Response) -> int:
    found: int = response.json()["error"]["code"]
    return found


def test_a_good_message_is_accepted(client: httpx2.Client, stub: StubProcess) -> None:
    answer = post(client, biz_opaque_callback_data="msg_1")
    assert answer.status_code == 200
    [message] = answer.json()["messages"]
    assert stub.messages()[0]["wamid"] == message["id"]
    assert stub.messages()[0]["request"]["biz_opaque_callback_data"] == "msg_1"


def test_the_token_is_asked_for_before_everything_else(client: httpx2.Client) -> None:
    client.headers["Authorization"] = "Bearer wrong"
    answer = post(client, type="nonsense")
    assert (answer.status_code, code(answer)) == (401, 190)
    assert client.get("/v25.0/1055501").status_code == 401


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"messaging_product": None}, 100),
        ({"to": None}, 131008),
        ({"type": "carrier_pigeon"}, 131008),
        ({"text": None}, 131008),
        ({"text": {"body": ""}}, 131009),
        ({"text": {"body": "x" * 4097}}, 131009),
        (
            {
                "type": "interactive",
                "interactive": {
                    "action": {"buttons": [{"reply": {"title": "x" * 21}}]},
                },
            },
            131009,
        ),
        (
            {
                "type": "template",
                "template": {"components": [{"parameters": [{"text": "a\nb"}]}]},
            },
            132018,
        ),
    ],
)
def test_a_wrong_request_has_its_code(
    client: httpx2.Client, changes: dict[str, Any], expected: int
) -> None:
    answer = post(client, **changes)
    assert (answer.status_code, code(answer)) == (400, expected)


@pytest.mark.parametrize("number", [131026, 131047, 131048, 130429, 132015, 80007])
def test_magic_recipients_fail_with_their_code(
    client: httpx2.Client, number: int
) -> None:
    assert code(post(client, to=f"+9779800{number:06}")) == number


def test_the_number_of_the_documentation_always_works(client: httpx2.Client) -> None:
    assert post(client, to="+9779800000000").status_code == 200


def test_a_gateway_answers_in_html(client: httpx2.Client) -> None:
    answer = post(client, to="+9779800000502")
    assert answer.status_code == 502
    assert answer.text.startswith("<html>")


def test_the_line_can_be_cut_after_accepting(
    client: httpx2.Client, stub: StubProcess
) -> None:
    with pytest.raises(httpx2.TransportError):
        post(client, to="+9779800000599")
    assert len(stub.messages()) == 1


def test_a_call_can_stay_unanswered(client: httpx2.Client, stub: StubProcess) -> None:
    with pytest.raises(httpx2.ReadTimeout):
        client.post(
            "/v25.0/1055501/messages",
            json={
                "messaging_product": "whatsapp",
                "to": "+9779800000408",
                "type": "text",
                "text": {"body": "?"},
            },
            timeout=0.2,
        )
    assert stub.messages() == []


@pytest.mark.parametrize("status", [400, 429])
def test_the_pair_rate_is_kept(
    client: httpx2.Client, stub: StubProcess, status: int
) -> None:
    stub.configure(pairBurst=3, throttleStatus=status)
    stub.stand_at(1_000_000)
    answers = [post(client) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, status]
    assert code(answers[3]) == 131056
    stub.stand_at(1_006_000)
    assert post(client).status_code == 200


def test_the_throughput_is_kept(client: httpx2.Client, stub: StubProcess) -> None:
    stub.configure(perSecond=2)
    stub.stand_at(1_000_000)
    statuses = [post(client, to=f"+97798410000{n:02}").status_code for n in range(3)]
    assert statuses == [200, 200, 400]
    stub.stand_at(1_001_000)
    assert post(client).status_code == 200


def test_the_window_opens_with_an_inbound_message(
    client: httpx2.Client, stub: StubProcess
) -> None:
    stub.configure(enforceWindow=True)
    stub.stand_at(100_000_000)
    assert code(post(client)) == 131047
    inbound = {"from": PHONE, "at": 100_000_000}
    client.post("/__stub__/inbound", json=inbound).raise_for_status()
    assert post(client).status_code == 200
    stub.stand_at(100_000_000 + 24 * 3600 * 1000)
    assert code(post(client)) == 131047


def test_a_script_is_for_one_recipient_and_spent(
    client: httpx2.Client, stub: StubProcess
) -> None:
    stub.script(to=PHONE, status=503, code=2, headers={"Retry-After": "9"})
    assert post(client, to="+9779841000002").status_code == 200
    scripted = post(client)
    assert (scripted.status_code, scripted.headers["Retry-After"]) == (503, "9")
    assert post(client).status_code == 200


@pytest.mark.parametrize("body", ["{}x", '{"unknown": 1}', "[]"])
def test_a_wrong_control_call_is_refused(client: httpx2.Client, body: str) -> None:
    answer = client.post("/__stub__/rules", content=body)
    assert answer.status_code == 422


def test_some_calls_fail_as_the_seed_draws_them(
    client: httpx2.Client, stub: StubProcess
) -> None:
    def outcomes() -> list[int]:
        stub.reset()
        stub.configure(faultsPercent=40, seed=7, pairBurst=1000, perSecond=1000)
        return [outcome(client) for _ in range(40)]

    once = outcomes()
    assert set(once) == {0, 200, 429, 500, 502}
    assert outcomes() == once
    taken = [message["told"] for message in stub.messages()]
    assert (taken.count(True), taken.count(False)) == (once.count(200), once.count(0))


def outcome(client: httpx2.Client) -> int:
    try:
        return post(client).status_code
    except httpx2.TransportError:  # accepted, and the line is cut
        return 0


def test_the_log_of_accepted_messages_is_read_from_a_place_on(
    client: httpx2.Client, stub: StubProcess
) -> None:
    for _ in range(3):
        post(client)
    rest = client.get("/__stub__/messages?since=2").json()
    assert rest == stub.messages()[2:]
