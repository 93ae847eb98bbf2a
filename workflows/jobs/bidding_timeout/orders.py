"""The sweep of orders: past their deadline, or in a search that has stopped."""

from collections.abc import Sequence

from workflows.jobs.bidding_timeout import policy
from workflows.jobs.sweeping import Sweep
from workflows.marketplace.change import Change, Noop
from workflows.marketplace.order import OrderStatus
from workflows.marketplace.transitions.fallback import failed_attempt
from workflows.marketplace.transitions.offers import FALLBACK_QUEUE

EXPIRY_QUEUE = "order-expiry"
SWEPT = "search_swept"
LAGS = 2  # its own timer has the first try so long


def _overdue(change: Change, limit: int) -> Sequence[str]:
    before = change.now - LAGS * change.terms.sweep_lag
    late = change.work.orders.overdue(before, limit)
    due = [(order, order.due_at()) for order in late]
    return [order.id for order, at in due if at is not None and at <= before]


def _expire(change: Change, order_id: str) -> object:
    """Ask for the job that closes it: that one asks the provider first."""
    order = change.work.orders.get(order_id)
    if order is None or order.due_at() is None:
        return Noop("state")
    epoch = order.expiry_epoch
    job_id = f"{EXPIRY_QUEUE}:{order_id}:{epoch}:sweep"
    if change.work.outbox.get(job_id) is not None:
        return Noop("asked")
    payload = {"orderId": order_id, "expiryEpoch": epoch, "source": "sweeper"}
    change.later(EXPIRY_QUEUE, job_id, payload, change.now)
    return order


def _stuck(change: Change, limit: int) -> Sequence[str]:
    before = change.now - LAGS * change.terms.sweep_lag
    searching = change.work.orders.in_status(OrderStatus.FALLBACK, limit)
    stuck = []
    for order in searching:
        events = change.work.events.of_order(order.id)
        if events and events[-1].at <= before:
            stuck.append(order.id)
    return stuck


def _search_again(change: Change, order_id: str) -> object:
    """Ask for the search again, three times at most; then a person must look."""
    events = change.work.events.of_order(order_id)
    sweeps = sum(event.type == SWEPT for event in events)
    if sweeps >= policy.FALLBACK_SWEEPS:
        text = f"The search for a supplier of order {order_id} has stopped."
        change.ask_people(f"stuck:{order_id}", "look", f"order:{order_id}", text)
        return Noop("given_up")
    attempt, reason = failed_attempt(change, order_id)
    payload = {"orderId": order_id, "failedAttemptNo": attempt, "reason": reason}
    change.note(order_id, SWEPT, attempt=attempt)
    job_id = f"{FALLBACK_QUEUE}:{order_id}:{attempt}:sweep{sweeps + 1}"
    change.later(FALLBACK_QUEUE, job_id, payload, change.now)
    return attempt


def _leave(_change: Change, _order_id: str) -> None:
    """An order that fails is tried again by the next sweep."""


ORDERS = Sweep(
    kind="order", actor="sweeper:order", due=_overdue, act=_expire, failed=_leave
)
SEARCHES = Sweep(
    kind="search", actor="sweeper:order", due=_stuck, act=_search_again, failed=_leave
)
