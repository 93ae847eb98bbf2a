"""What the two-minute sweeps share: they act on what a timer should have done.

In health they find nothing. A row that fails is left to the others' peril no more: it
is counted, and after the third failure no sweep touches it; a job of its own shows it
among the dead letters, from where it can be retried.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from workflows.exceptions import StoreFullError, StoreUnavailableError
from workflows.marketplace.change import Change, Marketplace, Noop
from workflows.marketplace.metrics import count

log = logging.getLogger(__name__)

BUDGET = timedelta(seconds=30)  # of one sweep; the next one goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One kind of row to sweep.

    `due` lists ids, `act` is the transition that the timer would have run, `failed`
    counts a failure of one row.
    """

    kind: str
    actor: str
    due: Callable[[Change, int], Sequence[str]]
    act: Callable[[Change, str], object]
    failed: Callable[[Change, str], None]


@dataclass(slots=True)
class Swept:
    """What a sweep did."""

    rescued: int = 0
    noop: int = 0
    failed: int = 0

    def as_json(self) -> dict[str, object]:
        """Return it as jobs report it."""
        return {"rescued": self.rescued, "noop": self.noop, "failed": self.failed}


def run_sweep(shop: Marketplace, sweep: Sweep, limit: int) -> Swept:
    """Act on all rows that are due, `limit` at a time, each in its own transaction.

    Raises:
        StoreUnavailableError: database or queue is not available.
    """
    swept, seen = Swept(), set[str]()
    end = shop.clock() + BUDGET
    while shop.clock() <= end:
        due = shop.run(sweep.actor, sweep.due, limit + len(seen))
        new = [one for one in due if one not in seen]
        if not new:
            break
        for one in new:
            _act(shop, sweep, one, swept)
        seen.update(new)
    if swept.rescued:
        log.warning("the sweep rescued %d of kind %s", swept.rescued, sweep.kind)
    return swept


def _act(shop: Marketplace, sweep: Sweep, one: str, swept: Swept) -> None:
    try:
        outcome = shop.run(sweep.actor, _rescue, sweep, one)
    except (StoreUnavailableError, StoreFullError):
        raise
    except Exception:  # whatever it is, the other rows must not wait for it
        log.exception("sweeping %s %s failed", sweep.kind, one)
        shop.run(sweep.actor, _count_failure, sweep, one)
        swept.failed += 1
        return
    if isinstance(outcome, Noop):
        swept.noop += 1
    else:
        swept.rescued += 1


def _rescue(change: Change, sweep: Sweep, one: str) -> object:
    outcome = sweep.act(change, one)
    if not isinstance(outcome, Noop):
        count(change.work, "sweeper_rescued_total", kind=sweep.kind)
    return outcome


def _count_failure(change: Change, sweep: Sweep, one: str) -> None:
    sweep.failed(change, one)
    count(change.work, "sweeper_failed_total", kind=sweep.kind)


def show_poisoned(
    change: Change, queue: str, subject: str, payload: dict[str, Any], now: datetime
) -> None:
    """Hand a row that fails again and again to a job of its own, and to a person."""
    change.later(queue, f"{queue}:{subject}:poisoned", payload, now)
    text = f"{subject} failed in three sweeps; see the dead letters of {queue}."
    change.ask_people(f"poisoned:{subject}", "look", subject, text)
