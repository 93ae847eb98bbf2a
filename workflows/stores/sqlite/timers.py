"""Timers of runs: entries that come into an inbox when they are due."""

from collections.abc import Iterable

from workflows.store import InboxEntry, NewTimer
from workflows.stores.sqlite.inbox import add
from workflows.stores.sqlite.news import TIMERS
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.runs import Run, Runs
from workflows.stores.sqlite.tasks import ensure_task
from workflows.stores.sqlite.transaction import Transaction

_SET = """
INSERT INTO timers (run_id, key, due_at, kind, data) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET due_at = excluded.due_at, kind = excluded.kind,
    data = excluded.data
"""
_CANCEL = "DELETE FROM timers WHERE run_id = ? AND key = ?"
_DUE = """
SELECT run_id, key, kind, data FROM timers WHERE due_at <= ?
ORDER BY due_at, run_id, key LIMIT 0 + ?
"""


def set_timers(tx: Transaction, run: Run, timers: Iterable[NewTimer]) -> None:
    """Set timers of a run."""
    rows = [(run.run_id, x.key, x.due_at, x.entry.kind, x.entry.data) for x in timers]
    if rows:
        tx.executemany(_SET, rows)
        tx.told.tell(TIMERS)


def cancel_timers(tx: Transaction, run: Run, keys: Iterable[str]) -> None:
    """Forget timers of a run; one that is not there is no fault."""
    rows = [(run.run_id, key) for key in keys]
    if rows:
        tx.executemany(_CANCEL, rows)


def cancel_all(tx: Transaction, run: Run) -> None:
    """Forget all timers of a run."""
    tx.execute("DELETE FROM timers WHERE run_id = ?", (run.run_id,))


def fire(tx: Transaction, limit: int) -> tuple[int, int | None]:
    """Fire due timers, in order of (due_at, run id, key).

    Returns how many, and when the next one is due.
    """
    due_at = next_due(tx)
    if due_at is None or due_at > tx.now:
        return 0, due_at
    rows = tx.execute(_DUE, (tx.now, limit)).fetchall()
    runs = Runs(tx)
    touched: dict[int, Run] = {}
    for run_id, _, kind, data in rows:
        run = runs.by_id(run_id)
        if run is not None and add(runs, run, [InboxEntry(kind=kind, data=data)]):
            touched[run.n] = run
    tx.executemany(_CANCEL, [row[:2] for row in rows])
    for run in touched.values():
        ensure_task(tx, run)
    runs.flush()
    return len(rows), next_due(tx)


def next_due(connection: Connection | Transaction) -> int | None:
    """Return when the next timer is due."""
    due_at: int | None = connection.execute(
        "SELECT min(due_at) FROM timers"
    ).fetchone()[0]
    return due_at
