"""The inbox of a run: whatever happened to it and is not in its history yet."""

from collections.abc import Iterable

from workflows.exceptions import InboxFullError
from workflows.store import InboxEntry, InboxItem
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.runs import MAX_IN_RUN, RUN_BITS, Run, Runs
from workflows.stores.sqlite.tasks import ensure_task
from workflows.stores.sqlite.transaction import Transaction

SIGNAL, CANCEL = "signal", "cancel"  # the kinds that the store knows

_INSERT = "INSERT INTO inbox (n, at, kind, data) VALUES (?, ?, ?, ?)"
_READ = "SELECT n, at, kind, data FROM inbox WHERE n BETWEEN ? AND ? ORDER BY n"
_TAKE = "DELETE FROM inbox WHERE n BETWEEN ? AND ?"
_OLDEST = "SELECT min(n) FROM inbox WHERE n BETWEEN ? AND ?"  # they leave in order
_ANY = "SELECT 1 FROM inbox WHERE n BETWEEN ? AND ? LIMIT 1"
_ANY_BUT = "SELECT 1 FROM inbox WHERE n BETWEEN ? AND ? AND kind != ? LIMIT 1"


def check_room(tx: Transaction, run: Run, entry: InboxEntry) -> None:
    """Refuse an entry if its `max_waiting` lie in the inbox. InboxFullError."""
    if entry.max_waiting is None:
        return
    bounds = (run.place(0), run.place(MAX_IN_RUN))
    [oldest] = tx.execute(_OLDEST, bounds).fetchone()
    newest = run.place(run.inbox_seq)
    if oldest is not None and newest - oldest + 1 >= entry.max_waiting:
        raise InboxFullError(run.workflow_id, entry.max_waiting)


def add(runs: Runs, run: Run, entries: Iterable[InboxEntry]) -> bool:
    """Append entries to the inbox of an open run; return whether any was taken.

    Its task is not looked at: see `receive`.
    """
    rows = []
    for entry in entries:
        if entry.kind == CANCEL:
            if run.cancel_requested:
                continue
            run.cancel_requested = 1
        run.inbox_seq += 1
        rows.append((run.place(run.inbox_seq), runs.tx.now, entry.kind, entry.data))
    if rows:
        run.changed = True
        runs.tx.executemany(_INSERT, rows)
    return bool(rows)


def receive(runs: Runs, run: Run | None, *entries: InboxEntry) -> bool:
    """Append entries and ensure the task; return whether there is such an open run."""
    if run is None or not run.open:
        return False
    if add(runs, run, entries):
        ensure_task(runs.tx, run)
    return True


def take(tx: Transaction, run: Run, taken: int) -> None:
    """Remove entries up to this number: they are in the history now."""
    if taken:
        tx.execute(_TAKE, (run.place(0), run.place(min(taken, MAX_IN_RUN))))


def empty(tx: Transaction, run: Run) -> None:
    """Remove all entries."""
    take(tx, run, MAX_IN_RUN)


def move_signals(runs: Runs, old: Run, new: Run) -> None:
    """Append the signals of one inbox to another, in order and with their times."""
    rows = []
    for item in read(runs.tx, old.n):
        if item.kind == SIGNAL:
            new.inbox_seq += 1
            rows.append((new.place(new.inbox_seq), item.at, item.kind, item.data))
    new.changed = new.changed or bool(rows)
    runs.tx.executemany(_INSERT, rows)


def holds(
    tx: Transaction, run: Run, beyond: int = 0, *, but: str | None = None
) -> bool:
    """Return whether entries numbered above `beyond` (of no kind `but`) are there."""
    bounds = (run.place(min(beyond, MAX_IN_RUN) + 1), run.place(MAX_IN_RUN))
    found = (
        tx.execute(_ANY, bounds)
        if but is None
        else tx.execute(_ANY_BUT, (*bounds, but))
    )
    return found.fetchone() is not None


def read(connection: Connection | Transaction, n: int) -> tuple[InboxItem, ...]:
    """Return the whole inbox of the run of this number."""
    base = n << RUN_BITS
    rows = connection.execute(_READ, (base, base + MAX_IN_RUN))
    return tuple(
        InboxItem(seq=place - base, at=at, kind=kind, data=data)
        for place, at, kind, data in rows
    )
