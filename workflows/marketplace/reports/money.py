"""Payments and debts."""

from collections import Counter
from datetime import date

from workflows.marketplace import tables
from workflows.marketplace.billing import PaymentMethod, PaymentState
from workflows.marketplace.reports.figures import Figures, Window
from workflows.marketplace.sql.work import SqlWork

BUCKETS = ((14, "14+"), (7, "7-13"), (3, "3-6"), (1, "1-2"))
RECEIVED = frozenset({PaymentState.CAPTURED, PaymentState.REFUNDED})


def payments(work: SqlWork, window: Window) -> Figures:
    """What came in and what was invoiced; at the day's end, what is owed."""
    received: Counter[str] = Counter()
    for payment in work.payments.where(window.holds(tables.payments.c.received_at)):
        if payment.status in RECEIVED and payment.method in _MONEY:
            received[payment.provider] += payment.amount_paisa
    issued = tables.invoices.c.issued_on == window.day
    overdue = _overdue(work, window)
    return Figures(
        flow={
            "capturedPaisa": dict(sorted(received.items())),
            "invoicedPaisa": work.invoices.total("total_paisa", issued),
        },
        state={
            "receivablesPaisa": work.ledger.receivables_before(window.end),
            "overduePaisa": dict(sorted(overdue.items())),
        },
    )


_MONEY = frozenset(PaymentMethod) - {PaymentMethod.CREDIT_NOTE}


def _overdue(work: SqlWork, window: Window) -> Counter[str]:
    """Return what was overdue at the day's end, by days."""
    found: Counter[str] = Counter()
    allocated = tables.allocations.c
    for invoice in work.invoices.where(tables.invoices.c.due_on < window.day):
        settled = work.allocations.total(
            "amount_paisa",
            allocated.invoice_id == invoice.id,
            allocated.at < window.end,
        )
        if invoice.total_paisa > settled:
            found[_bucket(window.day, invoice.due_on)] += invoice.total_paisa - settled
    return found


def _bucket(day: date, due_on: date) -> str:
    days = (day - due_on).days
    return next(name for least, name in BUCKETS if days >= least)
