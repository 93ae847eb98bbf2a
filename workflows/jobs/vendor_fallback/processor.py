"""Offers orders to the next supplier."""

from workflows.jobs.vendor_fallback.payload import VendorFallback
from workflows.marketplace.change import Marketplace, Noop
from workflows.marketplace.transitions.fallback import Exhausted, fall_back

ACTOR = "job:vendor-fallback"


def find_next(shop: Marketplace, payload: VendorFallback) -> dict[str, object]:
    """Offer the order to the next supplier; safe to repeat at any point.

    That nobody is left is no error: the order is closed, its customer told.

    Raises:
        PermanentError: no such order.
        StoreUnavailableError: database or queue is not available.
    """
    outcome = shop.run(
        ACTOR, fall_back, payload.order_id, payload.failed_attempt_no, payload.reason
    )
    if isinstance(outcome, Noop):
        return {"orderId": payload.order_id, "outcome": str(outcome)}
    if isinstance(outcome, Exhausted):
        return {
            "orderId": payload.order_id,
            "outcome": "exhausted",
            "reason": outcome.reason,
        }
    return {
        "orderId": payload.order_id,
        "outcome": "done",
        "attemptNo": outcome.attempt_no,
        "supplierId": outcome.supplier_id,
        "source": outcome.source,
        "amountPaisa": outcome.amount_paisa,
        "respondBy": outcome.respond_by.isoformat(),
    }
