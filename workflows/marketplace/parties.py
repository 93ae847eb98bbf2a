"""Who orders and who delivers."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PartyStatus(StrEnum):
    """Whether a party takes part."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class SupplierKind(StrEnum):
    """A vendor has a price list and is asked directly; a wholesaler bids."""

    VENDOR = "vendor"
    WHOLESALER = "wholesaler"


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who orders. Without phone and business-scoped id it gets no messages."""

    id: str
    name: str
    area: str
    phone: str | None = None
    bsuid: str | None = None
    status: PartyStatus = PartyStatus.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplier:
    """Who delivers. `priority`: vendors with a lower one are asked first."""

    id: str
    kind: SupplierKind
    name: str
    areas: tuple[str, ...]
    phone: str | None = None
    bsuid: str | None = None
    status: PartyStatus = PartyStatus.ACTIVE
    priority: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplierPrice:
    """A vendor's standing price of one product, before tax."""

    supplier_id: str
    product_id: str
    price_paisa: int
    available: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A supplier let an offer run out, or withdrew what he had accepted."""

    confirmation_id: str
    supplier_id: str
    at: datetime
