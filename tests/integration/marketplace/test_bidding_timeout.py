"""The acceptance scenarios of `bidding-timeout`."""

import threading
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.marketplace import story
from tests.integration.marketplace.conftest import Deliveries
from tests.integration.marketplace.shop import Shop
from tests.integration.marketplace.story import at, bid, go, three_bids
from workflows.jobs.bidding_timeout.payload import BiddingTimeout
from workflows.jobs.bidding_timeout.processor import close_rounds
from workflows.marketplace.bidding import Bid, BidStatus, RoundStatus
from workflows.marketplace.change import Change, Noop
from workflows.marketplace.order import OrderStatus
from workflows.marketplace.rules import bidding as rules
from workflows.marketplace.rules.bidding import winner
from workflows.marketplace.terms import Terms
from workflows.marketplace.transitions import bidding
from workflows.marketplace.transitions.orders import cancel

QUEUE = "bidding-timeout"
PHONE_C = "+9779842000005"


def amounts(shop: Shop, status: BidStatus) -> list[tuple[str, int]]:
    with shop.storage.begin() as work:
        bids = work.bids.where()
    return [(b.supplier_id, b.amount_paisa) for b in bids if b.status is status]


def test_bt_1_the_lowest_and_earlier_bid_gets_the_offer(
    market: Shop, deliveries: Deliveries
) -> None:
    three_bids(market)
    go(market, "10:10:19")
    assert story.the_round(market).status is RoundStatus.OPEN
    go(market, "10:10:20")
    assert story.the_round(market).status is RoundStatus.AWARDED
    offer = story.the_offer(market)
    assert (offer.supplier_id, offer.amount_paisa) == ("sup_C", 3_995_000)
    assert offer.respond_by == at("10:25:20")
    assert amounts(market, BidStatus.WON) == [("sup_C", 3_995_000)]
    assert len(amounts(market, BidStatus.ACTIVE)) == 2
    assert story.the_order(market).status is OrderStatus.AWAITING_CONFIRMATION
    assert deliveries.to(PHONE_C) == ["bid_invite", "confirm_request"]


def test_bt_2_of_two_equal_bids_the_first_to_arrive_wins(market: Shop) -> None:
    story.place(market)
    story.pay(market)
    go(market, "10:07:30")
    bid(market, "B", 3_995_000, "10:07:00")
    bid(market, "C", 3_995_000, "10:07:00")
    go(market, "10:10:20")
    assert story.the_offer(market).supplier_id == "sup_B"


def test_bt_3_without_bids_the_price_lists_are_asked(market: Shop) -> None:
    story.place(market)
    story.pay(market)
    go(market, "10:10:20")
    assert story.the_round(market).status is RoundStatus.NO_BIDS
    offer = story.the_offer(market)
    assert (offer.supplier_id, offer.attempt_no) == ("sup_V", 1)


def test_bt_4_a_bid_sent_at_the_close_is_late(market: Shop) -> None:
    story.place(market)
    story.pay(market)
    go(market, "10:10:05")
    first = bid(market, "A", 4_000_000, "10:09:59")
    second = bid(market, "B", 3_900_000, "10:10:00")
    assert isinstance(first, Bid)
    assert isinstance(second, Bid)
    assert (first.status, second.reject_reason) == (BidStatus.ACTIVE, "late")
    go(market, "10:10:20")
    assert story.the_offer(market).supplier_id == "sup_A"


def test_a_bid_sent_in_time_but_told_after_the_grace_is_late(market: Shop) -> None:
    three_bids(market)
    go(market, "10:10:21")
    told_late = bid(market, "A", 3_000_000, "10:09:59")
    assert isinstance(told_late, Bid)
    assert told_late.reject_reason == "late"


def test_bt_5_too_few_bids_have_no_winner_but_are_asked_first(market: Shop) -> None:
    market.market = replace(market.market, terms=Terms(min_bids=2))
    story.place(market)
    story.pay(market)
    go(market, "10:05")
    bid(market, "B", 3_995_000)
    go(market, "10:10:20")
    assert story.the_round(market).status is RoundStatus.NO_BIDS
    offer = story.the_offer(market)
    assert (offer.supplier_id, offer.attempt_no) == ("sup_B", 1)


