"""Which invoices a receipt pays: the oldest first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from workflows.marketplace.rules.money import paisa


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What is left of one invoice."""

    invoice_id: str
    due_on: date
    outstanding_paisa: int


def allocate(amount_paisa: int, invoices: Iterable[Owed]) -> list[tuple[str, int]]:
    """Return `(invoice, amount)` in order of due date, then id.

    Never more than an invoice is owed, never more than there is; what is left over
    stays the customer's advance.
    """
    left = paisa(amount_paisa)
    taken = []
    for owed in sorted(invoices, key=lambda o: (o.due_on, o.invoice_id)):
        take = min(left, owed.outstanding_paisa)
        if take > 0:
            taken.append((owed.invoice_id, take))
            left -= take
    return taken
