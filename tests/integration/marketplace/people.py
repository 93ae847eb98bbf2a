"""The people of fixture F0."""

from workflows.marketplace.credit import CreditAccount
from workflows.marketplace.parties import (
    Customer,
    Supplier,
    SupplierKind,
    SupplierPrice,
)
from workflows.marketplace.rules.pricing import Line
from workflows.marketplace.sql.work import SqlWork

LINES = (
    Line(product_id="noodles", quantity=20, unit_price_paisa=90_000, vat_bps=1300),
    Line(product_id="oil", quantity=10, unit_price_paisa=250_000, vat_bps=1300),
)
CUSTOMER = Customer(
    id="cus_1", name="Himalaya Kirana Pasal", area="KTM", phone="+9779841000001"
)
CREDIT = CreditAccount(id="cra_1", customer_id="cus_1", limit_paisa=20_000_000)


def _supplier(letter: str, number: int, kind: SupplierKind) -> Supplier:
    return Supplier(
        id=f"sup_{letter}",
        kind=kind,
        name=f"Supplier {letter}",
        areas=("KTM",),
        phone=f"+977984200000{number}",
        priority=10 * number,
    )


WHOLESALERS = tuple(
    _supplier(letter, number, SupplierKind.WHOLESALER)
    for number, letter in enumerate("ABC", start=3)
)
VENDORS = tuple(
    _supplier(letter, number, SupplierKind.VENDOR)
    for number, letter in enumerate("VW", start=1)
)
PRICES = {  # sup_V asks 40,100.00 for the order of F0, sup_W 41,000.00
    ("sup_V", "noodles"): 80_000,
    ("sup_V", "oil"): 241_000,
    ("sup_W", "noodles"): 80_000,
    ("sup_W", "oil"): 250_000,
}


def move_in(work: SqlWork) -> None:
    """Add everybody, with price lists and the credit account."""
    assert work.customers.add(CUSTOMER)
    for supplier in (*WHOLESALERS, *VENDORS):
        assert work.suppliers.add(supplier)
    for (supplier_id, product_id), price in PRICES.items():
        assert work.prices.add(
            SupplierPrice(
                supplier_id=supplier_id, product_id=product_id, price_paisa=price
            )
        )
    assert work.credit_accounts.add(CREDIT)
