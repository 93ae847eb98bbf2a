"""The marketplace's routes: over WSGI, on real tables and queues."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

import falcon.testing
import pytest

from api.app import create_app
from api.market import Market
from tests.integration.marketplace import story
from tests.integration.marketplace.shop import Shop
from workflows.client import JobClient
from workflows.marketplace.billing import PaymentState
from workflows.marketplace.message import MessageStatus
from workflows.marketplace.ports import Lookup
from workflows.marketplace.rules.tokens import button_token
from workflows.marketplace.terms import Terms

SECRET, OLD_SECRET = b"app-secret", b"app-secret-before"
HOOK = "/api/v1/webhooks/whatsapp"
LINES = [
    {"productId": "noodles", "quantity": 20, "unitPricePaisa": 90_000},
    {"productId": "oil", "quantity": 10, "unitPricePaisa": 250_000},
]
ORDER = {"orderId": "ord_1001", "customerId": "cus_1", "lines": LINES}
MONEY = {
    "provider": "esewa",
    "providerRef": "esewa-1",
    "amountPaisa": story.TOTAL,
    "orderId": "ord_1001",
}


@dataclass
class Provider:
    """A provider of payments that says what a test has it say."""

    known: dict[str, Lookup] = field(default_factory=dict)

    def lookup(self, provider: str, provider_ref: str) -> Lookup | None:
        return self.known.get(f"{provider}:{provider_ref}")


class Caller:
    """The API, and the shop behind it."""

    def __init__(self, shop: Shop, provider: Provider) -> None:
        self.shop, self.provider = shop, provider
        market = Market(
            run=shop.market,
            payments=provider,
            verify_token="shared-token",
            app_secrets=(SECRET, OLD_SECRET),
        )
        client = JobClient(shop.store, {}, shop.new_id)
        app = create_app(client, new_id=shop.new_id, market=lambda: market)
        self.http = falcon.testing.TestClient(app, headers={"Host": "localhost"})

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.http.simulate_post(f"/api/v1/{path}", json=body, headers=headers)

    def get(self, path: str) -> Any:
        return self.http.simulate_get(f"/api/v1/{path}")

    def has_paid(self, state: PaymentState = PaymentState.CAPTURED) -> None:
        """Have the provider say so of MONEY."""
        self.provider.known["esewa:esewa-1"] = Lookup(
            state=state, amount_paisa=story.TOTAL, paid_at=self.shop.now()
        )

    def tell(
        self, *, secret: bytes = SECRET, raw: bytes | None = None, **value: Any
    ) -> Any:
        """Send a signed webhook."""
        body = {"entry": [{"changes": [{"field": "messages", "value": value}]}]}
        raw = json.dumps(body).encode() if raw is None else raw
        signature = hmac.new(secret, raw, hashlib.sha256).hexdigest()
        headers = {
            "X-Hub-Signature-256": f"sha256={signature}",
            "Content-Type": "application/json",
        }
        return self.http.simulate_post(HOOK, body=raw, headers=headers)

    def seconds(self) -> str:
        return str(int(self.shop.now().timestamp()))


@pytest.fixture
def api(market: Shop) -> Caller:
    return Caller(market, Provider())


def awarded(api: Caller) -> str:
    """Bring the order of F0 to an offer to C; return the offer's id."""
    story.three_bids(api.shop)
    story.go(api.shop, "10:11")
    return story.the_offer(api.shop).id


# -- orders ---------------------------------------------------------------------------


def test_an_order_is_placed_once_whatever_is_sent_again(api: Caller) -> None:
    first, again = api.post("orders", ORDER), api.post("orders", ORDER)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json["data"] == again.json["data"]
    assert first.json["data"]["totalPaisa"] == story.TOTAL
    assert first.headers["Location"] == "/api/v1/orders/ord_1001"
    other = api.post("orders", {**ORDER, "lines": LINES[:1]})
    assert (other.status_code, other.json["code"]) == (409, "conflict")


def test_the_same_idempotency_key_is_the_same_order(api: Caller) -> None:
    body = {key: ORDER[key] for key in ("customerId", "lines")}
    key = {"Idempotency-Key": "cart-7"}
    first, again = api.post("orders", body, **key), api.post("orders", body, **key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json["data"]["orderId"] == again.json["data"]["orderId"]
    assert api.post("orders", body).json["data"] != first.json["data"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"lines": []},
        {"lines": [{**LINES[0], "unitPricePaisa": 900.5}]},
        {"lines": [{**LINES[0], "quantity": 0}]},
        {"lines": [{**LINES[0], "vatBps": 10_000}]},
        {"orderId": "a b"},
        {"mode": "auction"},
        {"more": 1},
    ],
)
def test_a_malformed_order_is_refused(api: Caller, wrong: dict[str, Any]) -> None:
    refused = api.post("orders", ORDER | wrong)
    assert (refused.status_code, refused.json["code"]) == (422, "invalid_body")
    assert api.get("orders/ord_1001").status_code == 404


