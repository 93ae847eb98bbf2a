"""What builders of reports are given and return."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import median_low
from typing import Any

from sqlalchemy import ColumnElement, and_

from workflows.marketplace.rules.money import BASIS_POINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One local day as `[start, end)`."""

    day: date
    start: datetime
    end: datetime

    def holds(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """The condition that a time is within the day."""
        return and_(column >= self.start, column < self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """`flow`: what happened in the day; `state`: how things stood at its end."""

    flow: dict[str, Any]
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing happened."""
        return _nothing(self.flow)

    def as_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {**self.flow, **self.state}


def share_bps(part: int, whole: int) -> int | None:
    """Return a part in ten-thousandths; None of nothing."""
    return part * BASIS_POINTS // whole if whole else None


def average(total: int, count: int) -> int | None:
    """Return the average, rounded down; None of nothing."""
    return total // count if count else None


def median_seconds(spans: Sequence[int]) -> int | None:
    """Return the (lower) median; None of nothing."""
    return median_low(spans) if spans else None


def _nothing(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_nothing(part) for part in value.values())
    return not value
