"""An order, as far as its deadline is concerned."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

INGEST_GRACE = timedelta(seconds=20)  # an answer sent in time may still be on its way


class OrderStatus(StrEnum):
    """Where an order is."""

    PENDING_PAYMENT = "pending_payment"
    PLACED = "placed"
    BIDDING = "bidding"
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    FALLBACK = "fallback"
    CONFIRMED = "confirmed"
    DELIVERED = "delivered"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


EXPIRABLE = frozenset(
    {
        OrderStatus.PENDING_PAYMENT,
        OrderStatus.PLACED,
        OrderStatus.BIDDING,
        OrderStatus.AWAITING_CONFIRMATION,
        OrderStatus.FALLBACK,
    }
)
ANSWERABLE = frozenset({OrderStatus.BIDDING, OrderStatus.AWAITING_CONFIRMATION})


_CLOSED = frozenset({OrderStatus.EXPIRED, OrderStatus.CANCELLED})
MOVES: dict[OrderStatus, frozenset[OrderStatus]] = {  # every other move is a fault
    OrderStatus.PENDING_PAYMENT: _CLOSED | {OrderStatus.PLACED},
    OrderStatus.PLACED: _CLOSED
    | {OrderStatus.BIDDING, OrderStatus.AWAITING_CONFIRMATION},
    OrderStatus.BIDDING: _CLOSED
    | {OrderStatus.AWAITING_CONFIRMATION, OrderStatus.FALLBACK},
    OrderStatus.AWAITING_CONFIRMATION: _CLOSED
    | {OrderStatus.CONFIRMED, OrderStatus.FALLBACK},
    OrderStatus.FALLBACK: _CLOSED | {OrderStatus.AWAITING_CONFIRMATION},
    OrderStatus.CONFIRMED: frozenset(
        {OrderStatus.DELIVERED, OrderStatus.FALLBACK, OrderStatus.CANCELLED}
    ),
    OrderStatus.DELIVERED: frozenset({OrderStatus.COMPLETED}),
    OrderStatus.COMPLETED: frozenset(),
    OrderStatus.EXPIRED: frozenset({OrderStatus.PLACED}),
    OrderStatus.CANCELLED: frozenset(),
}


class PaymentStatus(StrEnum):
    """Where the money is."""

    UNPAID = "unpaid"
    PARTIAL = "partial"
    PAID = "paid"
    ON_CREDIT = "on_credit"
    REFUND_DUE = "refund_due"
    REFUNDED = "refunded"


class OrderMode(StrEnum):
    """How a supplier is found."""

    BIDDING = "bidding"
    DIRECT = "direct"  # by the vendors' price lists


class PaymentMode(StrEnum):
    """When the customer pays."""

    PREPAID = "prepaid"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order. Money is integer paisa.

    The total is fixed for the customer at placement; `ceiling_paisa` is the most that
    a supplier may be paid, before tax. `area` is where it is delivered.

    `expiry_epoch` grows whenever `expires_at` changes, so that a timer set for an
    earlier deadline can be told from the current one.
    """

    id: str
    customer_phone: str
    total_paisa: int
    placed_at: datetime
    expires_at: datetime | None
    status: OrderStatus = OrderStatus.PENDING_PAYMENT
    payment_status: PaymentStatus = PaymentStatus.UNPAID
    paid_paisa: int = 0
    expiry_epoch: int = 1
    closed_reason: str | None = None
    customer_id: str | None = None
    area: str = ""
    mode: OrderMode = OrderMode.BIDDING
    payment_mode: PaymentMode = PaymentMode.PREPAID
    vat_paisa: int = 0
    ceiling_paisa: int = 0

    @property
    def subtotal_paisa(self) -> int:
        """The price before tax."""
        return self.total_paisa - self.vat_paisa

    def due_at(self) -> datetime | None:
        """When it expires, the grace for answers under way included; None: never."""
        if self.expires_at is None or self.status not in EXPIRABLE:
            return None
        grace = INGEST_GRACE if self.status in ANSWERABLE else timedelta(0)
        return self.expires_at + grace

    @property
    def expiry_reason(self) -> str:
        """Why it closes if it expires now."""
        if self.status is OrderStatus.PENDING_PAYMENT:
            return "unpaid"
        return "no_supplier" if self.status is OrderStatus.FALLBACK else "deadline"

    def expired(self) -> "Order":
        """Closed by its deadline; money received (also a part) is due for refund."""
        return replace(
            self,
            status=OrderStatus.EXPIRED,
            closed_reason=self.expiry_reason,
            payment_status=(
                PaymentStatus.REFUND_DUE if self.paid_paisa else self.payment_status
            ),
        )

    def paid(self, amount_paisa: int, *, deadline: datetime) -> "Order":
        """The order after money was received, whatever state it is in.

        Full payment of a pending order places it: a new deadline, the next epoch.
        Money for a closed order is due for refund.
        """
        order = replace(self, paid_paisa=self.paid_paisa + amount_paisa)
        if order.status in {OrderStatus.EXPIRED, OrderStatus.CANCELLED}:
            return replace(order, payment_status=PaymentStatus.REFUND_DUE)
        if order.paid_paisa < order.total_paisa:
            return replace(order, payment_status=PaymentStatus.PARTIAL)
        order = replace(order, payment_status=PaymentStatus.PAID)
        if order.status is not OrderStatus.PENDING_PAYMENT:
            return order
        return replace(
            order,
            status=OrderStatus.PLACED,
            expires_at=deadline,
            expiry_epoch=order.expiry_epoch + 1,
        )
