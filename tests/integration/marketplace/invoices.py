"""Invoices from before the story."""

from datetime import date

from tests.integration.marketplace.shop import Shop
from workflows.marketplace.billing import Invoice
from workflows.marketplace.change import Change
from workflows.marketplace.rules.postings import invoice_issued
from workflows.marketplace.transitions import credit


def invoice(
    shop: Shop, name: str, due: date, total: int, customer: str = "cus_1"
) -> Invoice:
    """Issue an invoice of an order of its own, posted as sold."""
    made = Invoice(
        id=name,
        number=name,
        order_id=f"order of {name}",
        customer_id=customer,
        subtotal_paisa=total,
        vat_paisa=0,
        total_paisa=total,
        issued_on=date(2026, 11, 1),
        due_on=due,
    )

    def add(change: Change) -> None:
        assert change.work.invoices.add(made)
        posting = invoice_issued(name, customer, subtotal_paisa=total, vat_paisa=0)
        credit.post(change, posting)

    shop.market.run("test", add)
    return made