def test_nobody_unknown_can_order(api: Caller) -> None:
    refused = api.post("orders", {**ORDER, "customerId": "cus_9"})
    assert (refused.status_code, refused.json["code"]) == (404, "not_found")


def test_an_order_shows_its_rounds_and_its_history(api: Caller) -> None:
    story.place(api.shop)
    story.pay(api.shop)
    shown = api.get("orders/ord_1001").json["data"]
    assert (shown["status"], shown["paymentStatus"]) == ("bidding", "paid")
    assert [one["status"] for one in shown["rounds"]] == ["open"]
    assert shown["timeline"][0]["type"] == "placed"


def test_a_cancelled_order_stays_so_and_a_bound_one_is_not_the_customers(
    api: Caller,
) -> None:
    offer = awarded(api)
    yes = {"supplierId": "sup_C", "accept": True}
    assert api.post(f"confirmations/{offer}/answer", yes).status_code == 200
    refused = api.post("orders/ord_1001/cancel")
    assert refused.status_code == 409
    assert refused.json["current"] == {"status": "confirmed"}
    for _ in range(2):
        done = api.post("orders/ord_1001/cancel", {"by": "ops"})
        assert (done.status_code, done.json["data"]["status"]) == (200, "cancelled")
    assert api.post("orders/nothing/cancel").status_code == 404


def test_a_delivery_issues_one_invoice(api: Caller) -> None:
    offer = awarded(api)
    early = api.post("orders/ord_1001/deliver")
    assert early.json["current"] == {"status": "awaiting_confirmation"}
    api.post(f"confirmations/{offer}/answer", {"supplierId": "sup_C", "accept": True})
    first = api.post("orders/ord_1001/deliver")
    again = api.post("orders/ord_1001/deliver")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json["data"]["number"] == again.json["data"]["number"]


# -- bids and answers -----------------------------------------------------------------


def test_a_bid_counts_once_per_idempotency_key(api: Caller) -> None:
    story.place(api.shop)
    story.pay(api.shop)
    path = f"rounds/{story.the_round(api.shop).id}/bids"
    bid = {"supplierId": "sup_A", "amountPaisa": 4_020_000}
    key = {"Idempotency-Key": "bid-1"}
    first, again = api.post(path, bid, **key), api.post(path, bid, **key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json["data"] == again.json["data"]
    other = api.post(path, {**bid, "amountPaisa": 1}, **key)
    assert other.status_code == 409
    dear = api.post(path, {**bid, "amountPaisa": 4_085_001}).json["data"]
    assert (dear["status"], dear["rejectReason"]) == ("rejected", "above_ceiling")
    assert api.post(path, {**bid, "supplierId": "sup_Z"}).status_code == 404
    assert api.post("rounds/rnd_none/bids", bid).status_code == 404


def test_an_offer_is_answered_once_by_whom_it_was_made_to(api: Caller) -> None:
    path = f"confirmations/{awarded(api)}/answer"
    yes = {"supplierId": "sup_C", "accept": True}
    assert api.post(path, {**yes, "supplierId": "sup_A"}).status_code == 409
    for _ in range(2):
        done = api.post(path, yes)
        assert (done.status_code, done.json["data"]["status"]) == (200, "confirmed")
    assert api.post("confirmations/none/answer", yes).status_code == 404
    assert api.post(path, {**yes, "accept": "yes"}).status_code == 422


# -- payments -------------------------------------------------------------------------


def test_a_payment_counts_once_and_only_if_the_provider_says_so(api: Caller) -> None:
    api.post("orders", ORDER)
    pending = api.post("payments", MONEY)
    assert (pending.status_code, pending.json["data"]["status"]) == (202, "initiated")
    assert story.the_order(api.shop).paid_paisa == 0
    api.has_paid()
    first, again = api.post("payments", MONEY), api.post("payments", MONEY)
    assert (first.status_code, again.status_code) == (201, 200)
    assert story.the_order(api.shop).paid_paisa == story.TOTAL
    assert api.post("payments", {**MONEY, "amountPaisa": 1}).status_code == 409


def test_a_payment_that_failed_is_not_recorded(api: Caller) -> None:
    api.post("orders", ORDER)
    api.has_paid(PaymentState.FAILED)
    failed = api.post("payments", MONEY)
    assert (failed.status_code, failed.json["current"]) == (409, {"status": "failed"})


def test_a_payment_is_for_an_order_or_of_a_customer_that_exists(api: Caller) -> None:
    assert api.post("payments", MONEY).status_code == 404
    both = {**MONEY, "customerId": "cus_1"}
    assert api.post("payments", both).status_code == 422
    unknown = {**MONEY, "orderId": None, "customerId": "cus_9"}
    assert api.post("payments", unknown).status_code == 404
    cash = {**MONEY, "orderId": None, "customerId": "cus_1", "method": "cash"}
    assert api.post("payments", cash).status_code == 201


# -- webhooks -------------------------------------------------------------------------


def test_the_handshake_needs_the_token(api: Caller) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}
    right = api.http.simulate_get(
        HOOK, params={**asked, "hub.verify_token": "shared-token"}
    )
    assert (right.status_code, right.text) == (200, "1158201444")
    wrong = api.http.simulate_get(HOOK, params={**asked, "hub.verify_token": "x"})
    assert (wrong.status_code, wrong.json["code"]) == (403, "not_authentic")
    assert api.http.simulate_get(HOOK, params=asked).status_code == 400


