"""Who takes part: the same people for the same numbers, whatever the day."""

from dataclasses import dataclass

from workflows.marketplace.credit import CreditAccount
from workflows.marketplace.parties import (
    Customer,
    Supplier,
    SupplierKind,
    SupplierPrice,
)
from workflows.marketplace.sql.work import SqlWork

AREAS = ("KTM", "LAL", "BKT")
SHOPS = ("Himalaya", "Annapurna", "Everest", "Machhapuchhre", "Langtang", "Makalu")
PRODUCTS = {  # prices in paisa, before tax; rice and lentils are exempt
    "noodles": (90_000, 1300),
    "oil": (250_000, 1300),
    "sugar": (98_000, 1300),
    "tea": (60_000, 1300),
    "rice": (180_000, 0),
    "lentils": (145_000, 0),
}
NOT_ON_WHATSAPP = "+9779800131026"
OPTED_OUT = "+9779800131050"
LIMIT_PAISA = 60_000_000


@dataclass(frozen=True, slots=True)
class People:
    """Everybody."""

    customers: tuple[Customer, ...]
    suppliers: tuple[Supplier, ...]
    prices: tuple[SupplierPrice, ...]
    accounts: tuple[CreditAccount, ...]

    def move_in(self, work: SqlWork) -> None:
        """Add everybody; who is there already stays as he is."""
        for customer in self.customers:
            work.customers.add(customer)
        for supplier in self.suppliers:
            work.suppliers.add(supplier)
        for price in self.prices:
            work.prices.add(price)
        for account in self.accounts:
            work.credit_accounts.add(account)


def people(customers: int, wholesalers: int, vendors: int) -> People:
    """Return so many customers; wholesalers and vendors are so many per area.

    One customer has opted out of messages, one wholesaler is not on WhatsApp at all.
    """
    bidders = [_wholesaler(n, area) for n in range(wholesalers) for area in AREAS]
    listed = [_vendor(n, area) for n in range(vendors) for area in AREAS]
    shops = tuple(_customer(n) for n in range(customers))
    return People(
        customers=shops,
        suppliers=(*bidders, *listed),
        prices=tuple(price for one in listed for price in _prices(one)),
        accounts=tuple(
            CreditAccount(
                id=f"cra_{shop.id}", customer_id=shop.id, limit_paisa=LIMIT_PAISA
            )
            for shop in shops
        ),
    )


def _customer(number: int) -> Customer:
    return Customer(
        id=f"cus_{number:03}",
        name=f"{SHOPS[number % len(SHOPS)]} Kirana {number}",
        area=AREAS[number % len(AREAS)],
        phone=OPTED_OUT if number == 7 else f"+977984{1_000_000 + number}",
    )


def _wholesaler(number: int, area: str) -> Supplier:
    absent = (number, area) == (1, "LAL")
    return Supplier(
        id=f"who_{area}_{number}",
        kind=SupplierKind.WHOLESALER,
        name=f"{area} Wholesale {number}",
        areas=(area,),
        phone=NOT_ON_WHATSAPP if absent else _phone("985", area, number),
    )


def _vendor(number: int, area: str) -> Supplier:
    return Supplier(
        id=f"ven_{area}_{number}",
        kind=SupplierKind.VENDOR,
        name=f"{area} Depot {number}",
        areas=(area,),
        phone=_phone("986", area, number),
        priority=10 * (number + 1),
    )


def _phone(prefix: str, area: str, number: int) -> str:
    return f"+977{prefix}{1_000_000 + 1000 * AREAS.index(area) + number}"


def _prices(vendor: Supplier) -> list[SupplierPrice]:
    share = 86 + vendor.priority // 10  # percent of what customers pay
    return [
        SupplierPrice(
            supplier_id=vendor.id, product_id=product, price_paisa=price * share // 100
        )
        for product, (price, _) in PRODUCTS.items()
    ]
