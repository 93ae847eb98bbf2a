"""The acceptance scenarios of `order-expiry` that need only orders and messages."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.integration.marketplace.shop import START, Shop
from tests.integration.marketplace.stub import StubProcess
from tests.unit.marketplace.rows import order
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import Snooze, StoreUnavailableError
from workflows.jobs.order_expiry.payload import OrderExpiry
from workflows.marketplace.database import Database
from workflows.marketplace.message import MessageStatus
from workflows.marketplace.order import OrderStatus, PaymentStatus

DEADLINE = START + timedelta(minutes=30)
LATER = START + timedelta(hours=4)
TOTAL = 4_859_000
NOTICE = "order_expired:ord_1001"


@pytest.fixture(autouse=True)
def _an_unpaid_order(database: Database) -> None:
    with database.begin() as work:
        assert work.orders.add(order(DEADLINE))


def pay(database: Database, amount: int = TOTAL) -> None:
    with database.begin() as work:
        before = work.orders.get("ord_1001")
        assert before is not None
        assert work.orders.save(before, before.paid(amount, deadline=LATER))


def expire(shop: Shop) -> dict[str, object]:
    return shop.expirer.run(OrderExpiry(order_id="ord_1001", expiry_epoch=1))


def test_oe_1_an_unpaid_order_expires_at_its_deadline(
    shop: Shop, stub: StubProcess
) -> None:
    job = shop.add_expiry(30 * 60, orderId="ord_1001", expiryEpoch=1)
    shop.run_until(DEADLINE - timedelta(milliseconds=1))
    assert shop.order("ord_1001").status is OrderStatus.PENDING_PAYMENT
    shop.run_until(DEADLINE)
    closed = shop.order("ord_1001")
    assert (closed.status, closed.closed_reason) == (OrderStatus.EXPIRED, "unpaid")
    assert shop.result(job) == {
        "orderId": "ord_1001",
        "outcome": "done",
        "reason": "unpaid",
        "released": {"holdPaisa": 0, "refundDuePaisa": 0},
        "lateByMs": 0,
    }
    [sent] = stub.messages()
    assert sent["request"]["template"]["name"] == "order_expired_v1"
    assert shop.message_with(NOTICE).status is MessageStatus.ACCEPTED
    again = shop.add_expiry(orderId="ord_1001", expiryEpoch=1)
    shop.run_for(60)
    assert shop.result(again)["outcome"] == "noop:state"
    assert len(stub.messages()) == 1


def test_the_documented_form_without_epoch_trusts_the_row(shop: Shop) -> None:
    job = shop.add_expiry(30 * 60, orderId="ord_1001")
    shop.run_until(DEADLINE)
    assert shop.result(job)["reason"] == "unpaid"


def test_oe_2_an_early_timer_comes_again_at_the_deadline(shop: Shop) -> None:
    early = DEADLINE - timedelta(milliseconds=1)
    shop.move_to(early)
    with pytest.raises(Snooze) as caught:
        expire(shop)
    assert caught.value.delay == timedelta(milliseconds=1)
    job = shop.add_expiry(orderId="ord_1001", expiryEpoch=1)
    shop.run_until(early)
    assert shop.job(job).state is JobState.DELAYED
    shop.run_until(DEADLINE)
    assert shop.result(job)["outcome"] == "done"
    assert shop.job(job).attempts_made == 1


def test_the_guides_five_minutes_are_too_early_for_a_half_hour(shop: Shop) -> None:
    job = shop.add_expiry(5 * 60, orderId="ord_1001")
    shop.run_until(DEADLINE)
    assert shop.result(job)["outcome"] == "done"


def test_oe_3_payment_and_expiry_at_once_have_one_winner(
    shop: Shop, database: Database
) -> None:
    outcomes = set()
    for n in range(60):
        name = f"race_{n}"
        with database.begin() as work:
            work.orders.add(replace(order(DEADLINE), id=name))
        shop.move_to(DEADLINE)
        outcomes.add(race(shop, database, name))
    assert outcomes <= {
        (OrderStatus.PLACED, PaymentStatus.PAID, "noop:stale_timer"),
        (OrderStatus.PLACED, PaymentStatus.PAID, "noop:lost_race"),
        (OrderStatus.EXPIRED, PaymentStatus.REFUND_DUE, "done"),
    }


def race(
    shop: Shop, database: Database, name: str
) -> tuple[OrderStatus, PaymentStatus, str]:
    barrier, results = threading.Barrier(2), []

    def capture() -> None:
        barrier.wait()
        with database.begin() as work:
            before = work.orders.get(name)
            assert before is not None
            assert work.orders.save(before, before.paid(TOTAL, deadline=LATER))

    def run_job() -> None:
        barrier.wait()
        results.append(
            shop.expirer.run(OrderExpiry(order_id=name, expiry_epoch=1))["outcome"]
        )

    threads = [threading.Thread(target=target) for target in (capture, run_job)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = shop.order(name)
    assert after.paid_paisa == TOTAL
    return after.status, after.payment_status, str(results[0])


def test_oe_4_a_timer_of_an_earlier_deadline_does_nothing(
    shop: Shop, database: Database
) -> None:
    job = shop.add_expiry(30 * 60, orderId="ord_1001", expiryEpoch=1)
    shop.run_until(DEADLINE - timedelta(seconds=1))
    pay(database)
    before = shop.order("ord_1001")
    shop.run_until(DEADLINE)
    assert shop.result(job)["outcome"] == "noop:stale_timer"
    assert shop.order("ord_1001") == before
    assert (before.status, before.expiry_epoch) == (OrderStatus.PLACED, 2)


def test_oe_7_a_part_of_the_money_is_due_for_refund(
    shop: Shop, database: Database
) -> None:
    pay(database, 2_000_000)
    job = shop.add_expiry(30 * 60, orderId="ord_1001")
    shop.run_until(DEADLINE)
    assert shop.result(job)["released"] == {"holdPaisa": 0, "refundDuePaisa": 2_000_000}
    closed = shop.order("ord_1001")
    assert closed.payment_status is PaymentStatus.REFUND_DUE
    assert closed.closed_reason == "unpaid"


def test_a_timer_hours_late_still_expires_and_says_how_late(shop: Shop) -> None:
    shop.move_to(DEADLINE + timedelta(hours=3))
    assert expire(shop)["lateByMs"] == 3 * 3600 * 1000


def test_an_order_without_a_deadline_is_left_alone(
    shop: Shop, database: Database
) -> None:
    with database.begin() as work:
        work.orders.add(replace(order(DEADLINE), id="open", expires_at=None))
    done = shop.expirer.run(OrderExpiry(order_id="open"))
    assert done["outcome"] == "noop:state"


def test_an_unknown_order_is_a_dead_letter_at_once(shop: Shop) -> None:
    job = shop.add_expiry(orderId="order-123")
    shop.run_for(10)
    record = shop.job(job)
    assert record.reason is DeadReason.NON_RETRYABLE
    assert b"not_found" in record.failure


def test_a_crash_before_the_message_is_queued_loses_no_message(
    shop: Shop, stub: StubProcess
) -> None:
    shop.move_to(DEADLINE)
    shop.broken = True
    with pytest.raises(StoreUnavailableError):
        expire(shop)
    shop.broken = False
    assert shop.message_with(NOTICE).status is MessageStatus.QUEUED
    job = shop.add_expiry(orderId="ord_1001", expiryEpoch=1)
    shop.run_for(10)
    assert shop.result(job)["outcome"] == "noop:state"
    assert len(stub.messages()) == 1


def test_a_message_about_an_order_that_lives_again_is_not_sent(
    shop: Shop, stub: StubProcess, database: Database
) -> None:
    shop.move_to(DEADLINE)
    expire(shop)
    with database.begin() as work:
        closed = work.orders.get("ord_1001")
        assert closed is not None
        reinstated = replace(closed, status=OrderStatus.PLACED, expiry_epoch=2)
        assert work.orders.save(closed, reinstated)
    shop.run_for(10)
    assert shop.message_with(NOTICE).status is MessageStatus.SUPPRESSED
    assert stub.messages() == []
