"""One offer of an order to one supplier, to be answered before `respond_by`.

pending → confirmed | rejected | timed_out | withdrawn | superseded
confirmed → withdrawn
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ConfirmationStatus(StrEnum):
    """Where an offer is. `pending` and `confirmed` are its live states."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    TIMED_OUT = "timed_out"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"  # the supplier could not be reached


LIVE = frozenset({ConfirmationStatus.PENDING, ConfirmationStatus.CONFIRMED})


class OfferSource(StrEnum):
    """Why this supplier was asked."""

    BID = "bid"
    DIRECT = "direct"
    FALLBACK = "fallback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """An offer. `attempt_no` counts the offers of the order from 1."""

    id: str
    order_id: str
    attempt_no: int
    supplier_id: str
    source: OfferSource
    amount_paisa: int
    requested_at: datetime
    respond_by: datetime
    bid_id: str | None = None
    status: ConfirmationStatus = ConfirmationStatus.PENDING
    answered_at: datetime | None = None
    answer_ref: str | None = None
    reason: str | None = None
    nudged_at: datetime | None = None
    sweep_failures: int = 0
