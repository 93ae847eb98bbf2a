"""Offering an order to one supplier after the other."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from workflows.marketplace.rules.bidding import AnyBid, rank

MIN_WINDOW = timedelta(minutes=5)  # less is no chance to answer
MIN_NUDGED_WINDOW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingOffer:
    """What a vendor's price list asks for the whole order, before tax."""

    supplier_id: str
    priority: int
    amount_paisa: int


def respond_by(
    now: datetime, window: timedelta, deadline: datetime | None
) -> datetime | None:
    """When an answer is too late: the window's end, cut to the order's deadline.

    None: less than 5 minutes are left, too few to ask anybody.
    """
    if deadline is None:
        return now + window
    end = min(now + window, deadline)
    return end if end - now >= MIN_WINDOW else None


def nudge_at(requested_at: datetime, until: datetime) -> datetime | None:
    """When to remind the supplier: at half time; None: the window is too short."""
    window = until - requested_at
    return requested_at + window // 2 if window >= MIN_NUDGED_WINDOW else None


def next_bidder(
    bids: Iterable[AnyBid],
    *,
    supplier_of: Callable[[AnyBid], str],
    excluded: Collection[str],
    ceiling_paisa: int,
) -> AnyBid | None:
    """Return the best bid of a supplier who may be asked."""
    for bid in rank(bids):
        if supplier_of(bid) not in excluded and bid.amount_paisa <= ceiling_paisa:
            return bid
    return None


def next_vendor(
    offers: Iterable[StandingOffer], *, excluded: Collection[str], ceiling_paisa: int
) -> StandingOffer | None:
    """Return the vendor to ask: by priority, then the cheapest, then by id."""
    ranked = sorted(offers, key=lambda o: (o.priority, o.amount_paisa, o.supplier_id))
    for offer in ranked:
        if offer.supplier_id not in excluded and offer.amount_paisa <= ceiling_paisa:
            return offer
    return None