@pytest.mark.parametrize(
    ("amount", "status"),
    [(4_085_000, BidStatus.ACTIVE), (4_085_001, BidStatus.REJECTED)],
)
def test_bt_6_a_bid_at_the_ceiling_counts(
    market: Shop, amount: int, status: BidStatus
) -> None:
    story.place(market)
    story.pay(market)
    made = bid(market, "A", amount)
    assert isinstance(made, Bid)
    assert made.status is status


def test_bt_7_a_lost_timer_is_rescued_by_the_second_sweep(market: Shop) -> None:
    three_bids(market)
    market.move_to(at("10:10:33"))
    first = close_rounds(market.market, BiddingTimeout())
    assert first["rounds"] == {"rescued": 0, "noop": 0, "failed": 0}
    market.move_to(at("10:12:33"))
    second = close_rounds(market.market, BiddingTimeout())
    assert second["rounds"] == {"rescued": 1, "noop": 0, "failed": 0}
    assert story.the_offer(market).requested_at == at("10:12:33")


def test_bt_8_a_timer_and_two_sweeps_at_once_make_one_award(
    market: Shop, deliveries: Deliveries
) -> None:
    three_bids(market)
    market.move_to(at("10:10:50"))
    payloads = [BiddingTimeout(round_id=story.the_round(market).id)]
    payloads += [BiddingTimeout()] * 2
    barrier = threading.Barrier(3)

    def run(payload: BiddingTimeout) -> None:
        barrier.wait()
        close_rounds(market.market, payload)

    threads = [threading.Thread(target=run, args=(p,)) for p in payloads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(story.all_offers(market)) == 1
    market.run_for(1)
    assert Counter(m.purpose for m in deliveries.sent)["confirm_request"] == 1


def test_bt_9_a_second_bid_takes_the_place_of_the_first(market: Shop) -> None:
    story.place(market)
    story.pay(market)
    go(market, "10:03")
    bid(market, "A", 3_900_000)
    go(market, "10:05")
    bid(market, "A", 4_020_000)
    assert amounts(market, BidStatus.SUPERSEDED) == [("sup_A", 3_900_000)]
    assert amounts(market, BidStatus.ACTIVE) == [("sup_A", 4_020_000)]
    go(market, "10:10:20")
    assert story.the_offer(market).amount_paisa == 4_020_000


def test_the_same_message_is_the_same_bid(market: Shop) -> None:
    story.place(market)
    story.pay(market)
    assert isinstance(bid(market, "A", 4_000_000, ref="wamid.1"), Bid)
    assert bid(market, "A", 4_000_000, ref="wamid.1") == Noop("duplicate")


def test_bt_11_a_round_that_always_fails_keeps_no_other_waiting(
    market: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        story.place(market, f"ord_{number}")
        story.pay(market, order_id=f"ord_{number}", ref=f"ref-{number}")
    with market.storage.begin() as work:
        bad = work.rounds.of_order("ord_3")[0].id
    plain: Any = winner

    def fail_for_one(bids: object, *, min_bids: int) -> object:
        if current == [bad]:
            raise ZeroDivisionError
        return plain(bids, min_bids=min_bids)

    current: list[str] = []
    get = bidding._get

    def remember(change: Change, round_id: str) -> object:
        current[:] = [round_id]
        return get(change, round_id)

    monkeypatch.setattr(bidding, "_get", remember)
    monkeypatch.setattr(rules, "winner", fail_for_one)
    market.move_to(at("10:12:33"))
    for closed, failed in ((5, 1), (0, 1), (0, 1), (0, 0)):
        swept = close_rounds(market.market, BiddingTimeout(limit=2))
        assert swept["rounds"] == {"rescued": closed, "noop": 0, "failed": failed}
    assert f"poisoned:round:{bad}" in {task.key for task in story.tasks(market)}
    market.run_for(20)
    dead = market.job(f"{QUEUE}:round:{bad}:poisoned")
    assert b"ZeroDivisionError" in dead.failure


def test_an_order_closed_meanwhile_is_not_awarded(market: Shop) -> None:
    three_bids(market)
    market.run_until(at("10:09"))
    market.market.run("test", cancel, story.ORDER, "customer")
    go(market, "10:11")
    assert story.all_offers(market) == []
    assert story.the_round(market).status is RoundStatus.CANCELLED
    assert amounts(market, BidStatus.ACTIVE) == []
