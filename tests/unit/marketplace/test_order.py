"""An order's deadline, its reasons, its money."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.marketplace.rows import NOW, order
from workflows.marketplace.order import EXPIRABLE, OrderStatus, PaymentStatus

DEADLINE = NOW + timedelta(minutes=30)
TOTAL = 4_859_000


@pytest.mark.parametrize("status", list(OrderStatus))
def test_only_open_orders_are_ever_due(status: OrderStatus) -> None:
    due_at = replace(order(DEADLINE), status=status).due_at()
    assert (due_at is not None) == (status in EXPIRABLE)


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        (OrderStatus.PENDING_PAYMENT, 0),
        (OrderStatus.PLACED, 0),
        (OrderStatus.BIDDING, 20),
        (OrderStatus.AWAITING_CONFIRMATION, 20),
        (OrderStatus.FALLBACK, 0),
    ],
)
def test_an_answer_under_way_is_waited_for(status: OrderStatus, seconds: int) -> None:
    due_at = replace(order(DEADLINE), status=status).due_at()
    assert due_at == DEADLINE + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (OrderStatus.PENDING_PAYMENT, "unpaid"),
        (OrderStatus.FALLBACK, "no_supplier"),
        (OrderStatus.BIDDING, "deadline"),
        (OrderStatus.PLACED, "deadline"),
    ],
)
def test_the_reason_follows_from_the_state(status: OrderStatus, reason: str) -> None:
    expired = replace(order(DEADLINE), status=status).expired()
    assert (expired.status, expired.closed_reason) == (OrderStatus.EXPIRED, reason)


def test_oe_7_a_partial_payment_is_due_for_refund() -> None:
    part = order(DEADLINE).paid(2_000_000, deadline=DEADLINE)
    assert part.payment_status is PaymentStatus.PARTIAL
    expired = part.expired()
    assert (expired.closed_reason, expired.payment_status) == (
        "unpaid",
        PaymentStatus.REFUND_DUE,
    )


def test_full_payment_places_the_order_with_a_new_deadline_and_epoch() -> None:
    later = NOW + timedelta(hours=4)
    placed = order(DEADLINE).paid(TOTAL, deadline=later)
    assert placed.status is OrderStatus.PLACED
    assert (placed.expires_at, placed.expiry_epoch) == (later, 2)
    assert placed.payment_status is PaymentStatus.PAID


def test_money_for_a_closed_order_is_due_for_refund() -> None:
    late = order(DEADLINE).expired().paid(TOTAL, deadline=DEADLINE)
    assert late.status is OrderStatus.EXPIRED
    assert (late.paid_paisa, late.payment_status) == (TOTAL, PaymentStatus.REFUND_DUE)


def test_money_for_a_placed_order_does_not_move_its_deadline() -> None:
    placed = order(DEADLINE).paid(TOTAL, deadline=DEADLINE)
    assert placed.paid(1, deadline=NOW).expires_at == DEADLINE
