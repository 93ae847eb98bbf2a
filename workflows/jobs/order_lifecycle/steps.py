"""What an order needs next, and when: read from its rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, time

from workflows.jobs.order_expiry.processor import DEFERRAL, DEFERRED
from workflows.marketplace.change import Change
from workflows.marketplace.confirmation import Confirmation, ConfirmationStatus
from workflows.marketplace.order import Order, OrderStatus
from workflows.marketplace.rules.business_time import local_instant
from workflows.marketplace.transitions.offers import next_look
from workflows.marketplace.transitions.orders import get_order

CLOSED = frozenset({OrderStatus.COMPLETED, OrderStatus.EXPIRED, OrderStatus.CANCELLED})


@dataclass(frozen=True, slots=True)
class Step:
    """An activity to run at a time. `subject` is the id of what it acts on."""

    activity: str
    subject: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """An order as it is `now`. `over`: nothing will follow; else no step is a wait.

    `speed`: how fast the marketplace's clock goes, by which its spans get shorter.
    """

    status: str
    now: datetime
    step: Step | None
    over: bool
    speed: float = 1.0


def look(change: Change, order_id: str) -> Seen:
    """Return where an order is, and its next step.

    Raises:
        PermanentError: no such order.
    """
    order = get_order(change, order_id)
    steps = _STEPS.get(order.status, _nothing)(change, order)
    step = min(steps, key=lambda each: each.at, default=None)
    handed_over = order.status is OrderStatus.DELIVERED and step is None
    over = order.status in CLOSED or handed_over
    return Seen(order.status, change.now, step, over)


def delivery_question(offer: Confirmation) -> str:
    """Return the key of the task for a person: where are the goods?"""
    return f"delivery_overdue:{offer.id}"


def collection(order_id: str) -> str:
    """Return the key of the task for a person: collect the debt."""
    return f"collect:{order_id}"


def _nothing(_change: Change, _order: Order) -> Iterable[Step]:
    return ()


def _deadline(change: Change, order: Order) -> Iterable[Step]:
    due_at = order.due_at()
    if due_at is None:
        return
    for event in change.work.events.of_order(order.id):
        if event.type == DEFERRED and event.data["epoch"] == order.expiry_epoch:
            due_at = max(due_at, event.at + DEFERRAL)
    yield Step("expire-order", order.id, due_at)


def _bidding(change: Change, order: Order) -> Iterable[Step]:
    yield from _deadline(change, order)
    found = change.work.rounds.open_of(order.id)
    if found is not None:
        closes_at = found.closes_at + change.terms.ingest_grace
        yield Step("close-round", found.id, closes_at)


def _offered(change: Change, order: Order) -> Iterable[Step]:
    yield from _deadline(change, order)
    offer = change.work.confirmations.live_of(order.id)
    if offer is not None and offer.status is ConfirmationStatus.PENDING:
        # The half time may be over: then it is due now, whatever the clock.
        yield Step("look-after-offer", offer.id, next_look(change, offer))


def _searching(change: Change, order: Order) -> Iterable[Step]:
    overdue = [s for s in _deadline(change, order) if s.at <= change.now]
    return overdue or [Step("find-supplier", order.id, order.placed_at)]


def _confirmed(change: Change, order: Order) -> Iterable[Step]:
    offer = change.work.confirmations.live_of(order.id)
    if offer is None or change.work.tasks.get(delivery_question(offer)) is not None:
        return
    since = offer.answered_at or offer.requested_at
    yield Step("ask-about-delivery", offer.id, since + change.terms.delivery_within)


def _delivered(change: Change, order: Order) -> Iterable[Step]:
    invoice = change.work.invoices.of_order(order.id)
    if invoice is None or change.work.tasks.get(collection(order.id)) is not None:
        return
    due_at = local_instant(invoice.due_on, time(9), change.terms.zone)
    yield Step("hand-to-collections", order.id, due_at + change.terms.collect_after)


_STEPS: dict[OrderStatus, Callable[[Change, Order], Iterable[Step]]] = {
    OrderStatus.PENDING_PAYMENT: _deadline,
    OrderStatus.PLACED: _deadline,
    OrderStatus.BIDDING: _bidding,
    OrderStatus.AWAITING_CONFIRMATION: _offered,
    OrderStatus.FALLBACK: _searching,
    OrderStatus.CONFIRMED: _confirmed,
    OrderStatus.DELIVERED: _delivered,
}
