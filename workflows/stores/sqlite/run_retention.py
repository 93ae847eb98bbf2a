"""Deleting runs that closed long ago, with all that is left of them."""

from workflows.store import MAX_STEP, Step
from workflows.stores.sqlite.deletion import delete_owned_jobs
from workflows.stores.sqlite.runs import MAX_IN_RUN, RUN_BITS
from workflows.stores.sqlite.transaction import Transaction

MAX_EVENTS = 10 * MAX_STEP  # that one step deletes, or those of one run

_OLDEST = """
SELECT n, status, length FROM runs
WHERE closed_at < ? AND closed_at IS NOT NULL ORDER BY closed_at, n LIMIT 0 + ?
"""


def prune_runs(tx: Transaction, age_ms: int, limit: int) -> Step:
    """See `Store.prune_runs`; a step ends early if the histories are long."""
    rows = tx.execute(_OLDEST, (tx.now - age_ms, limit + 1)).fetchall()
    pruned, events = 0, 0
    for n, status, length in rows[:limit]:
        events += length
        if pruned and events > MAX_EVENTS:
            break
        _delete(tx, n)
        tx.count_runs(status, -1)
        pruned += 1
    return Step(pruned, len(rows) > pruned)


def _delete(tx: Transaction, n: int) -> None:
    base = n << RUN_BITS
    tx.execute("DELETE FROM events WHERE n BETWEEN ? AND ?", (base, base + MAX_IN_RUN))
    jobs = tx.execute("SELECT n FROM jobs WHERE run = ?", (n,)).fetchall()
    if jobs:
        delete_owned_jobs(tx, [number for (number,) in jobs])
    tx.execute("DELETE FROM runs WHERE n = ?", (n,))
