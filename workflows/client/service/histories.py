"""Pages of a run's history, and following it while it grows."""

import time
from dataclasses import dataclass

from workflows.client.service.outcomes import LOOK_S, find_run
from workflows.store import MAX_STEP, RunRef, RunStatus, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPage:
    """Events in their stored form; the first of them is event `start`.

    `next_start` is where to go on; None: the run is closed and this was the end.
    """

    run_id: str
    start: int
    events: tuple[bytes, ...]
    next_start: int | None


def read_page(
    store: Store, ref: RunRef, *, start: int, limit: int, wait_s: float
) -> HistoryPage:
    """Return events from number `start`; if there are none yet, wait for some.

    Raises:
        NotFoundError: there is no such run.
    """
    deadline = time.monotonic() + wait_s
    limit = max(1, min(limit, MAX_STEP))
    while True:
        run = find_run(store, ref)
        ref = RunRef(workflow_id=run.workflow_id, run_id=run.run_id)
        events = store.read_history(run.run_id, start=start, limit=limit)
        following = start + len(events)
        rest = deadline - time.monotonic()
        ended = run.status is not RunStatus.RUNNING and following > run.length
        if events or ended or rest <= 0:
            return HistoryPage(
                run_id=run.run_id,
                start=start,
                events=events,
                next_start=None if ended else following,
            )
        store.wait_run(run.run_id, length=start - 1, timeout_s=min(rest, LOOK_S))


def read_all(store: Store, ref: RunRef) -> HistoryPage:
    """Return the whole history as it is at one moment (or a little later)."""
    run = find_run(store, ref)
    ref = RunRef(workflow_id=run.workflow_id, run_id=run.run_id)
    events: list[bytes] = []
    while len(events) < run.length:
        page = store.read_history(run.run_id, start=len(events) + 1)
        if not page:
            break
        events += page
    return HistoryPage(
        run_id=run.run_id, start=1, events=tuple(events), next_start=None
    )
