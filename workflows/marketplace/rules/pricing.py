"""What an order costs: fixed for the customer when he places it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from workflows.marketplace.rules.money import paisa, share


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One position. `vat_bps`: 1300 is 13 %, 0 is exempt."""

    product_id: str
    quantity: int
    unit_price_paisa: int
    vat_bps: int

    @property
    def net_paisa(self) -> int:
        """The price before tax."""
        return self.quantity * paisa(self.unit_price_paisa)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The sums of an order."""

    taxable_paisa: int
    exempt_paisa: int
    vat_paisa: int

    @property
    def subtotal_paisa(self) -> int:
        """Before tax."""
        return self.taxable_paisa + self.exempt_paisa

    @property
    def total_paisa(self) -> int:
        """What the customer pays."""
        return self.subtotal_paisa + self.vat_paisa


def totals(lines: Iterable[Line]) -> Totals:
    """Add up; tax is rounded once per rate, never per line."""
    by_rate: defaultdict[int, int] = defaultdict(int)
    for line in lines:
        by_rate[line.vat_bps] += line.net_paisa
    return Totals(
        taxable_paisa=sum(net for rate, net in by_rate.items() if rate),
        exempt_paisa=by_rate.get(0, 0),
        vat_paisa=sum(share(net, rate) for rate, net in by_rate.items()),
    )


def supply_ceiling(subtotal_paisa: int, max_supply_bps: int) -> int:
    """The most a supplier may be paid, before tax: the rest is margin."""
    return share(subtotal_paisa, max_supply_bps)
