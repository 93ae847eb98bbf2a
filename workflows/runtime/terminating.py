"""Ending a run from outside: a client's terminate, a parent's policy, a limit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from workflows.engine.close import Closing, ClosingRun, close_terminated
from workflows.engine.history import decode_event
from workflows.exceptions import ConflictError, InvalidArgumentError, NotFoundError
from workflows.runtime.closing import close_record
from workflows.runtime.inbox_events import NO_EVENT, drained_events
from workflows.runtime.new_runs import close_policy
from workflows.store import Close, RunRecord, RunRef, RunStatus, Store

TRIES = 8  # to close a run as it is; each is a few reads and a write


def closing_run(store: Store, run: RunRecord) -> ClosingRun:
    """Return what the engine must know of a run to close it."""
    first = decode_event(store.read_history(run.run_id, limit=1)[0])
    return ClosingRun(
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        started=first.attributes,
        began_at=first.at,
    )


def close_outside(store: Store, run: RunRecord, end: Callable[[int], Closing]) -> Close:
    """Return a close for the store, with the job for the run's open children.

    That is written always: until the close a task of the run may start children. What
    lies in the inbox comes into the history before; the close is for this state only.
    `end` makes it at a store time (ms).
    """
    loaded = store.load_run(run.run_id, start=NO_EVENT)
    made = close_record(
        end(loaded.now if loaded else store.now()),
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        parent=run.parent,
        children=True,
        parent_close_policy=close_policy(run.info),
    )
    if loaded is None:
        return made
    length = loaded.run.length
    try:
        told = drained_events(store, run.run_id, length, loaded.inbox)
    except InvalidArgumentError:
        return made  # an entry that nobody can read must not keep the run open
    seen = (length, loaded.run.inbox_seq)
    return replace(made, events=(*told, *made.events), seen=seen)


def close_open(
    store: Store, run: RunRecord, make: Callable[[RunRecord], Close], request_id: str
) -> str:
    """Make a close and write it; again, if the run went on in between. Repeatable.

    The last time it is closed however it is: what came in then is not in its history.

    Raises:
        NotFoundError, ConflictError: it is gone, or closed.
    """
    ref = RunRef(workflow_id=run.workflow_id, run_id=run.run_id)
    for _ in range(TRIES):
        try:
            return store.close_run(ref, make(run), request_id=request_id)
        except ConflictError:
            found = store.get_run(ref)
            if found is None or found.status is not RunStatus.RUNNING:
                raise
            run = found
    return store.close_run(ref, replace(make(run), seen=None), request_id=request_id)


def termination(
    store: Store,
    run: RunRecord,
    *,
    reason: str,
    details: Sequence[Mapping[str, Any]] = (),
    identity: str = "",
) -> Close:
    """Return the close of a run that is terminated now."""
    closing = closing_run(store, run)

    def end(at: int) -> Closing:
        return close_terminated(
            closing, at=at, reason=reason, details=details, identity=identity
        )

    return close_outside(store, run, end)


def terminate(
    store: Store, workflow_id: str, run_id: str, reason: str, identity: str
) -> None:
    """Terminate a run; nothing happens if it is closed. Repeatable."""
    ref = RunRef(workflow_id=workflow_id, run_id=run_id)
    run = store.get_run(ref)
    if run is None or run.status is not RunStatus.RUNNING:
        return
    try:
        close_open(
            store,
            run,
            lambda found: termination(store, found, reason=reason, identity=identity),
            f"terminate:{run_id}",
        )
    except (NotFoundError, ConflictError):
        return  # it closed by itself
