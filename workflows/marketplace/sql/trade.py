"""Parties, bidding rounds and offers."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, or_, select

from workflows.marketplace import tables
from workflows.marketplace.bidding import Bid, BidStatus, Invitation, Round, RoundStatus
from workflows.marketplace.confirmation import LIVE, Confirmation, ConfirmationStatus
from workflows.marketplace.parties import (
    Customer,
    PartyStatus,
    Strike,
    Supplier,
    SupplierKind,
    SupplierPrice,
)
from workflows.marketplace.rules.offers import StandingOffer
from workflows.marketplace.rules.pricing import Line
from workflows.marketplace.sql.rows import Rows

POISONED = 3  # failures in a row; then no sweep touches it any more


class Customers(Rows[Customer]):
    """Who orders."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.customers, Customer)


class Suppliers(Rows[Supplier]):
    """Who delivers."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.suppliers, Supplier, ("status",))

    def active(self, kind: SupplierKind, area: str) -> list[Supplier]:
        """Return the suppliers of a kind that serve an area, by id."""
        table = tables.suppliers
        found = self.where(
            table.c.kind == kind,
            table.c.status == PartyStatus.ACTIVE,
            order_by=(table.c.id,),
        )
        return [supplier for supplier in found if area in supplier.areas]

    def by_address(self, address: str) -> Supplier | None:
        """Return the supplier with a phone number or a business-scoped id."""
        table = tables.suppliers
        his = or_(table.c.phone == address, table.c.bsuid == address)
        found = self.where(his, order_by=(table.c.id,), limit=1)
        return found[0] if found else None


class SupplierPrices(Rows[SupplierPrice]):
    """The price lists of vendors."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.supplier_prices, SupplierPrice)

    def of(self, supplier_id: str) -> dict[str, int]:
        """Return a vendor's price of each product that he has."""
        table = tables.supplier_prices
        mine = table.c.supplier_id == supplier_id
        rows = self.where(mine, table.c.available.is_(True))
        return {row.product_id: row.price_paisa for row in rows}

    def standing_offer(
        self, supplier: Supplier, lines: Sequence[Line]
    ) -> StandingOffer | None:
        """Return what a vendor asks for all lines; None if he lacks one of them."""
        prices = self.of(supplier.id)
        if not lines or any(line.product_id not in prices for line in lines):
            return None
        return StandingOffer(
            supplier_id=supplier.id,
            priority=supplier.priority,
            amount_paisa=sum(line.quantity * prices[line.product_id] for line in lines),
        )


class Strikes(Rows[Strike]):
    """Offers that suppliers let run out."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.strikes, Strike)

    def since(self, supplier_id: str, since: datetime) -> int:
        """Count a supplier's strikes from then on."""
        table = tables.strikes
        return self.count(table.c.supplier_id == supplier_id, table.c.at >= since)


class Rounds(Rows[Round]):
    """Bidding rounds."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.rounds, Round, ("status",))

    def of_order(self, order_id: str) -> list[Round]:
        """Return an order's rounds, the newest first."""
        table = tables.rounds
        newest_first = (table.c.round_no.desc(),)
        return self.where(table.c.order_id == order_id, order_by=newest_first)

    def open_of(self, order_id: str) -> Round | None:
        """Return the open round of an order."""
        table = tables.rounds
        is_open = table.c.status == RoundStatus.OPEN
        found = self.where(table.c.order_id == order_id, is_open)
        return found[0] if found else None

    def due(self, before: datetime, limit: int) -> list[Round]:
        """Return open rounds that closed by then, oldest first; no poisoned ones."""
        table = tables.rounds
        return self.where(
            table.c.status == RoundStatus.OPEN,
            table.c.closes_at <= before,
            table.c.sweep_failures < POISONED,
            order_by=(table.c.closes_at, table.c.id),
            limit=limit,
        )


class Invitations(Rows[Invitation]):
    """Who may bid."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.invitations, Invitation)

    def of_round(self, round_id: str) -> list[Invitation]:
        """Return the invitations of a round, by supplier."""
        table = tables.invitations
        by_supplier = (table.c.supplier_id,)
        return self.where(table.c.round_id == round_id, order_by=by_supplier)

    def open_rounds(self, supplier_id: str) -> list[str]:
        """Return the open rounds that a supplier is invited to."""
        rounds, table = tables.rounds, tables.invitations
        still_open = select(rounds.c.id).where(rounds.c.status == RoundStatus.OPEN)
        mine = table.c.supplier_id == supplier_id
        found = self.where(mine, table.c.round_id.in_(still_open))
        return [invitation.round_id for invitation in found]


class Bids(Rows[Bid]):
    """Bids, those that were refused included."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.bids, Bid, ("status",))

    def active(self, round_id: str) -> list[Bid]:
        """Return the bids of a round that count and have neither won nor lost."""
        table = tables.bids
        return self.where(
            table.c.round_id == round_id, table.c.status == BidStatus.ACTIVE
        )

    def by_ref(self, source_ref: str) -> Bid | None:
        """Return the bid that an inbound message made."""
        found = self.where(tables.bids.c.source_ref == source_ref)
        return found[0] if found else None


class Confirmations(Rows[Confirmation]):
    """Offers to suppliers."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.confirmations, Confirmation, ("status",))

    def of_order(self, order_id: str) -> list[Confirmation]:
        """Return the offers of an order, the newest first."""
        table = tables.confirmations
        newest_first = (table.c.attempt_no.desc(),)
        return self.where(table.c.order_id == order_id, order_by=newest_first)

    def live_of(self, order_id: str) -> Confirmation | None:
        """Return the offer that is pending or accepted."""
        table = tables.confirmations
        found = self.where(table.c.order_id == order_id, table.c.status.in_(LIVE))
        return found[0] if found else None

    def due(self, before: datetime, limit: int) -> list[Confirmation]:
        """Return pending offers whose time was up by then, oldest first."""
        table = tables.confirmations
        return self.where(
            table.c.status == ConfirmationStatus.PENDING,
            table.c.respond_by <= before,
            table.c.sweep_failures < POISONED,
            order_by=(table.c.respond_by, table.c.id),
            limit=limit,
        )

    def tried(self, order_id: str) -> frozenset[str]:
        """Return the suppliers who were offered the order."""
        return frozenset(offer.supplier_id for offer in self.of_order(order_id))
