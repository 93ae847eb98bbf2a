"""Orders and their lines.

Nothing refers to `orders` by a foreign key: a user may keep his orders in a table of
his own (see `workflows.marketplace.ports.OrderRepository`).
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
)

from workflows.marketplace.order import (
    OrderMode,
    OrderStatus,
    PaymentMode,
    PaymentStatus,
)
from workflows.marketplace.tables.schema import metadata
from workflows.marketplace.tables.types import (
    Choice,
    Paisa,
    UtcDateTime,
    key,
    money,
    one_of,
)

orders = Table(
    "orders",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("customer_phone", String(16), nullable=False),
    Column("total_paisa", Paisa, nullable=False),
    Column("placed_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("status", Choice(OrderStatus, 32), nullable=False),
    Column("payment_status", Choice(PaymentStatus, 16), nullable=False),
    Column("paid_paisa", Paisa, nullable=False),
    Column("expiry_epoch", Integer, nullable=False),
    Column("closed_reason", String(40)),
    Column("customer_id", String(64), ForeignKey("customers.id")),
    Column("area", String(16), nullable=False, server_default=""),
    Column(
        "mode",
        Choice(OrderMode, 16),
        one_of("mode", OrderMode),
        nullable=False,
        server_default="bidding",
    ),
    Column(
        "payment_mode",
        Choice(PaymentMode, 16),
        one_of("payment_mode", PaymentMode),
        nullable=False,
        server_default="prepaid",
    ),
    Column(
        "vat_paisa",
        Paisa,
        CheckConstraint("vat_paisa >= 0 AND vat_paisa < total_paisa"),
        nullable=False,
        server_default="0",
    ),
    Column(
        "ceiling_paisa",
        Paisa,
        CheckConstraint("ceiling_paisa >= 0"),
        nullable=False,
        server_default="0",
    ),
    one_of("status", OrderStatus),
    one_of("payment_status", PaymentStatus),
    CheckConstraint("total_paisa > 0 AND paid_paisa >= 0 AND expiry_epoch >= 1"),
    CheckConstraint(
        "status NOT IN ('expired', 'cancelled') OR closed_reason IS NOT NULL"
    ),
    Index("ix_orders_due", "status", "expires_at"),
)

order_items = Table(
    "order_items",
    metadata,
    key("order_id", primary=True),
    Column("line_no", Integer, primary_key=True),
    key("product_id"),
    Column("quantity", Integer, nullable=False),
    money("unit_price_paisa"),
    Column("vat_bps", Integer, nullable=False),
    CheckConstraint("quantity BETWEEN 1 AND 100000 AND unit_price_paisa > 0"),
    CheckConstraint("vat_bps BETWEEN 0 AND 10000"),
)
