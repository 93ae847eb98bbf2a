"""The acceptance scenarios of `wholesaler-confirmation-timeout`."""

import threading

import pytest

from tests.integration.marketplace import story
from tests.integration.marketplace.conftest import Deliveries
from tests.integration.marketplace.shop import PHONE, Shop
from tests.integration.marketplace.story import answer, at, go, three_bids
from workflows.jobs.wholesaler_confirmation_timeout.payload import (
    WholesalerConfirmationTimeout,
)
from workflows.jobs.wholesaler_confirmation_timeout.processor import look_after_offers
from workflows.marketplace.change import Noop
from workflows.marketplace.confirmation import ConfirmationStatus
from workflows.marketplace.order import OrderMode, OrderStatus
from workflows.marketplace.transitions import offers, orders

PHONE_C = "+9779842000005"


@pytest.fixture
def offered(market: Shop) -> Shop:
    """C was offered the order at 10:10:20, to be answered before 10:25:20."""
    three_bids(market)
    go(market, "10:10:20")
    return market


def first(shop: Shop) -> ConfirmationStatus:
    return story.all_offers(shop)[0].status


def test_ct_1_silence_is_nudged_once_and_times_out(
    offered: Shop, deliveries: Deliveries
) -> None:
    go(offered, "10:17:49")
    assert "confirm_nudge" not in deliveries.to(PHONE_C)
    go(offered, "10:17:50")
    assert deliveries.to(PHONE_C).count("confirm_nudge") == 1
    go(offered, "10:25:39")
    assert first(offered) is ConfirmationStatus.PENDING
    go(offered, "10:25:40")
    assert first(offered) is ConfirmationStatus.TIMED_OUT
    assert deliveries.to(PHONE_C).count("confirm_nudge") == 1
    assert story.the_offer(offered).supplier_id == "sup_B"
    assert story.strikes(offered, "C") == 1


def test_ct_2_an_answer_in_time_counts_though_it_is_told_in_the_grace(
    offered: Shop,
) -> None:
    go(offered, "10:25:35")
    answer(offered, accept=True, sent="10:25:19")
    go(offered, "10:30")
    assert first(offered) is ConfirmationStatus.CONFIRMED
    assert story.the_order(offered).status is OrderStatus.CONFIRMED
    assert len(story.all_offers(offered)) == 1


def test_ct_3_an_answer_at_the_deadline_is_late(offered: Shop) -> None:
    go(offered, "10:25:21")
    assert answer(offered, accept=True, sent="10:25:20") == Noop("late")
    go(offered, "10:25:40")
    assert first(offered) is ConfirmationStatus.TIMED_OUT


