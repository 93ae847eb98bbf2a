"""Whether what a message says is still true when it is about to be sent."""

from collections.abc import Callable
from datetime import datetime, timedelta

from workflows.marketplace.bidding import RoundStatus
from workflows.marketplace.confirmation import ConfirmationStatus
from workflows.marketplace.message import Message
from workflows.marketplace.order import OrderStatus
from workflows.marketplace.sql.work import SqlWork

TIME_TO_BID = timedelta(seconds=30)
Guard = Callable[[SqlWork, Message, datetime], bool]


def relevant(work: SqlWork, message: Message, now: datetime) -> bool:
    """Return whether a message is still worth sending."""
    guard = GUARDS.get(message.purpose)
    return guard is None or guard(work, message, now)


def _order_is_expired(work: SqlWork, message: Message, _now: datetime) -> bool:
    order = work.orders.get(message.order_id or "")
    return message.order_id is None or (
        order is not None and order.status is OrderStatus.EXPIRED
    )


def _round_is_open(work: SqlWork, message: Message, now: datetime) -> bool:
    found = work.rounds.get(message.subject or "")
    return message.subject is None or (
        found is not None
        and found.status is RoundStatus.OPEN
        and now < found.closes_at - TIME_TO_BID
    )


def _offer_is_pending(work: SqlWork, message: Message, now: datetime) -> bool:
    found = work.confirmations.get(message.subject or "")
    return message.subject is None or (
        found is not None
        and found.status is ConfirmationStatus.PENDING
        and now < found.respond_by
    )


def _same_amount_is_overdue(work: SqlWork, message: Message, _now: datetime) -> bool:
    """`subject`: the customer, the day and the paisa that the text speaks of."""
    if message.subject is None:
        return True
    customer_id, day, amount = message.subject.rsplit(":", 2)
    open_now = work.invoices.open_of(customer_id)
    overdue = [invoice for invoice in open_now if invoice.due_on.isoformat() < day]
    return sum(invoice.outstanding_paisa for invoice in overdue) == int(amount)


GUARDS: dict[str, Guard] = {
    "order_expired": _order_is_expired,
    "bid_invite": _round_is_open,
    "confirm_request": _offer_is_pending,
    "confirm_nudge": _offer_is_pending,
    "payment_reminder": _same_amount_is_overdue,
}
