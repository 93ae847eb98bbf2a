"""Bounded steps that delete many jobs: clean, drain, prune."""

from workflows.engine.states import JobState
from workflows.store import Step
from workflows.stores.sqlite.deletion import delete_jobs
from workflows.stores.sqlite.transaction import MINUTE_MS, Transaction

KEEP_MINUTES = 25 * 60  # a day, and what an hour's chart needs at its edge

_OLDEST = """
SELECT n, finished_at FROM jobs
WHERE queue = ? AND state = ? AND finished_at IS NOT NULL
ORDER BY finished_at, id LIMIT 0 + ?
"""
_WAITING = """
SELECT n FROM jobs WHERE queue = ? AND state = 'waiting' AND kind IS NULL LIMIT 0 + ?
"""
_DELAYED = """
SELECT n FROM jobs WHERE queue = ? AND state = 'delayed' AND kind IS NULL LIMIT 0 + ?
"""


def clean(tx: Transaction, queue: str, limit: int) -> Step:
    """Delete the oldest dead letters of a queue."""
    rows = tx.execute(_OLDEST, (queue, JobState.FAILED.value, limit)).fetchall()
    deleted = delete_jobs(tx, [n for n, _ in rows])
    return Step(deleted, tx.counter(queue, "state:failed") > 0)


def drain(tx: Transaction, queue: str, limit: int, *, delayed: bool) -> Step:
    """Delete waiting (and delayed) jobs of a queue."""
    found = tx.execute(_WAITING, (queue, limit + 1)).fetchall()
    if delayed:
        found += tx.execute(_DELAYED, (queue, limit + 1 - len(found))).fetchall()
    deleted = delete_jobs(tx, [n for (n,) in found[:limit]])
    return Step(deleted, len(found) > limit)


def prune(
    tx: Transaction,
    queue: str,
    state: JobState,
    limit: int,
    *,
    age_ms: int | None,
    keep: int | None,
) -> Step:
    """Delete terminal records that are too old or too many, oldest first."""
    surplus = 0
    if keep is not None:
        surplus = max(0, tx.counter(queue, f"state:{state.value}") - keep)
    before = -1 if age_ms is None else tx.now - age_ms
    rows = tx.execute(_OLDEST, (queue, state.value, limit + 1)).fetchall()
    over = [
        n
        for rank, (n, finished_at) in enumerate(rows)
        if rank < surplus or finished_at < before
    ]
    deleted = delete_jobs(tx, over[:limit])
    drop_old_minutes(tx, queue)
    return Step(deleted, len(over) > limit)


def drop_old_minutes(tx: Transaction, queue: str) -> None:
    """Forget minutes that no chart shows any more."""
    tx.execute(
        "DELETE FROM minutes WHERE queue = ? AND minute < ?",
        (queue, tx.now // MINUTE_MS - KEEP_MINUTES),
    )
