"""What the marketplace said yes to: none of it may be missing afterwards."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Diary:
    """Written after the call returned, never before.

    `receipts`: by provider and reference, the paisa that were told. `planted`: jobs
    that must become dead letters. `errors`: what no rule of the marketplace explains.
    """

    orders: dict[str, int] = field(default_factory=dict)
    receipts: dict[tuple[str, str], int] = field(default_factory=dict)
    bids: set[str] = field(default_factory=set)
    answers: dict[str, str] = field(default_factory=dict)
    delivered: set[str] = field(default_factory=set)
    cancelled: set[str] = field(default_factory=set)
    refunded: set[str] = field(default_factory=set)
    planted: set[str] = field(default_factory=set)
    nothing: Counter[str] = field(default_factory=Counter)  # twice, late, too late …
    refused: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
