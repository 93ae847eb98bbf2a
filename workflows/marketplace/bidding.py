"""Bidding rounds and their bids.

round: open → awarded | no_bids | cancelled
bid:   active → superseded | withdrawn | won | lost;  rejected at once
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RoundStatus(StrEnum):
    """Where a round is."""

    OPEN = "open"
    AWARDED = "awarded"
    NO_BIDS = "no_bids"
    CANCELLED = "cancelled"


class BidStatus(StrEnum):
    """Where a bid is. `active` and `won` are its live states."""

    ACTIVE = "active"
    SUPERSEDED = "superseded"  # by a newer bid of the same supplier
    WITHDRAWN = "withdrawn"
    REJECTED = "rejected"
    WON = "won"
    LOST = "lost"


class BidSource(StrEnum):
    """How a bid came in."""

    WHATSAPP = "whatsapp"
    API = "api"
    OPS = "ops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One bidding window of an order: `[opens_at, closes_at)`."""

    id: str
    order_id: str
    round_no: int
    opens_at: datetime
    closes_at: datetime
    ceiling_paisa: int  # before tax
    min_bids: int = 1
    status: RoundStatus = RoundStatus.OPEN
    winner_bid_id: str | None = None
    closed_at: datetime | None = None
    sweep_failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A supplier may bid in a round."""

    round_id: str
    supplier_id: str
    reachable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """A price for the whole order, before tax. `seq`: the order of arrival."""

    id: str
    seq: int
    round_id: str
    supplier_id: str
    amount_paisa: int
    submitted_at: datetime
    ingested_at: datetime
    source: BidSource
    source_ref: str | None = None
    eta_minutes: int | None = None
    status: BidStatus = BidStatus.ACTIVE
    reject_reason: str | None = None
