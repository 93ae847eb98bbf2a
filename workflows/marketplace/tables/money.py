"""Credit, invoices and payments."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
)

from workflows.marketplace.billing import InvoiceStatus, PaymentMethod, PaymentState
from workflows.marketplace.credit import CreditStatus, HoldStatus
from workflows.marketplace.tables.schema import metadata
from workflows.marketplace.tables.types import choice, key, moment, money

credit_accounts = Table(
    "credit_accounts",
    metadata,
    key("id", primary=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, unique=True),
    money("limit_paisa"),
    money("balance_paisa"),
    money("held_paisa"),
    Column("terms_days", Integer, nullable=False),
    choice("status", CreditStatus),
    Column("hold_reason", String(40)),
    Column("version", Integer, nullable=False),
    CheckConstraint("limit_paisa >= 0 AND held_paisa >= 0"),
    CheckConstraint("terms_days BETWEEN 0 AND 120"),
    CheckConstraint("(status = 'on_hold') = (hold_reason IS NOT NULL)"),
)

credit_holds = Table(
    "credit_holds",
    metadata,
    key("order_id", primary=True),
    Column("account_id", ForeignKey("credit_accounts.id"), nullable=False),
    money("amount_paisa"),
    moment("created_at"),
    choice("status", HoldStatus),
    moment("closed_at", nullable=True),
    CheckConstraint("amount_paisa > 0"),
    CheckConstraint("(status = 'active') = (closed_at IS NULL)"),
    Index("ix_credit_holds_account", "account_id", "status"),
)

invoices = Table(
    "invoices",
    metadata,
    key("id", primary=True),
    Column("number", String(32), nullable=False, unique=True),
    Column("order_id", String(64), nullable=False, unique=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    money("subtotal_paisa"),
    money("vat_paisa"),
    money("total_paisa"),
    Column("issued_on", Date, nullable=False),
    Column("due_on", Date, nullable=False),
    money("settled_paisa"),
    choice("status", InvoiceStatus),
    Column("disputed", Boolean, nullable=False),
    Column("reminder_level", Integer, nullable=False),
    Column("reminders_paused_until", Date),
    Column("version", Integer, nullable=False),
    CheckConstraint("total_paisa = subtotal_paisa + vat_paisa AND total_paisa > 0"),
    CheckConstraint("settled_paisa BETWEEN 0 AND total_paisa"),
    CheckConstraint("due_on >= issued_on AND reminder_level BETWEEN 0 AND 4"),
    CheckConstraint(
        "status NOT IN ('open', 'paid')"
        " OR (status = 'paid') = (settled_paisa = total_paisa)"
    ),
    Index("ix_invoices_due", "status", "due_on"),
    Index("ix_invoices_customer", "customer_id", "status"),
)

invoice_reminders = Table(
    "invoice_reminders",
    metadata,
    Column("invoice_id", ForeignKey("invoices.id"), primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("business_date", Date, nullable=False),
    Column("days_overdue", Integer, nullable=False),
    money("outstanding_paisa"),
    Column("message_key", String(160)),
    moment("at"),
    UniqueConstraint("invoice_id", "business_date"),
    CheckConstraint("level BETWEEN 1 AND 4 AND outstanding_paisa > 0"),
)

payments = Table(
    "payments",
    metadata,
    key("id", primary=True),
    Column("provider", String(16), nullable=False),
    Column("provider_ref", String(80), nullable=False),
    choice("method", PaymentMethod),
    money("amount_paisa"),
    moment("received_at"),
    Column("customer_id", ForeignKey("customers.id")),
    Column("order_id", String(64)),
    money("allocated_paisa"),
    choice("status", PaymentState),
    Column("version", Integer, nullable=False),
    UniqueConstraint("provider", "provider_ref"),
    CheckConstraint("amount_paisa > 0"),
    CheckConstraint("allocated_paisa BETWEEN 0 AND amount_paisa"),
    Index("ix_payments_order", "order_id"),
    Index("ix_payments_customer", "customer_id", "status"),
)

allocations = Table(
    "allocations",
    metadata,
    Column("payment_id", ForeignKey("payments.id"), primary_key=True),
    Column("invoice_id", ForeignKey("invoices.id"), primary_key=True),
    money("amount_paisa"),
    moment("at"),
    CheckConstraint("amount_paisa > 0"),
    Index("ix_allocations_invoice", "invoice_id"),
)
