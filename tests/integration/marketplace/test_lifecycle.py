"""Orders from placement to the last paisa, and the payments that race them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from unittest.mock import Mock

import pytest

from tests.integration.marketplace import story
from tests.integration.marketplace.conftest import Deliveries
from tests.integration.marketplace.invoices import invoice
from tests.integration.marketplace.people import LINES
from tests.integration.marketplace.shop import PHONE, Shop
from tests.integration.marketplace.story import ORDER, TOTAL, answer, at, go
from workflows.exceptions import NonRetryableError, StoreUnavailableError
from workflows.jobs.bidding_timeout.payload import BiddingTimeout
from workflows.jobs.bidding_timeout.processor import close_rounds
from workflows.jobs.order_expiry.processor import OrderExpirer
from workflows.marketplace.billing import (
    Invoice,
    InvoiceStatus,
    PaymentState,
)
from workflows.marketplace.change import Noop
from workflows.marketplace.credit import CreditStatus, HoldStatus
from workflows.marketplace.ledger import Account
from workflows.marketplace.message import MessageStatus
from workflows.marketplace.order import Order, OrderStatus, PaymentStatus
from workflows.marketplace.parties import PartyStatus
from workflows.marketplace.ports import Lookup
from workflows.marketplace.sql.work import SqlWork
from workflows.marketplace.transitions import credit, delivery, orders, payments
from workflows.marketplace.transitions.bidding import close_round
from workflows.marketplace.transitions.payments import Receipt

TOMORROW = date(2026, 11, 25)


def deliver(shop: Shop) -> Invoice:
    """C accepts, and delivers the next morning at 11."""
    if not story_is_under_way(shop):
        story.three_bids(shop)
    go(shop, "10:14")
    answer(shop, accept=True)
    shop.run_until(at("11:00", TOMORROW))
    made = shop.market.run("api", delivery.deliver, ORDER)
    assert isinstance(made, Invoice)
    return made


def story_is_under_way(shop: Shop) -> bool:
    with shop.storage.begin() as work:
        return work.orders.get(ORDER) is not None


def ledger(shop: Shop, account: Account, party: str | None = None) -> int:
    with shop.storage.begin() as work:
        assert work.ledger.trial_balance() == 0
        assert work.ledger.unbalanced() == []
        return work.ledger.balance(account, party)


def test_lc_1_a_prepaid_order_is_complete_when_it_is_delivered(
    market: Shop, deliveries: Deliveries
) -> None:
    invoice = deliver(market)
    assert invoice.number == "KTM-2083/84-000001"
    assert invoice.status is InvoiceStatus.PAID
    assert story.the_order(market).status is OrderStatus.COMPLETED
    assert ledger(market, Account.ESEWA) == TOTAL
    assert ledger(market, Account.ADVANCES, "cus_1") == 0
    assert ledger(market, Account.RECEIVABLES, "cus_1") == 0
    sales, cost = ledger(market, Account.SALES), ledger(market, Account.PURCHASES)
    assert -sales - cost == 305_000  # the margin
    assert ledger(market, Account.PAYABLES, "sup_C") == -4_514_350
    market.run_for(30)
    assert sorted(deliveries.to(PHONE)) == [
        "invoice_issued",
        "order_confirmed",
        "order_received",
        "payment_received",
    ]
    assert market.market.run("api", delivery.deliver, ORDER) == Noop("state")


def owing(shop: Shop, paisa: int) -> None:
    """Give the customer a debt from before."""
    with shop.storage.begin() as work:
        old = work.credit_accounts.get("cra_1")
        assert old is not None
        work.credit_accounts.move(old, replace(old, balance_paisa=paisa))


def test_lc_2_an_order_on_credit_holds_then_owes(market: Shop) -> None:
    owing(market, 14_000_000)
    story.place(market, credit=True)
    held = story.account(market)
    assert (held.held_paisa, held.available_paisa) == (TOTAL, 1_141_000)
    go(market, "10:05")
    story.bid(market, "C", 3_995_000)
    go(market, "10:10:20")
    invoice = deliver(market)
    assert invoice.due_on == date(2026, 12, 10)
    after = story.account(market)
    assert (after.balance_paisa, after.held_paisa) == (18_859_000, 0)
    assert story.the_order(market).status is OrderStatus.DELIVERED


@pytest.mark.parametrize(
    ("balance", "status"),
    [(15_141_000, OrderStatus.BIDDING), (15_141_001, OrderStatus.CANCELLED)],
)
def test_lc_3_what_costs_exactly_what_is_available_passes(
    market: Shop, balance: int, status: OrderStatus
) -> None:
    owing(market, balance)
    order = story.place(market, credit=True)
    assert order.status is status
    refused = status is OrderStatus.CANCELLED
    assert order.closed_reason == ("credit_refused" if refused else None)
    assert story.account(market).held_paisa == (0 if refused else TOTAL)


def test_lc_7_of_a_cancellation_and_an_award_at_once_none_binds(market: Shop) -> None:
    story.three_bids(market)
    market.move_to(at("10:10:20"))
    round_id = story.the_round(market).id
    barrier = threading.Barrier(2)

    def cancel() -> None:
        barrier.wait()
        market.market.run("api", orders.cancel, ORDER, "customer")

    def award() -> None:
        barrier.wait()
        market.market.run("job", close_round, round_id)

    threads = [threading.Thread(target=target) for target in (cancel, award)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    market.run_for(30 * 60)
    assert story.the_order(market).status is OrderStatus.CANCELLED
    with market.storage.begin() as work:
        assert work.confirmations.live_of(ORDER) is None
        assert work.rounds.open_of(ORDER) is None


def test_placing_an_order_again_changes_nothing(market: Shop) -> None:
    first = story.place(market)
    market.run_for(60)
    assert story.place(market) == first


def test_oe_3_a_capture_and_an_expiry_at_once_have_one_winner(market: Shop) -> None:
    for number in range(20):
        order_id = f"race_{number}"
        market.move_to(at("10:00"))
        story.place(market, order_id)
        market.move_to(at("10:30"))
        barrier = threading.Barrier(2)

        def capture(order_id: str = order_id) -> None:
            barrier.wait()  # noqa: B023 - the thread ends within the round
            story.pay(market, order_id=order_id, ref=order_id)

        def expire(order_id: str = order_id) -> None:
            barrier.wait()  # noqa: B023
            market.market.run("job", orders.expire, order_id, 1)

        threads = [threading.Thread(target=target) for target in (capture, expire)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = story.the_order(market, order_id)
        assert after.paid_paisa == TOTAL
        assert (after.status, after.payment_status) in {
            (OrderStatus.BIDDING, PaymentStatus.PAID),
            (OrderStatus.EXPIRED, PaymentStatus.REFUND_DUE),
        }
    assert ledger(market, Account.ESEWA) == 20 * TOTAL


@pytest.mark.parametrize(
    ("told", "status", "payment"),
    [
        ("10:41:00", OrderStatus.BIDDING, PaymentStatus.PAID),
        ("10:45:01", OrderStatus.EXPIRED, PaymentStatus.REFUND_DUE),
    ],
)
def test_oe_5_a_payment_in_time_told_late_reinstates_for_a_while(
    market: Shop, told: str, status: OrderStatus, payment: PaymentStatus
) -> None:
    story.place(market)
    go(market, told)
    assert story.the_order(market).closed_reason == "unpaid"
    story.pay(market, paid_at=at("10:29:30"))
    order = story.the_order(market)
    assert (order.status, order.payment_status) == (status, payment)
    assert [event.type for event in story.history(market)].count("secured") == (
        status is OrderStatus.BIDDING
    )


def test_an_order_that_was_reinstated_and_expires_again_is_told_of_again(
    market: Shop, deliveries: Deliveries
) -> None:
    with market.storage.begin() as work:  # nobody is there to take it
        for supplier in work.suppliers.where():
            closed = replace(supplier, status=PartyStatus.CLOSED)
            work.suppliers.move(supplier, closed)
    story.place(market)
    go(market, "10:41")
    story.pay(market, paid_at=at("10:29:30"))
    go(market, "11:00")
    assert story.the_order(market).closed_reason == "no_supplier"
    assert deliveries.to(PHONE).count("order_expired") == 2


def test_money_that_was_sent_back_pays_for_no_order_that_is_reinstated(
    market: Shop,
) -> None:
    story.place(market)
    story.pay(market, TOTAL - 100)
    go(market, "10:31")
    assert story.the_order(market).payment_status is PaymentStatus.REFUND_DUE
    with market.storage.begin() as work:
        [first] = work.payments.of_order(ORDER)
    market.market.run("ops", payments.refund, first.id)
    story.pay(market, 100, ref="esewa-2", paid_at=at("10:29"))
    order = story.the_order(market)
    assert (order.status, order.paid_paisa) == (OrderStatus.EXPIRED, 100)
    assert order.payment_status is PaymentStatus.REFUND_DUE


def test_an_outcome_that_cannot_be_written_at_once_is_no_second_message(
    market: Shop, deliveries: Deliveries
) -> None:
    @contextmanager
    def begin() -> Iterator[SqlWork]:
        if deliveries.sent and not refused:
            refused.append(None)
            raise StoreUnavailableError
        with market.storage.begin() as work:
            yield work

    refused: list[None] = []
    market.sender = replace(market.sender, storage=Mock(begin=begin))
    job = market.say()
    market.run_for(300)
    assert refused
    assert len(deliveries.sent) == 1
    assert market.message_of(job).status is MessageStatus.ACCEPTED


@dataclass
class Provider:
    """Answers a lookup with what it is told."""

    answer: Lookup | None
    asked: int = 0

    def lookup(self, provider: str, provider_ref: str) -> Lookup | None:
        self.asked += 1
        return self.answer


def under_way(shop: Shop, provider: Provider) -> None:
    shop.expirer = OrderExpirer(marketplace=shop.market, payments=provider)
    story.place(shop)
    go(shop, "10:28")
    begun = Receipt(
        provider="esewa",
        provider_ref="slow",
        amount_paisa=TOTAL,
        paid_at=shop.now(),
        customer_id="cus_1",
        order_id=ORDER,
    )
    shop.market.run("api", payments.initiate, begun)


def paid_at(moment: datetime) -> Lookup:
    return Lookup(state=PaymentState.CAPTURED, amount_paisa=TOTAL, paid_at=moment)


def test_oe_6_a_payment_under_way_gets_five_minutes_once(market: Shop) -> None:
    provider = Provider(answer=None)
    under_way(market, provider)
    go(market, "10:34:59")
    assert story.the_order(market).status is OrderStatus.PENDING_PAYMENT
    go(market, "10:35:00")
    assert story.the_order(market).closed_reason == "unpaid"
    assert provider.asked == 2


def test_oe_6_a_payment_that_arrived_unheard_saves_the_order(market: Shop) -> None:
    under_way(market, Provider(answer=paid_at(at("10:29"))))
    go(market, "10:31")
    assert story.the_order(market).status is OrderStatus.BIDDING
    assert story.the_order(market).paid_paisa == TOTAL


def test_oe_6_failed_attempts_to_pay_do_not_keep_an_order(market: Shop) -> None:
    failed = Lookup(state=PaymentState.FAILED, amount_paisa=TOTAL, paid_at=at("10:29"))
    under_way(market, Provider(answer=failed))
    go(market, "10:30")
    assert story.the_order(market).closed_reason == "unpaid"


def test_oe_8_an_answer_in_the_grace_binds_and_after_it_the_order_is_closed(
    market: Shop,
) -> None:
    story.place(market, credit=True)
    go(market, "10:05")
    story.bid(market, "C", 3_995_000)
    go(market, "10:10:20")
    order = story.the_order(market)
    with market.storage.begin() as work:
        work.orders.save(order, replace(order, expires_at=at("10:15")))
    market.move_to(at("10:15:25"))
    outcome = market.market.run("job", orders.expire, ORDER)
    assert isinstance(outcome, orders.Expired)
    assert outcome.released.hold_paisa == TOTAL
    assert answer(market, accept=True, sent="10:14:59") == Noop("offer_closed")
    assert story.account(market).held_paisa == 0
    assert market.market.run("job", orders.expire, ORDER) == Noop("state")
    with market.storage.begin() as work:
        hold = work.credit_holds.get(ORDER)
    assert hold is not None
    assert hold.status is HoldStatus.RELEASED


def test_oe_9_a_lost_timer_is_swept_up(market: Shop) -> None:
    story.place(market)
    market.store.cancel("order-expiry:ord_1001:1")
    market.move_to(at("10:30:33"))
    assert sweep(market)["rescued"] == 0
    market.move_to(at("10:32:33"))
    assert sweep(market)["rescued"] == 1
    market.run_for(0)
    assert story.the_order(market).closed_reason == "unpaid"


def sweep(shop: Shop) -> dict[str, int]:
    found = close_rounds(shop.market, BiddingTimeout())["orders"]
    assert isinstance(found, dict)
    return found


def test_oe_10_an_advance_that_covers_an_order_places_it(market: Shop) -> None:
    story.pay(market, TOTAL + 5, order_id=None, ref="advance")
    order = story.place(market)
    assert (order.status, order.payment_status) == (
        OrderStatus.BIDDING,
        PaymentStatus.PAID,
    )
    assert story.place(market, "second").status is OrderStatus.PENDING_PAYMENT


def test_the_same_payment_is_captured_once(market: Shop) -> None:
    story.place(market)
    story.pay(market)
    assert story.pay(market) == Noop("already_captured")
    assert ledger(market, Account.ESEWA) == TOTAL


@pytest.mark.parametrize(
    ("what", "other", "code"),
    [
        ("amount_paisa", TOTAL // 100, "amount_differs"),
        ("customer_id", "cus_2", "customer_differs"),
        ("order_id", "second", "order_differs"),
    ],
)
def test_money_that_is_not_what_was_announced_is_refused_and_not_recorded(
    market: Shop, what: str, other: Any, code: str
) -> None:
    story.place(market)
    begun = Receipt(
        provider="esewa",
        provider_ref="esewa-1",
        amount_paisa=TOTAL,
        paid_at=market.now(),
        customer_id="cus_1",
        order_id=ORDER,
    )
    market.market.run("api", payments.initiate, begun)
    told = replace(begun, **{what: other})
    with pytest.raises(NonRetryableError, match=code):
        market.market.run("api", payments.capture, told)
    assert story.the_order(market).paid_paisa == 0
    assert ledger(market, Account.ESEWA) == 0


def test_a_refund_empties_the_advance_and_closes_the_matter(market: Shop) -> None:
    story.place(market)
    paid = story.pay(market)
    market.market.run("api", orders.cancel, ORDER, "customer")
    assert story.the_order(market).payment_status is PaymentStatus.REFUND_DUE
    payment_id = getattr(paid, "id", "")
    market.market.run("ops", payments.refund, payment_id)
    assert story.the_order(market).payment_status is PaymentStatus.REFUNDED
    assert ledger(market, Account.ADVANCES, "cus_1") == 0
    assert market.market.run("ops", payments.refund, payment_id) == Noop("state")


# -- receipts that pay invoices --


def outstanding(shop: Shop) -> dict[str, int]:
    with shop.storage.begin() as work:
        return {i.id: i.outstanding_paisa for i in work.invoices.where()}


def test_cr_3_to_cr_5_receipts_pay_the_oldest_and_the_rest_is_an_advance(
    market: Shop,
) -> None:
    invoice(market, "INV-11", date(2026, 11, 10), 4_859_000)
    invoice(market, "INV-12", date(2026, 11, 15), 1_000_000)
    story.pay(market, 3_000_000, order_id=None, ref="r1")
    assert outstanding(market) == {"INV-11": 1_859_000, "INV-12": 1_000_000}
    market.market.run(
        "ops", payments.credit_note, "INV-11", "cn1", net_paisa=500_000, vat_paisa=0
    )
    story.pay(market, 2_000_000, order_id=None, ref="r2")
    assert outstanding(market) == {"INV-11": 0, "INV-12": 359_000}
    assert story.account(market).balance_paisa == 359_000
    assert ledger(market, Account.RECEIVABLES, "cus_1") == 359_000
    story.pay(market, 1_200_000, order_id=None, ref="r3")
    assert outstanding(market) == {"INV-11": 0, "INV-12": 0}
    assert ledger(market, Account.ADVANCES, "cus_1") == -841_000


def test_pr_10_paying_everything_lifts_the_hold_at_once(market: Shop) -> None:
    invoice(market, "INV-11", date(2026, 11, 10), 4_859_000)
    market.market.run("test", credit.put_on_hold, "cus_1", credit.OVERDUE)
    assert story.place(market, credit=True).closed_reason == "credit_refused"
    story.pay(market, 4_859_000, order_id=None, ref="r1")
    assert story.account(market).status is CreditStatus.ACTIVE
    assert isinstance(story.place(market, "again", credit=True), Order)
    assert story.account(market).held_paisa == TOTAL


def test_the_lines_of_an_order_are_kept(market: Shop) -> None:
    story.place(market)
    with market.storage.begin() as work:
        assert tuple(work.orders.lines(ORDER)) == LINES