def test_only_signed_webhooks_are_read(api: Caller) -> None:
    assert api.tell().status_code == 200
    assert api.tell(secret=OLD_SECRET).status_code == 200
    refused = api.tell(secret=b"guess", raw=b"not JSON")
    assert (refused.status_code, refused.json["code"]) == (403, "not_authentic")
    unsigned = api.http.simulate_post(HOOK, json={})
    assert unsigned.status_code == 403
    assert api.tell(raw=b"not JSON").status_code == 400
    assert api.tell(raw=b" " * (2 * 1024 * 1024 + 1)).status_code == 413


def test_statuses_may_come_twice_and_in_any_order(api: Caller) -> None:
    story.place(api.shop)
    api.shop.run_for(0)
    key = f"order_received:{story.ORDER}"
    message = api.shop.message_with(key)
    status = {"id": message.wamid, "timestamp": api.seconds()}
    for name in ("read", "sent", "delivered", "read"):
        told = api.tell(statuses=[{**status, "status": name}])
        assert told.json["data"] == {"applied": 1, "ignored": 0}
    assert api.shop.message_with(key).status is MessageStatus.READ


def test_what_is_unknown_or_malformed_costs_nothing_beside_it(api: Caller) -> None:
    status = {"id": "wamid.x", "timestamp": "1", "status": "read"}
    wrote = {"id": "wamid.y", "from": "9779841000001", "timestamp": api.seconds()}
    told = api.tell(
        statuses=[status, {}, None, {**status, "timestamp": "soon"}, {"status": "?"}],
        messages=[{**wrote, "type": "image"}, {"from": "x"}],
    )
    assert told.status_code == 200
    assert told.json["data"] == {"applied": 1, "ignored": 6}
    with api.shop.storage.begin() as work:
        heard = work.recipients.get("+9779841000001").last_inbound_at
    assert heard == api.shop.now()
    for raw in (b"[]", b"1", b'{"entry": [[]]}', b'{"entry": 1}'):
        assert api.tell(raw=raw).status_code == 200


def test_a_typed_bid_counts_once(api: Caller) -> None:
    story.place(api.shop)
    story.pay(api.shop)
    story.go(api.shop, "10:05")
    wrote = {
        "id": "wamid.bid",
        "from": "9779842000003",
        "timestamp": api.seconds(),
        "text": {"body": "BID 40,200 2h"},
    }
    for _ in range(2):
        assert api.tell(messages=[wrote]).json["data"]["applied"] == 1
    with api.shop.storage.begin() as work:
        bids = work.bids.where()
    assert [(b.supplier_id, b.amount_paisa) for b in bids] == [("sup_A", 4_020_000)]


def test_a_bid_that_fits_no_round_is_asked_about_once(api: Caller) -> None:
    wrote = {
        "id": "wamid.bid",
        "from": "9779842000003",
        "timestamp": api.seconds(),
        "text": {"body": "BID 40,200"},
    }
    api.tell(messages=[wrote, wrote])
    assert [task.subject for task in story.tasks(api.shop)] == ["supplier:sup_A"]


@pytest.mark.parametrize("genuine", [True, False], ids=["genuine", "forged"])
def test_a_button_answers_an_offer_if_its_token_fits(
    api: Caller, *, genuine: bool
) -> None:
    offer = awarded(api)
    token = button_token(Terms().token_secret, "c", offer, "sup_C")
    token = token if genuine else "000000"
    pressed = {
        "id": "wamid.yes",
        "from": "9779842000005",
        "timestamp": api.seconds(),
        "button": {"payload": f"c:{offer}:y:{token}"},
    }
    for _ in range(2):
        assert api.tell(messages=[pressed]).json["data"]["applied"] == int(genuine)
    found = story.the_offer(api.shop)
    assert found.status == ("confirmed" if genuine else "pending")


def test_without_the_marketplace_its_routes_are_not_there(market: Shop) -> None:
    app = create_app(JobClient(market.store, {}, str), new_id=market.new_id)
    http = falcon.testing.TestClient(app, headers={"Host": "localhost"})
    assert http.simulate_post("/api/v1/orders", json=ORDER).status_code == 404
    assert "/api/v1/orders" not in http.simulate_get("/openapi.json").json["paths"]
