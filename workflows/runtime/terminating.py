"""Ending a run from outside: a client's terminate, a parent's policy, a limit."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflows.engine.close import Closing, ClosingRun, close_terminated
from workflows.engine.history import decode_event
from workflows.exceptions import ConflictError, NotFoundError
from workflows.runtime.closing import close_record
from workflows.runtime.new_runs import close_policy
from workflows.store import Close, RunRecord, RunRef, RunStatus, Store


def closing_run(store: Store, run: RunRecord) -> ClosingRun:
    """Return what the engine must know of a run to close it."""
    first = decode_event(store.read_history(run.run_id, limit=1)[0])
    return ClosingRun(
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        started=first.attributes,
        began_at=first.at,
    )


def close_outside(run: RunRecord, closed: Closing) -> Close:
    """Return a close for the store, with the job for the run's open children.

    That is written always: until the close a task of the run may start children.
    """
    return close_record(
        closed,
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        parent=run.parent,
        children=True,
        parent_close_policy=close_policy(run.info),
    )


def termination(
    store: Store,
    run: RunRecord,
    *,
    reason: str,
    details: Sequence[Mapping[str, Any]] = (),
    identity: str = "",
) -> Close:
    """Return the close of a run that is terminated now."""
    closed = close_terminated(
        closing_run(store, run),
        at=store.now(),
        reason=reason,
        details=details,
        identity=identity,
    )
    return close_outside(run, closed)


def terminate(
    store: Store, workflow_id: str, run_id: str, reason: str, identity: str
) -> None:
    """Terminate a run; nothing happens if it is closed. Repeatable."""
    ref = RunRef(workflow_id=workflow_id, run_id=run_id)
    run = store.get_run(ref)
    if run is None or run.status is not RunStatus.RUNNING:
        return
    close = termination(store, run, reason=reason, identity=identity)
    try:
        store.close_run(ref, close, request_id=f"terminate:{run_id}")
    except (NotFoundError, ConflictError):
        return  # it closed by itself
