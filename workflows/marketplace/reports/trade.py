"""Orders, bidding and suppliers."""

from collections import Counter

from workflows.marketplace import tables
from workflows.marketplace.bidding import Bid, BidStatus, Round, RoundStatus
from workflows.marketplace.confirmation import Confirmation, ConfirmationStatus
from workflows.marketplace.reports.figures import (
    Figures,
    Window,
    average,
    median_seconds,
    share_bps,
)
from workflows.marketplace.sql.work import SqlWork

COUNTED = ("placed", "secured", "confirmed", "delivered", "cancelled", "reinstated")


def orders(work: SqlWork, window: Window) -> Figures:
    """What became of orders, and what they are worth (GMV: those secured)."""
    events = work.events.where(window.holds(tables.order_events.c.at))
    counts = Counter(event.type for event in events)
    expired = Counter(str(e.data["reason"]) for e in events if e.type == "expired")
    gmv = sum(int(e.data["totalPaisa"]) for e in events if e.type == "secured")
    return Figures(
        flow={
            **{name: counts[name] for name in COUNTED},
            "expired": dict(sorted(expired.items())),
            "gmvPaisa": gmv,
            "averagePaisa": average(gmv, counts["secured"]),
        }
    )


def bidding(work: SqlWork, window: Window) -> Figures:
    """Rounds that were closed, bids that came in, and what bidding saved."""
    rounds = work.rounds.where(window.holds(tables.rounds.c.closed_at))
    bids = work.bids.where(window.holds(tables.bids.c.ingested_at))
    refused = Counter(bid.reject_reason for bid in bids if bid.reject_reason)
    awarded = [found for found in rounds if found.status is RoundStatus.AWARDED]
    statuses = Counter(str(found.status) for found in rounds)
    valid = sum(bid.status is not BidStatus.REJECTED for bid in bids)
    spans = [_seconds_to_award(found) for found in awarded]
    return Figures(
        flow={
            "roundsClosed": dict(sorted(statuses.items())),
            "bidsValid": valid,
            "bidsRefused": dict(sorted(refused.items())),
            "savedPaisa": sum(_saved(work, found) for found in awarded),
            "medianSecondsToAward": median_seconds(spans),
        }
    )


def suppliers(work: SqlWork, window: Window) -> Figures:
    """Offers that were made, and how suppliers answered."""
    offers = work.confirmations.where(window.holds(tables.confirmations.c.requested_at))
    statuses = Counter(str(offer.status) for offer in offers)
    accepted = [offer for offer in offers if _was_accepted(offer)]
    answered = [offer for offer in offers if offer.answered_at is not None]
    strikes = work.strikes.count(window.holds(tables.strikes.c.at))
    return Figures(
        flow={
            "offers": len(offers),
            "acceptedBps": share_bps(len(accepted), len(offers)),
            "timedOut": statuses[ConfirmationStatus.TIMED_OUT],
            "rejected": statuses[ConfirmationStatus.REJECTED],
            "medianSecondsToAnswer": median_seconds(
                [_seconds_to_answer(offer) for offer in answered]
            ),
            "strikes": strikes,
        }
    )


def _was_accepted(offer: Confirmation) -> bool:
    withdrawn = offer.status is ConfirmationStatus.WITHDRAWN
    accepted = offer.status is ConfirmationStatus.CONFIRMED
    return accepted or (withdrawn and offer.answered_at is not None)


def _seconds_to_answer(offer: Confirmation) -> int:
    answered = offer.answered_at or offer.requested_at
    return int((answered - offer.requested_at).total_seconds())


def _seconds_to_award(found: Round) -> int:
    closed = found.closed_at or found.closes_at
    return int((closed - found.opens_at).total_seconds())


def _saved(work: SqlWork, found: Round) -> int:
    order = work.orders.get(found.order_id)
    won: Bid | None = work.bids.get(found.winner_bid_id or "")
    if order is None or won is None:
        return 0
    return order.subtotal_paisa - won.amount_paisa
