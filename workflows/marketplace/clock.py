"""The marketplace's time: the real one, or for a demo one that goes faster.

Queues, leases and retries always go by the real time: a span of the marketplace's is
turned into a real one where it is handed to them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


def _real_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class MarketplaceClock:
    """At the real time `began` it showed `shows`; since then it goes `speed` as fast.

    All processes that share a database must be given the same.
    """

    began: datetime
    shows: datetime
    speed: float

    def __post_init__(self) -> None:
        if self.began.tzinfo is None or self.shows.tzinfo is None:
            msg = "the times of a clock need an offset, as in 2026-11-24T10:00+05:45"
            raise ValueError(msg)
        if not 1 <= self.speed <= 10_000:
            msg = f"a clock's speed is a number from 1 to 10000, not {self.speed}"
            raise ValueError(msg)

    def now(self) -> datetime:
        """Return what it shows."""
        shown = self.shows + (_real_now() - self.began) * self.speed
        return shown.astimezone(UTC)

    def real(self, span: timedelta) -> timedelta:
        """Return how long a span of this clock takes."""
        return span / self.speed


_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
REAL_TIME = MarketplaceClock(_ORIGIN, _ORIGIN, 1)
