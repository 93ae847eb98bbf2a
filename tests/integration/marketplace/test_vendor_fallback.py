"""The acceptance scenarios of `vendor-fallback`."""

import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.marketplace import story
from tests.integration.marketplace.conftest import Deliveries
from tests.integration.marketplace.shop import Shop
from tests.integration.marketplace.story import answer, at, go, three_bids
from workflows.engine.states import JobState
from workflows.exceptions import PayloadError
from workflows.jobs.bidding_timeout.payload import BiddingTimeout
from workflows.jobs.bidding_timeout.processor import close_rounds
from workflows.jobs.vendor_fallback import processor
from workflows.jobs.vendor_fallback.payload import VendorFallback
from workflows.jobs.vendor_fallback.processor import find_next
from workflows.marketplace.change import Change
from workflows.marketplace.confirmation import ConfirmationStatus
from workflows.marketplace.message import Recipient
from workflows.marketplace.order import OrderMode, OrderStatus, PaymentStatus
from workflows.marketplace.parties import SupplierPrice
from workflows.marketplace.transitions import offers
from workflows.marketplace.transitions.fallback import fall_back


def awarded(market: Shop) -> None:
    """C won and was asked at 10:10:20."""
    three_bids(market)
    go(market, "10:10:20")


def asked(market: Shop) -> list[tuple[str, int]]:
    return [(o.supplier_id, o.amount_paisa) for o in story.all_offers(market)]


def test_vf_1_after_a_rejection_the_next_bidder_is_asked(market: Shop) -> None:
    awarded(market)
    go(market, "10:12")
    answer(market, accept=False)
    market.run_for(0)
    assert asked(market) == [("sup_C", 3_995_000), ("sup_B", 3_995_000)]
    assert story.the_offer(market).respond_by == at("10:27")
    assert story.strikes(market, "C") == 0


def test_vf_2_whoever_lets_the_offer_run_out_gets_a_strike(market: Shop) -> None:
    awarded(market)
    go(market, "10:42")
    assert asked(market)[1:] == [("sup_B", 3_995_000), ("sup_A", 4_020_000)]
    assert [story.strikes(market, letter) for letter in "CBA"] == [1, 1, 0]


def test_vf_3_three_offers_are_the_limit(market: Shop) -> None:
    awarded(market)
    go(market, "10:42")
    answer(market, accept=False)
    market.run_for(0)
    closed = story.the_order(market)
    assert (closed.status, closed.closed_reason) == (OrderStatus.EXPIRED, "no_supplier")
    assert closed.payment_status is PaymentStatus.REFUND_DUE
    assert closed.paid_paisa == story.TOTAL
    assert len(story.all_offers(market)) == 3
    assert {"refund:ord_1001"} <= {task.key for task in story.tasks(market)}


def test_lc_9_three_timeouts_exhaust_the_order_at_10_56_20(market: Shop) -> None:
    awarded(market)
    go(market, "10:56:19")
    assert story.the_order(market).status is OrderStatus.AWAITING_CONFIRMATION
    go(market, "10:56:20")
    assert story.the_order(market).closed_reason == "no_supplier"
    assert [offer.requested_at for offer in story.all_offers(market)] == [
        at("10:10:20"),
        at("10:25:40"),
        at("10:41:00"),
    ]
    assert [story.strikes(market, letter) for letter in "CBA"] == [1, 1, 1]


def no_bids(market: Shop) -> None:
    story.place(market)
    story.pay(market)
    go(market, "10:10:20")


def test_vf_4_without_bids_the_vendor_under_the_ceiling_is_asked(market: Shop) -> None:
    no_bids(market)
    assert asked(market) == [("sup_V", 4_010_000)]
    go(market, "10:12")
    answer(market, accept=False)
    market.run_for(0)
    assert story.the_order(market).closed_reason == "no_supplier"
    assert len(story.all_offers(market)) == 1


def test_vf_5_a_vendor_without_one_of_the_goods_is_not_asked(market: Shop) -> None:
    with market.storage.begin() as work:
        old = work.prices.get("sup_V", "oil")
        assert old is not None
        without = SupplierPrice(
            supplier_id="sup_V", product_id="oil", price_paisa=1, available=False
        )
        work.prices.move(old, without)
    no_bids(market)
    assert story.all_offers(market) == []
    assert story.the_order(market).closed_reason == "no_supplier"


def test_vf_6_two_runs_for_one_failure_make_one_offer(
    market: Shop, deliveries: Deliveries
) -> None:
    awarded(market)
    go(market, "10:12")
    answer(market, accept=False)
    payload = VendorFallback(
        order_id=story.ORDER, failed_attempt_no=1, reason="rejected"
    )
    barrier, outcomes = threading.Barrier(2), Counter[object]()

    def run() -> None:
        barrier.wait()
        outcomes[find_next(market.market, payload)["outcome"]] += 1

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {"done": 1, "noop:superseded": 1}
    market.run_for(0)
    assert [offer.attempt_no for offer in story.all_offers(market)] == [1, 2]
    assert deliveries.to("+9779842000004").count("confirm_request") == 1


