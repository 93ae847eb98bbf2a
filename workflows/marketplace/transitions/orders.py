"""Orders: placed, served, cancelled, expired."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from workflows.marketplace import notices
from workflows.marketplace.change import Change, Noop
from workflows.marketplace.confirmation import OfferSource
from workflows.marketplace.errors import NOT_FOUND, PermanentError
from workflows.marketplace.metrics import observe
from workflows.marketplace.order import (
    EXPIRABLE,
    Order,
    OrderMode,
    OrderStatus,
    PaymentMode,
    PaymentStatus,
)
from workflows.marketplace.parties import PartyStatus
from workflows.marketplace.rules.money import rupees
from workflows.marketplace.rules.pricing import Line, supply_ceiling, totals
from workflows.marketplace.sql.rows import LostRaceError
from workflows.marketplace.transitions.bidding import open_round
from workflows.marketplace.transitions.fallback import offer_next
from workflows.marketplace.transitions.offers import set_deadline_timer
from workflows.marketplace.transitions.release import (
    Released,
    close_order,
    save_order,
)

MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """What a customer orders. The same `id` is the same order."""

    id: str
    customer_id: str
    lines: Sequence[Line]
    mode: OrderMode = OrderMode.BIDDING
    payment_mode: PaymentMode = PaymentMode.PREPAID


@dataclass(frozen=True, slots=True)
class Expired:
    """The order was closed now."""

    order: Order
    released: Released
    late_by_ms: int


def place(change: Change, wanted: NewOrder) -> Order:
    """Place an order; placing it again returns it as it is.

    On credit it is served at once, or `cancelled` with `credit_refused`; prepaid, it
    waits for its money, unless the customer's advance covers it.

    Raises:
        PermanentError: no such customer, a blocked one, or nothing ordered.
    """
    existing = change.work.orders.get(wanted.id)
    if existing is not None:
        return existing
    order = _priced(change, wanted)
    if not change.work.orders.add(order):
        msg = f"order {order.id} was placed meanwhile"
        raise LostRaceError(msg)
    change.work.orders.add_lines(order.id, wanted.lines)
    change.note(order.id, "placed", totalPaisa=order.total_paisa)
    if order.payment_mode is PaymentMode.CREDIT:
        return _on_credit(change, order)
    if _cover_by_advance(change, order):
        return secure(change, order, replace(order, paid_paisa=order.total_paisa))
    set_deadline_timer(change, order)
    until = notices.wall(change, change.now + change.terms.payment_ttl)
    total = rupees(order.total_paisa)
    notices.tell_customer(change, order, "order_received", order.id, total, until)
    return order


def secure(change: Change, old: Order, paid: Order) -> Order:
    """The money is there, or reserved: a new deadline, and the search begins."""
    on_credit = old.payment_mode is PaymentMode.CREDIT
    placed = replace(
        paid,
        status=OrderStatus.PLACED,
        payment_status=PaymentStatus.ON_CREDIT if on_credit else PaymentStatus.PAID,
        closed_reason=None,
        expires_at=change.now + change.terms.fulfilment_ttl,
        expiry_epoch=old.expiry_epoch + 1,
    )
    save_order(change, old, placed)
    set_deadline_timer(change, placed)
    change.note(placed.id, "secured", totalPaisa=placed.total_paisa)
    start_fulfilment(change, placed)
    return get_order(change, placed.id)


def start_fulfilment(change: Change, order: Order) -> None:
    """Find a supplier for an order that is `placed`: by a round, or directly."""
    if order.mode is OrderMode.BIDDING:
        open_round(change, order)
    else:
        offer_next(change, order, OfferSource.DIRECT)


def expire(change: Change, order_id: str, epoch: int | None = None) -> Expired | Noop:
    """Close an order whose deadline has passed; release all that it holds.

    `epoch`: the deadline that a timer was set for; None trusts the order's own.

    Raises:
        PermanentError: no such order.
    """
    order = get_order(change, order_id)
    due_at = order.due_at()
    if due_at is None:
        return Noop("state")
    if epoch not in {None, order.expiry_epoch}:
        return Noop("stale_timer")
    if change.now < due_at:
        return Noop("early", until=due_at)
    closed, released = close_order(
        change, order, OrderStatus.EXPIRED, order.expiry_reason
    )
    notices.tell_expired(change, closed)
    observe(change.work, "order_expiry_late_seconds", change.now - due_at)
    return Expired(closed, released, (change.now - due_at) // MS)


def cancel(
    change: Change, order_id: str, by: Literal["customer", "ops"]
) -> Order | Noop:
    """Cancel an order. Once a supplier is bound, only operations may.

    Raises:
        PermanentError: no such order.
    """
    order = get_order(change, order_id)
    allowed = EXPIRABLE | {OrderStatus.CONFIRMED} if by == "ops" else EXPIRABLE
    if order.status not in allowed:
        return Noop("state")
    closed, _ = close_order(change, order, OrderStatus.CANCELLED, f"{by}_cancelled")
    return closed


def get_order(change: Change, order_id: str) -> Order:
    """Return an order.

    Raises:
        PermanentError: no such order.
    """
    found = change.work.orders.get(order_id)
    if found is None:
        raise PermanentError(NOT_FOUND, f"no order {order_id}")
    return found


def _priced(change: Change, wanted: NewOrder) -> Order:
    customer = change.work.customers.get(wanted.customer_id)
    if customer is None or customer.phone is None:
        text = f"no customer {wanted.customer_id} with a phone number"
        raise PermanentError(NOT_FOUND, text)
    if customer.status is not PartyStatus.ACTIVE:
        code = "customer_blocked"
        raise PermanentError(code, f"customer {customer.id} is {customer.status}")
    if not wanted.lines:
        code = "invalid_order"
        raise PermanentError(code, f"order {wanted.id} has no lines")
    sums = totals(wanted.lines)
    return Order(
        id=wanted.id,
        customer_id=customer.id,
        customer_phone=customer.phone,
        area=customer.area,
        mode=wanted.mode,
        payment_mode=wanted.payment_mode,
        total_paisa=sums.total_paisa,
        vat_paisa=sums.vat_paisa,
        ceiling_paisa=supply_ceiling(sums.subtotal_paisa, change.terms.max_supply_bps),
        placed_at=change.now,
        expires_at=change.now + change.terms.payment_ttl,
    )


def _on_credit(change: Change, order: Order) -> Order:
    customer_id = order.customer_id or ""
    credit = change.work.credit
    if credit.hold(customer_id, order.id, order.total_paisa, change.now):
        return secure(change, order, order)
    closed, _ = close_order(change, order, OrderStatus.CANCELLED, "credit_refused")
    return closed


def _cover_by_advance(change: Change, order: Order) -> bool:
    """Bind free money of the customer to the order, if it is enough."""
    free = change.work.payments.unallocated_of(order.customer_id or "")
    if sum(payment.unallocated_paisa for payment in free) < order.total_paisa:
        return False
    covered = 0
    for payment in free:
        if covered < order.total_paisa:
            covered += payment.unallocated_paisa
            change.work.payments.move(payment, replace(payment, order_id=order.id))
    return True