def test_ct_4_of_an_answer_and_a_timeout_at_once_one_wins(offered: Shop) -> None:
    offered.move_to(at("10:25:40"))
    offer = story.the_offer(offered)
    barrier = threading.Barrier(2)

    def accept() -> None:
        barrier.wait()
        answer(offered, accept=True, sent="10:25:10", offer=offer.id)

    def end() -> None:
        barrier.wait()
        offered.market.run("test", offers.time_out, offer.id)

    threads = [threading.Thread(target=target) for target in (accept, end)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    offered.run_for(0)
    won = first(offered) is ConfirmationStatus.CONFIRMED
    assert len(story.all_offers(offered)) == (1 if won else 2)
    status = story.the_order(offered).status
    assert status is (
        OrderStatus.CONFIRMED if won else OrderStatus.AWAITING_CONFIRMATION
    )


def test_ct_5_a_rejection_asks_the_next_at_once_without_a_strike(
    offered: Shop,
) -> None:
    go(offered, "10:12")
    answer(offered, accept=False)
    go(offered, "10:26")
    assert first(offered) is ConfirmationStatus.REJECTED
    assert story.the_offer(offered).requested_at == at("10:12")
    assert story.strikes(offered, "C") == 0


def test_ct_6_accept_pressed_twice_is_one_transition(
    offered: Shop, deliveries: Deliveries
) -> None:
    go(offered, "10:12")
    answer(offered, accept=True, ref="wamid.1")
    for ref in ("wamid.1", "wamid.1", "wamid.2"):
        again = answer(offered, accept=True, ref=ref)
        assert again == Noop("same_answer")
    offered.run_for(5)
    assert deliveries.to(PHONE).count("order_confirmed") == 1


def test_ct_7_the_sweep_rescues_what_the_timer_lost(offered: Shop) -> None:
    offered.move_to(at("10:26:33"))  # and nobody ran the timer
    sweep = WholesalerConfirmationTimeout()
    results = [look_after_offers(offered.market, sweep) for _ in range(2)]
    assert [result["rescued"] for result in results] == [1, 0]
    offered.run_for(0)
    assert [offer.attempt_no for offer in story.all_offers(offered)] == [1, 2]


def test_the_sweep_leaves_the_timer_its_first_try(offered: Shop) -> None:
    offered.move_to(at("10:26:09"))
    swept = look_after_offers(offered.market, WholesalerConfirmationTimeout())
    assert swept["rescued"] == 0


def test_ct_8_an_answer_for_a_cancelled_order_is_refused(
    offered: Shop, deliveries: Deliveries
) -> None:
    go(offered, "10:20")
    offered.market.run("api", orders.cancel, story.ORDER, "customer")
    offered.run_for(5)
    assert deliveries.to(PHONE_C)[-1] == "bid_closed"
    assert answer(offered, accept=True) == Noop("offer_closed")
    assert first(offered) is ConfirmationStatus.WITHDRAWN
    assert story.the_order(offered).closed_reason == "customer_cancelled"


def test_ct_9_an_offer_cut_to_the_deadline_is_the_last(
    market: Shop, deliveries: Deliveries
) -> None:
    market.market = story.with_terms(market, fulfilment_ttl=story.minutes(18))
    three_bids(market)  # the deadline is 10:18:00
    go(market, "10:10:20")
    assert story.the_offer(market).respond_by == at("10:18")
    go(market, "10:30")
    closed = story.the_order(market)
    assert closed.status is OrderStatus.EXPIRED
    assert closed.closed_reason in {"deadline", "no_time"}
    assert len(story.all_offers(market)) == 1
    assert "confirm_nudge" not in deliveries.to(PHONE_C)


def test_ct_10_a_direct_order_is_looked_after_the_same_way(market: Shop) -> None:
    story.place(market, mode=OrderMode.DIRECT)
    story.pay(market)
    offer = story.the_offer(market)
    assert (offer.supplier_id, offer.source) == ("sup_V", "direct")
    market.run_for(15 * 60 + 20)
    assert first(market) is ConfirmationStatus.TIMED_OUT
    assert story.the_order(market).closed_reason == "no_supplier"  # sup_W is too dear


def test_ct_11_nobody_answers_for_another(offered: Shop) -> None:
    go(offered, "10:12")
    assert answer(offered, accept=True, supplier="sup_B") == Noop("wrong_party")
    assert first(offered) is ConfirmationStatus.PENDING


def test_a_no_within_a_minute_of_the_yes_withdraws_it(offered: Shop) -> None:
    go(offered, "10:12")
    answer(offered, accept=True)
    go(offered, "10:12:59")
    accepted = story.the_offer(offered).id
    answer(offered, accept=False, offer=accepted)
    offered.run_for(0)
    assert first(offered) is ConfirmationStatus.WITHDRAWN
    assert story.the_offer(offered).supplier_id == "sup_B"


def test_a_later_no_must_be_said_to_a_person(offered: Shop) -> None:
    go(offered, "10:12")
    answer(offered, accept=True)
    go(offered, "10:13:01")
    assert answer(offered, accept=False) == Noop("call_us")
    assert first(offered) is ConfirmationStatus.CONFIRMED
