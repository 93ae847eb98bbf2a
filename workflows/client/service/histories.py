"""Pages of a run's history, and following it while it grows.

An open run is shown with the events in its inbox, behind those that are written: see
`workflows.runtime.inbox_events`.
"""

import time
from dataclasses import dataclass

from workflows.client.service.outcomes import LOOK_S, find_run
from workflows.runtime.inbox_events import unwritten_events
from workflows.store import MAX_STEP, RunRecord, RunRef, RunStatus, Store

TRIES = 3


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

    Behind the end of a closed run the page is its last event: whoever was shown more
    than a close from outside left (`terminating.close_open`) hears of it.

    Raises:
        NotFoundError: there is no such run.
    """
    deadline = time.monotonic() + wait_s
    limit = max(1, min(limit, MAX_STEP))
    while True:
        run = find_run(store, ref)
        ref = RunRef(workflow_id=run.workflow_id, run_id=run.run_id)
        closed = run.status is not RunStatus.RUNNING
        start = min(start, run.length) if closed else start
        events = store.read_history(run.run_id, start=start, limit=limit)
        if not closed and len(events) < limit:
            events += _unwritten(store, run, start + len(events), limit - len(events))
        following = start + len(events)
        rest = deadline - time.monotonic()
        ended = closed and following > run.length
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
    run, events = find_run(store, ref), list[bytes]()
    ref = RunRef(workflow_id=run.workflow_id, run_id=run.run_id)
    for _ in range(TRIES):
        while len(events) < run.length:
            page = store.read_history(run.run_id, start=len(events) + 1)
            if not page:
                break
            events += page
        if run.status is not RunStatus.RUNNING or not run.inbox:
            break
        length, unwritten = unwritten_events(store, ref)
        if length == len(events):
            events += unwritten
            break
        run = find_run(store, ref)
    return HistoryPage(
        run_id=run.run_id, start=1, events=tuple(events), next_start=None
    )


def _unwritten(
    store: Store, run: RunRecord, start: int, limit: int
) -> tuple[bytes, ...]:
    """Return events of the inbox from number `start`, behind those that are written."""
    if not run.inbox:
        return ()
    ref = RunRef(workflow_id=run.workflow_id, run_id=run.run_id)
    length, events = unwritten_events(store, ref)
    seen = start - 1 - length
    return events[seen : seen + limit] if seen >= 0 else ()
