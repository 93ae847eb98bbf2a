"""Invoices, payments, and which pays which."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class InvoiceStatus(StrEnum):
    """Whether an invoice is owed."""

    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    WRITTEN_OFF = "written_off"


class PaymentState(StrEnum):
    """Where a payment is with its provider."""

    INITIATED = "initiated"
    PENDING = "pending"
    CAPTURED = "captured"
    FAILED = "failed"
    REFUNDED = "refunded"


class PaymentMethod(StrEnum):
    """How money comes; a credit note takes back a part of an invoice."""

    WALLET = "wallet"
    BANK = "bank"
    CASH = "cash"
    CREDIT_NOTE = "credit_note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """Issued at delivery. `settled_paisa` is a cache of its allocations."""

    id: str
    number: str
    order_id: str
    customer_id: str
    subtotal_paisa: int
    vat_paisa: int
    total_paisa: int
    issued_on: date
    due_on: date
    settled_paisa: int = 0
    status: InvoiceStatus = InvoiceStatus.OPEN
    disputed: bool = False
    reminder_level: int = 0
    reminders_paused_until: date | None = None
    version: int = 1

    @property
    def outstanding_paisa(self) -> int:
        """What is still owed."""
        return self.total_paisa - self.settled_paisa


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceReminder:
    """A level of reminder that an invoice has had."""

    invoice_id: str
    level: int
    business_date: date
    days_overdue: int
    outstanding_paisa: int
    message_key: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money received, or a credit note; unique by provider and its reference."""

    id: str
    provider: str
    provider_ref: str
    method: PaymentMethod
    amount_paisa: int
    received_at: datetime
    customer_id: str | None = None
    order_id: str | None = None
    allocated_paisa: int = 0
    status: PaymentState = PaymentState.INITIATED
    version: int = 1

    @property
    def unallocated_paisa(self) -> int:
        """What no invoice has taken yet."""
        return self.amount_paisa - self.allocated_paisa


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """So much of a payment pays an invoice."""

    payment_id: str
    invoice_id: str
    amount_paisa: int
    at: datetime
