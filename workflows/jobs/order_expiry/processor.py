"""Closes orders that ran out of time.

The order and the message about it change in one transaction. The message's job is
added afterwards: this job ends only when that is done, so a crash in between makes
it run again, find the order closed, and add the job then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from workflows.exceptions import Snooze
from workflows.jobs.order_expiry import policy
from workflows.jobs.order_expiry.payload import OrderExpiry
from workflows.marketplace.content import TemplateContent
from workflows.marketplace.errors import NOT_FOUND, PermanentError
from workflows.marketplace.message import Clock, Message
from workflows.marketplace.order import Order
from workflows.marketplace.ports import JobQueue, Storage, Work

MS = timedelta(milliseconds=1)
REASON_TEXT = {
    "unpaid": "it was not paid in time",
    "no_supplier": "no supplier could take it",
    "deadline": "it could not be served in time",
}


@dataclass(frozen=True, slots=True)
class Expired:
    """The order was closed now."""

    order: Order
    late_by_ms: int


@dataclass(frozen=True, slots=True)
class Untouched:
    """Nothing to do, or nothing to do before `until`."""

    why: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderExpirer:
    """Processes `order-expiry`; share one among threads."""

    storage: Storage
    queue: JobQueue
    clock: Clock
    new_id: Callable[[], str]

    def run(self, payload: OrderExpiry) -> dict[str, object]:
        """Expire the order if it is due; safe to repeat at any point.

        Raises:
            Snooze: it is not due yet; no attempt spent.
            PermanentError: no such order.
            StoreUnavailableError: database or queue is not available.
        """
        now = self.clock()
        with self.storage.begin() as work:
            outcome = self._expire(work, payload, now)
            messages = work.messages.queued_of_order(payload.order_id)
        for message in messages:
            self.queue.enqueue(message)
        if isinstance(outcome, Expired):
            return {
                "orderId": payload.order_id,
                "outcome": "done",
                "reason": outcome.order.closed_reason,
                "released": {"refundDuePaisa": outcome.order.paid_paisa},
                "lateByMs": outcome.late_by_ms,
            }
        if outcome.until is not None:
            raise Snooze(outcome.until - now, outcome.why)
        return {"orderId": payload.order_id, "outcome": f"noop:{outcome.why}"}

    def _expire(
        self, work: Work, payload: OrderExpiry, now: datetime
    ) -> Expired | Untouched:
        order = work.orders.get(payload.order_id)
        if order is None:
            raise PermanentError(NOT_FOUND, f"no order {payload.order_id}")
        due_at = order.due_at()
        if due_at is None:
            return Untouched("state")
        if payload.expiry_epoch not in {None, order.expiry_epoch}:
            return Untouched("stale_timer")
        if now < due_at:
            return Untouched("early", until=due_at)
        expired = order.expired()
        if not work.orders.save(order, expired):
            return Untouched("lost_race")
        work.messages.add(self._notice(expired, now))
        return Expired(expired, (now - due_at) // MS)

    def _notice(self, order: Order, now: datetime) -> Message:
        reason = REASON_TEXT[order.closed_reason or "deadline"]
        return Message(
            id=f"msg_{self.new_id()}",
            dedupe_key=f"order_expired:{order.id}",
            purpose="order_expired",
            to_phone=order.customer_phone,
            to_bsuid=None,
            content=TemplateContent(
                name="order_expired_v1", body_params=(order.id, reason)
            ),
            fallback=None,
            delivery="at_least_once",
            order_id=order.id,
            not_before=None,
            not_after=now + policy.MESSAGE_LIFETIME,
            created_at=now,
        )
