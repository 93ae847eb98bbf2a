"""Starting runs and sending to them, as policies and request ids allow."""

import msgspec

from workflows.exceptions import ConflictError, InvalidArgumentError
from workflows.store import (
    Close,
    InboxEntry,
    RunRef,
    RunStatus,
    StartChild,
    Started,
    StartRun,
    StartStatus,
)
from workflows.stores.sqlite import inbox
from workflows.stores.sqlite.closing import check_seen, close, open_run
from workflows.stores.sqlite.creating import any_exists, create
from workflows.stores.sqlite.memory import recall, remember, settled_key
from workflows.stores.sqlite.runs import Run, Runs
from workflows.stores.sqlite.transaction import Transaction

_NOT_FAILED = frozenset({RunStatus.COMPLETED.value, RunStatus.CONTINUED_AS_NEW.value})


def start_run(tx: Transaction, start: StartRun, request_id: str) -> Started:
    """Start a run once per request id; see `Store.start_run`."""
    key = settled_key(start.run.workflow_id, request_id)
    known = recall(tx, "start", key)
    if known is not None:
        return msgspec.json.decode(known, type=Started)
    runs = Runs(tx)
    started = _start(runs, start)
    runs.flush()
    remember(tx, "start", key, msgspec.json.encode(started).decode())
    return started


def start_child(runs: Runs, child: StartChild) -> bool:
    """Start a child unless the policies forbid it; return whether it was started."""
    current = runs.current(child.run.workflow_id)
    if current is not None and (current.open or not _may_reuse(current, child.reuse)):
        return False
    create(runs, child.run)
    return True


def send(tx: Transaction, ref: RunRef, entry: InboxEntry, request_id: str) -> str:
    """Append to the inbox of an open run once per request id."""
    key = settled_key(ref.workflow_id, request_id)
    known = recall(tx, "send", key)
    if known is not None:
        return known
    runs = Runs(tx)
    run = open_run(runs, ref)
    inbox.check_room(tx, run, entry)
    inbox.receive(runs, run, entry)
    runs.flush()
    remember(tx, "send", key, run.run_id)
    return run.run_id


def _start(runs: Runs, start: StartRun) -> Started:
    current = runs.current(start.run.workflow_id)
    signals = () if start.signal is None else (start.signal,)
    if current is None:
        return _create(runs, start, signals)
    if not current.open:
        if _may_reuse(current, start.reuse):
            return _create(runs, start, signals)
        return _started(StartStatus.REFUSED, current)
    if start.conflict == "use_existing":
        for signal in signals:
            inbox.check_room(runs.tx, current, signal)
        inbox.receive(runs, current, *signals)
        return _started(StartStatus.EXISTING, current)
    if start.conflict == "terminate_existing" and start.terminate is not None:
        if start.replaces not in {None, current.run_id}:
            msg = f"run {current.run_id!r} is open, not {start.replaces!r}"
            raise ConflictError(msg)
        check_seen(current, start.terminate)
        return _create(runs, start, signals, current, start.terminate)
    return _started(StartStatus.REFUSED, current)


def _may_reuse(closed: Run, reuse: str) -> bool:
    if reuse == "allow_duplicate_failed_only":
        return closed.status not in _NOT_FAILED
    return reuse == "allow_duplicate"


def _create(
    runs: Runs,
    start: StartRun,
    signals: tuple[InboxEntry, ...],
    open_one: Run | None = None,
    end: Close | None = None,
) -> Started:
    """Create the run; before that, close the open one."""
    if any_exists(runs.tx, [start.run.run_id]):
        msg = f"the run id {start.run.run_id!r} is that of another run"
        raise InvalidArgumentError(msg)
    if open_one is not None and end is not None:
        close(runs, open_one, end)
        open_one.last_at = runs.tx.now
        open_one.changed = True
    return _started(StartStatus.STARTED, create(runs, start.run, *signals))


def _started(status: StartStatus, run: Run) -> Started:
    return Started(
        status=status,
        run_id=run.run_id,
        first_run_id=run.first_run_id,
        run_status=RunStatus(run.status),
    )