class Flaky:
    """Fails the first times that the search runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
        self.left = failures
        monkeypatch.setattr(processor, "fall_back", self)

    def __call__(self, change: Change, *args: Any) -> Any:
        if self.left:
            self.left -= 1
            raise ConnectionError
        return fall_back(change, *args)


def test_vf_7_a_death_after_the_commit_makes_no_second_offer(
    market: Shop, deliveries: Deliveries
) -> None:
    awarded(market)
    go(market, "10:12")
    answer(market, accept=False)
    payload = {"orderId": story.ORDER, "failedAttemptNo": 1, "reason": "rejected"}
    find_next(market.market, VendorFallback.model_validate(payload))
    again = market.enqueue("vendor-fallback", payload)
    market.run_for(5)
    assert market.result(again)["outcome"] == "noop:superseded"
    assert deliveries.to("+9779842000004").count("confirm_request") == 1


@pytest.mark.parametrize(
    ("failure", "respond_by"), [("13:52:00", "14:00:00"), ("13:56:00", None)]
)
def test_vf_8_the_window_is_cut_to_the_deadline(
    market: Shop, failure: str, respond_by: str | None
) -> None:
    awarded(market)
    with market.storage.begin() as work:
        order = work.orders.get(story.ORDER)
        offer = work.confirmations.live_of(story.ORDER)
        assert order is not None
        assert offer is not None
        late = at("13:59:00")
        work.orders.save(order, replace(order, expires_at=at("14:00")))
        work.confirmations.move(offer, replace(offer, respond_by=late))
    market.move_to(at(failure))
    answer(market, accept=False)
    market.market.relay()
    find_next(
        market.market,
        VendorFallback(order_id=story.ORDER, failed_attempt_no=1, reason="rejected"),
    )
    if respond_by is None:
        assert story.the_order(market).closed_reason == "no_time"
    else:
        assert story.the_offer(market).respond_by == at(respond_by)
        assert story.the_offer(market).attempt_no == 2


@pytest.mark.parametrize("failures", [1, 2])
def test_vf_9_a_failed_search_is_tried_again_and_swept_up(
    market: Shop, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    awarded(market)
    go(market, "10:12")
    Flaky(monkeypatch, failures)
    answer(market, accept=False)
    market.run_for(6)
    record = market.job("vendor-fallback:ord_1001:1")
    if failures == 1:
        assert record.state is JobState.COMPLETED
        assert story.the_offer(market).requested_at == at("10:12:05")
        return
    assert record.state is JobState.FAILED
    assert story.the_order(market).status is OrderStatus.FALLBACK
    market.move_to(at("10:13:01"))
    swept = close_rounds(market.market, BiddingTimeout())
    assert swept["searches"] == {"rescued": 1, "noop": 0, "failed": 0}
    market.run_for(0)
    assert asked(market)[1:] == [("sup_B", 3_995_000)]


def test_vf_10_a_supplier_who_withdraws_has_a_strike_and_the_order_more_time(
    market: Shop,
) -> None:
    awarded(market)
    go(market, "10:12")
    answer(market, accept=True)
    assert story.the_order(market).expires_at is None
    go(market, "13:00")
    market.market.run("ops", offers.withdraw, story.the_offer(market).id)
    market.run_for(0)
    order = story.the_order(market)
    assert order.status is OrderStatus.AWAITING_CONFIRMATION
    assert order.expires_at == at("15:00")
    assert story.strikes(market, "C") == 1
    assert asked(market)[1:] == [("sup_B", 3_995_000)]


def test_vf_11_an_offer_that_cannot_be_delivered_costs_no_strike(market: Shop) -> None:
    awarded(market)
    go(market, "10:12:04")
    market.market.run("webhook", offers.unreachable, story.the_offer(market).id)
    market.run_for(0)
    first = story.all_offers(market)[0]
    assert (first.status, first.reason) == (
        ConfirmationStatus.SUPERSEDED,
        "unreachable",
    )
    assert story.strikes(market, "C") == 0
    assert asked(market)[1:] == [("sup_B", 3_995_000)]


def test_vf_11_the_job_that_cannot_deliver_the_offer_passes_it_on(
    market: Shop, deliveries: Deliveries
) -> None:
    three_bids(market)
    deliveries.refused.add("+9779842000005")
    go(market, "10:12:21")
    find_due = close_rounds(market.market, BiddingTimeout())  # relays the outbox
    assert find_due["outcome"] == "done"
    market.run_for(1)
    assert story.all_offers(market)[0].reason == "unreachable"
    assert asked(market)[1:] == [("sup_B", 3_995_000)]
    assert story.strikes(market, "C") == 0


def test_a_supplier_out_of_reach_is_passed_over(market: Shop) -> None:
    awarded(market)
    with market.storage.begin() as work:
        until = market.now() + timedelta(days=30)
        work.recipients.put(Recipient(key="+9779842000004", suppressed_until=until))
    answer(market, accept=False)
    market.run_for(0)
    assert asked(market)[1:] == [("sup_A", 4_020_000)]


def test_three_strikes_in_thirty_days_suspend_a_supplier(market: Shop) -> None:
    for number in range(3):
        order_id = f"ord_{number}"
        story.place(market, order_id, mode=OrderMode.DIRECT)
        story.pay(market, order_id=order_id, ref=order_id)
        market.run_for(16 * 60)
    assert story.strikes(market, "V") == 3
    with market.storage.begin() as work:
        supplier = work.suppliers.get("sup_V")
    assert supplier is not None
    assert supplier.status == "suspended"


def test_the_reason_no_bids_goes_with_attempt_0_only(market: Shop) -> None:
    with pytest.raises(PayloadError, match="no_bids"):
        market.enqueue(
            "vendor-fallback",
            {"orderId": "x", "failedAttemptNo": 1, "reason": "no_bids"},
        )
