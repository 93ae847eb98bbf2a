"""What lies behind the day: debts of last month, one overdue at each level."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from workflows.demo.people import LIMIT_PAISA
from workflows.marketplace.change import Change
from workflows.marketplace.confirmation import (
    Confirmation,
    ConfirmationStatus,
    OfferSource,
)
from workflows.marketplace.order import Order, OrderStatus, PaymentMode, PaymentStatus
from workflows.marketplace.parties import Customer, Supplier
from workflows.marketplace.rules.pricing import Line
from workflows.marketplace.transitions.delivery import deliver

OVERDUE_DAYS = (1, 3, 7, 14)
TERMS_DAYS = 15
NET_PAISA, VAT_PAISA = LIMIT_PAISA // 200, LIMIT_PAISA // 200 * 13 // 100


def plant_debts(
    change: Change, customers: Sequence[Customer], supplier: Supplier
) -> None:
    """Write orders that were delivered on credit so long ago that they are overdue."""
    for days, customer in zip(OVERDUE_DAYS, customers, strict=False):
        then = replace(change, now=change.now - timedelta(days=TERMS_DAYS + days))
        order = Order(
            id=f"old-{change.now:%Y%m%d}-{days}",
            customer_id=customer.id,
            customer_phone=customer.phone or "",
            area=customer.area,
            payment_mode=PaymentMode.CREDIT,
            payment_status=PaymentStatus.ON_CREDIT,
            status=OrderStatus.CONFIRMED,
            total_paisa=NET_PAISA + VAT_PAISA,
            vat_paisa=VAT_PAISA,
            ceiling_paisa=NET_PAISA,
            placed_at=then.now,
            expires_at=None,
        )
        line = Line(
            product_id="oil", quantity=1, unit_price_paisa=NET_PAISA, vat_bps=1300
        )
        if change.work.orders.add(order):
            change.work.orders.add_lines(order.id, [line])
            change.work.confirmations.add(_accepted(then, order, supplier))
            deliver(then, order.id)


def _accepted(then: Change, order: Order, supplier: Supplier) -> Confirmation:
    return Confirmation(
        id=f"cnf_{order.id}",
        order_id=order.id,
        attempt_no=1,
        supplier_id=supplier.id,
        source=OfferSource.DIRECT,
        amount_paisa=NET_PAISA * 9 // 10,
        requested_at=then.now,
        respond_by=then.now + then.terms.confirm_window,
        status=ConfirmationStatus.CONFIRMED,
        answered_at=then.now,
        nudged_at=None,
    )
