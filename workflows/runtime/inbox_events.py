"""The events of an inbox: for a workflow task that failed, and for who reads a run.

What happens to a run is accepted into its inbox, and only a workflow task writes
history. A reader is shown the inbox's events all the same, behind those written: with
the ids, the order and the times with which the next task will write them.
"""

from collections.abc import Sequence

from workflows.engine.draining import drained, first_needed
from workflows.engine.states import JobState
from workflows.store import (
    InboxItem,
    LoadedRun,
    RunRef,
    RunStatus,
    Store,
    task_job_id,
)

NO_EVENT = 2**31  # more than a run can have: only its record and inbox are loaded
TRIES = 3


def drained_events(
    store: Store, run_id: str, length: int, inbox: Sequence[InboxItem]
) -> tuple[bytes, ...]:
    """Return the events that these entries become behind `length` events.

    Raises:
        InvalidArgumentError: an entry cannot be read.
    """
    events: list[bytes] = []
    start = first_needed(inbox, length)
    while start + len(events) <= length:
        page = store.read_history(run_id, start=start + len(events))
        if not page:
            return ()  # the run was deleted
        events += page[: length + 1 - start - len(events)]
    return drained(inbox, events, length)


def unwritten_events(store: Store, run: RunRef) -> tuple[int, tuple[bytes, ...]]:
    """Return the events in the inbox of an open run, and the length that they follow.

    While a worker holds the run's workflow task these are the events that it took up;
    what came later is shown when the task is done, since the task's own events come
    before it. A close from outside (terminate, timeout) writes them too; only one of a
    run that never stands still drops the newest.
    """
    for _ in range(TRIES):
        before = _open(store, run)
        if before is None:
            break
        task = store.get_job(task_job_id(before.run.run_id))
        after = store.get_run(run)
        if after is None or (after.length, after.status) != _state(before):
            continue  # a task was written in between
        inbox = before.inbox
        if task is not None and task.state is JobState.ACTIVE:
            taken_at = task.started_at or 0
            inbox = tuple(item for item in inbox if item.at < taken_at)
        length = before.run.length
        return length, drained_events(store, before.run.run_id, length, inbox)
    return 0, ()


def _open(store: Store, run: RunRef) -> LoadedRun | None:
    found = store.get_run(run)
    loaded = store.load_run(found.run_id, start=NO_EVENT) if found else None
    return loaded if loaded and loaded.run.status is RunStatus.RUNNING else None


def _state(loaded: LoadedRun) -> tuple[int, RunStatus]:
    return loaded.run.length, loaded.run.status
