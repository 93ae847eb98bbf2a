"""The marketplace's routes: over WSGI, on real tables and queues."""

from typing import Any

import falcon.testing
import pytest

from api.app import create_app
from tests.integration.marketplace import story
from tests.integration.marketplace.caller import LINES, MONEY, ORDER, Caller, awarded
from tests.integration.marketplace.shop import Shop
from workflows.client import JobClient
from workflows.marketplace.billing import PaymentState

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


def test_without_the_marketplace_its_routes_are_not_there(market: Shop) -> None:
    app = create_app(JobClient(market.store, {}, str), new_id=market.new_id)
    http = falcon.testing.TestClient(app, headers={"Host": "localhost"})
    assert http.simulate_post("/api/v1/orders", json=ORDER).status_code == 404
    assert "/api/v1/orders" not in http.simulate_get("/openapi.json").json["paths"]
