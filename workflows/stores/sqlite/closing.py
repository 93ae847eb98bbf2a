"""Closing a run: what it leaves, and who is told."""

from workflows.exceptions import ConflictError, InvalidArgumentError, NotFoundError
from workflows.store import Close, RunRef
from workflows.stores.sqlite import activities, inbox, timers
from workflows.stores.sqlite.accepting import insert
from workflows.stores.sqlite.creating import any_exists, create
from workflows.stores.sqlite.memory import recall, remember, settled_key
from workflows.stores.sqlite.runs import Run, Runs
from workflows.stores.sqlite.tasks import remove_task
from workflows.stores.sqlite.transaction import Transaction


def close(runs: Runs, run: Run, end: Close, *, held: bool = False) -> None:
    """Close an open run; `held`: whoever asks sees to its workflow task."""
    tx = runs.tx
    runs.add_events(run, end.events)
    next_run = end.next_run
    runs.close(run, end.status, next_run.run_id if next_run else None)
    if not held:
        remove_task(tx, run)
    timers.cancel_all(tx, run)
    activities.cancel_all(tx, run)
    if end.outcome is not None and run.parent_run_id is not None:
        inbox.receive(runs, runs.by_id(run.parent_run_id), end.outcome)
    insert(tx, end.jobs)
    if next_run is not None:
        created = create(runs, next_run)
        if end.carry:
            inbox.move_signals(runs, run, created)
    inbox.empty(tx, run)


def check_seen(run: Run, end: Close) -> None:
    """Refuse to close a run that went on since the close was made. ConflictError."""
    if end.seen not in (None, (run.length, run.inbox_seq)):
        msg = f"run {run.run_id!r} of workflow {run.workflow_id!r} has gone on"
        raise ConflictError(msg)


def close_run(tx: Transaction, ref: RunRef, end: Close, request_id: str) -> str:
    """Close an open run from outside; see `Store.close_run`."""
    key = settled_key(ref.workflow_id, request_id)
    known = recall(tx, "close", key)
    if known is not None:
        return known
    runs = Runs(tx)
    run = open_run(runs, ref)
    check_seen(run, end)
    if end.next_run is not None and any_exists(tx, [end.next_run.run_id]):
        msg = f"the next run's id {end.next_run.run_id!r} is that of another run"
        raise InvalidArgumentError(msg)
    close(runs, run, end)
    run.last_at = tx.now
    run.changed = True
    runs.flush()
    remember(tx, "close", key, run.run_id)
    return run.run_id


def open_run(runs: Runs, ref: RunRef) -> Run:
    """Return the open run that is meant.

    Raises:
        NotFoundError: there is no such run.
        ConflictError: it is closed.
    """
    run = runs.resolve(ref)
    if run is None:
        msg = f"no run {ref.run_id or 'at all'} of workflow {ref.workflow_id!r}"
        raise NotFoundError(msg)
    if not run.open:
        msg = f"run {run.run_id!r} of workflow {run.workflow_id!r} is {run.status}"
        raise ConflictError(msg)
    return run
