"""Closes orders that ran out of time.

Before an unpaid order is closed, the provider of a payment under way is asked once
more: the money may be there and the news of it late.
"""

from dataclasses import dataclass
from datetime import timedelta

from workflows.exceptions import Snooze
from workflows.jobs.order_expiry.payload import OrderExpiry
from workflows.marketplace.billing import Payment, PaymentState
from workflows.marketplace.change import Change, Marketplace
from workflows.marketplace.order import OrderStatus
from workflows.marketplace.ports import PaymentsPort
from workflows.marketplace.transitions.orders import Expired, expire
from workflows.marketplace.transitions.payments import (
    OPEN_WITH_PROVIDER,
    Receipt,
    capture,
)

ACTOR = "job:order-expiry"
DEFERRAL = timedelta(minutes=5)
YOUNG = timedelta(minutes=30)  # an older payment under way will not come any more
DEFERRED = "expiry_deferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderExpirer:
    """Processes `order-expiry`; share one among threads."""

    marketplace: Marketplace
    payments: PaymentsPort
    actor: str = ACTOR

    def run(self, payload: OrderExpiry) -> dict[str, object]:
        """Expire the order if it is due; safe to repeat at any point.

        Raises:
            Snooze: it is not due yet, or a payment is under way; no attempt spent.
            PermanentError: no such order.
            StoreUnavailableError: database or queue is not available.
        """
        shop = self.marketplace
        for payment in shop.run(self.actor, under_way, payload):
            self._look_up(payload, payment)
        outcome = shop.run(self.actor, expire, payload.order_id, payload.expiry_epoch)
        if isinstance(outcome, Expired):
            return {
                "orderId": payload.order_id,
                "outcome": "done",
                "reason": outcome.order.closed_reason,
                "released": outcome.released.as_json(),
                "lateByMs": outcome.late_by_ms,
            }
        if outcome.until is not None:
            raise Snooze(outcome.until - shop.clock(), outcome.why)
        return {"orderId": payload.order_id, "outcome": str(outcome)}

    def _look_up(self, payload: OrderExpiry, payment: Payment) -> None:
        found = self.payments.lookup(payment.provider, payment.provider_ref)
        if found is None or found.state in OPEN_WITH_PROVIDER:
            if self.marketplace.run(self.actor, defer_once, payload):
                raise Snooze(DEFERRAL, "payment_under_way")
        elif found.state is PaymentState.CAPTURED:
            receipt = Receipt(
                provider=payment.provider,
                provider_ref=payment.provider_ref,
                amount_paisa=found.amount_paisa,
                paid_at=found.paid_at,
                customer_id=payment.customer_id or "",
                order_id=payment.order_id,
                method=payment.method,
            )
            self.marketplace.run(self.actor, capture, receipt)


def under_way(change: Change, payload: OrderExpiry) -> list[Payment]:
    """Return payments that may save an order which is due now."""
    order = change.work.orders.get(payload.order_id)
    if order is None or order.status is not OrderStatus.PENDING_PAYMENT:
        return []
    due_at = order.due_at()
    if due_at is None or change.now < due_at:
        return []
    if payload.expiry_epoch not in {None, order.expiry_epoch}:
        return []
    return [
        payment
        for payment in change.work.payments.of_order(order.id)
        if payment.status in OPEN_WITH_PROVIDER
        and change.now - payment.received_at < YOUNG
    ]


def defer_once(change: Change, payload: OrderExpiry) -> bool:
    """Give a payment under way five minutes more, once per deadline."""
    order = change.work.orders.get(payload.order_id)
    if order is None:
        return False
    for event in change.work.events.of_order(order.id):
        if event.type == DEFERRED and event.data["epoch"] == order.expiry_epoch:
            return False
    change.note(order.id, DEFERRED, epoch=order.expiry_epoch)
    return True
