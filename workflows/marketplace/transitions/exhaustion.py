"""The end of the search for a supplier."""

from workflows.marketplace import notices
from workflows.marketplace.change import Change
from workflows.marketplace.metrics import count
from workflows.marketplace.order import Order, OrderStatus
from workflows.marketplace.transitions.release import close_order


def exhaust(change: Change, order: Order, reason: str) -> Order:
    """Close an order that nobody can deliver: `no_supplier` or `no_time`."""
    closed, _ = close_order(change, order, OrderStatus.EXPIRED, reason)
    notices.tell_expired(change, closed)
    count(change.work, "fallback_exhausted_total")
    change.ask_people(
        f"exhausted:{order.id}:{order.expiry_epoch}",
        "call",
        f"order:{order.id}",
        f"No supplier for order {order.id} ({reason}); call the customer.",
    )
    return closed
