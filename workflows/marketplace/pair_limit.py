"""The pair limiter: `burst` messages to a user at once, then one per `period`.

GCRA with reservation. It keeps one time per user, the theoretical arrival time
("tat"); a caller that must wait is given a slot of its own and waits only once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class PairLimit:
    """Meta allows one message per 6 s to one user, with some burst."""

    period: timedelta = timedelta(seconds=6)
    burst: int = 3

    def reserve(self, tat: datetime | None, now: datetime) -> tuple[datetime, datetime]:
        """Return the slot for one message (not before `now`) and the new tat."""
        due = now if tat is None else max(tat, now)
        slot = max(due - (self.burst - 1) * self.period, now)
        return slot, due + self.period

    def holds(self, slot: datetime, now: datetime) -> bool:
        """Whether a reserved slot may be used now: not early, nor long past.

        Slots that were all missed (the workers were down) would go out as one burst.
        """
        return slot <= now < slot + self.period
