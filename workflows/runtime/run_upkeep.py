"""What must happen to runs by the clock, whoever does it: deadlines, lost activities.

Each act is fenced in the store, so any number of processes may do it at once.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from workflows.engine.close import close_timed_out
from workflows.exceptions import ConflictError, NotFoundError, StoreError
from workflows.runtime.activity_settling import lost_settlement, overdue_settlement
from workflows.runtime.terminating import close_open, close_outside, closing_run
from workflows.store import (
    Close,
    Overdue,
    RunRecord,
    Settlement,
    Store,
    Swept,
)

logger = logging.getLogger("workflows.runtime")


T = TypeVar("T")


class RunUpkeep:
    """The chores of runs in one process."""

    def __init__(
        self, store: Store, new_run_id: Callable[[], str], identity: str
    ) -> None:
        self._store = store
        self._new_run_id = new_run_id
        self._identity = identity

    # -- deadlines ---------------------------------------------------------------------

    def end_overdue(self) -> None:
        """Close runs and settle activities whose deadline has come."""
        overdue = self._store.list_overdue()
        if not overdue:
            return
        now = self._store.now()
        settlements = [
            settlement
            for one in overdue
            if (settlement := _tried(self._end, one, now)) is not None
        ]
        if settlements:
            self._store.exchange(settlements)

    def _end(self, one: Overdue, now: int) -> Settlement | None:
        if one.run is not None:
            self._time_out(one.run)
        if one.activity is not None:
            return overdue_settlement(one.activity, one.token, now=now)
        return None

    def _time_out(self, run: RunRecord) -> None:
        closing, new_run_id = closing_run(self._store, run), self._new_run_id()

        def make(found: RunRecord) -> Close:
            end = partial(close_timed_out, closing, new_run_id=new_run_id)
            return close_outside(self._store, found, lambda at: end(at=at))

        try:
            close_open(self._store, run, make, f"deadline:{run.run_id}")
        except (NotFoundError, ConflictError):
            return  # somebody else was faster
        logger.info("run_closed run_id=%s status=timed_out", run.run_id)

    # -- lost leases -------------------------------------------------------------------

    def settle_lost(self, swept: list[Swept]) -> None:
        """Spend the attempt of each activity whose worker died."""
        lost = [one for one in swept if one.outcome == "lost"]
        if not lost:
            return
        now = self._store.now()
        settlements = [
            settlement
            for one in lost
            if (settlement := _tried(self._spend, one, now)) is not None
        ]
        if settlements:
            self._store.exchange(settlements)

    def _spend(self, one: Swept, now: int) -> Settlement | None:
        record = self._store.get_job(one.job_id)
        return lost_settlement(record, one.token, now=now) if record else None


def _tried(
    act: Callable[[T, int], Settlement | None], one: T, now: int
) -> Settlement | None:
    """Do it for one of many; what cannot be done hinders no other, and is logged."""
    try:
        return act(one, now)
    except StoreError:
        raise
    except Exception:
        logger.exception("upkeep_failed what=%r", one)
        return None
