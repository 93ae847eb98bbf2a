"""Sealed bids: the lowest whole price wins, by a rule that all can recompute."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, TypeVar

WEBHOOK_DELAY = timedelta(minutes=10)  # that late a webhook is believed


class Ranked(Protocol):
    """What the ranking looks at."""

    @property
    def amount_paisa(self) -> int:
        """The whole order, before tax."""

    @property
    def submitted_at(self) -> datetime:
        """When the supplier sent it."""

    @property
    def seq(self) -> int:
        """The order of arrival; no two bids share one."""


AnyBid = TypeVar("AnyBid", bound=Ranked)


class Refusal(StrEnum):
    """Why a bid does not count."""

    NOT_INVITED = "not_invited"
    EARLY = "early"
    LATE = "late"
    ABOVE_CEILING = "above_ceiling"


def rank(bids: Iterable[AnyBid]) -> list[AnyBid]:
    """Best first: lowest amount, then earliest sent, then first to arrive."""
    return sorted(bids, key=lambda bid: (bid.amount_paisa, bid.submitted_at, bid.seq))


def winner(bids: Iterable[AnyBid], *, min_bids: int) -> AnyBid | None:
    """Return the bid that gets the order; None if there are too few."""
    ranked = rank(bids)
    return ranked[0] if ranked and len(ranked) >= min_bids else None


def refusal(
    *,
    invited: bool,
    round_open: bool,
    opens_at: datetime,
    closes_at: datetime,
    submitted_at: datetime,
    amount_paisa: int,
    ceiling_paisa: int,
) -> Refusal | None:
    """Return why a bid does not count; None: it does.

    A bid sent at `closes_at` itself is late; one at the ceiling itself counts.
    """
    if not invited:
        return Refusal.NOT_INVITED
    if not round_open or submitted_at >= closes_at:
        return Refusal.LATE
    if submitted_at < opens_at:
        return Refusal.EARLY
    if amount_paisa > ceiling_paisa:
        return Refusal.ABOVE_CEILING
    return None


def trusted_time(said: datetime, received_at: datetime) -> datetime:
    """Return when a bid counts as sent: as WhatsApp says, within reason.

    Never after its receipt, and never more than 10 minutes before it: no delayed
    webhook reopens history.
    """
    return min(max(said, received_at - WEBHOOK_DELAY), received_at)
