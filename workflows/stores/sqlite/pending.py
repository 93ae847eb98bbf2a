"""Jobs that time moves: due ones become waiting, expired ones end."""

from workflows.engine.states import JobState
from workflows.stores.sqlite.deletion import delete_jobs
from workflows.stores.sqlite.timers import fire
from workflows.stores.sqlite.transaction import Transaction

_DUE = """
SELECT n, queue FROM jobs WHERE state = 'delayed' AND run_at <= ?
ORDER BY run_at, seq LIMIT 0 + ?
"""
_PROMOTE = "UPDATE jobs SET state = 'waiting', run_at = NULL, seq = ? WHERE n = ?"
_EXPIRED = """
SELECT n, queue, state, kind FROM jobs
WHERE expires_at <= ? AND expires_at IS NOT NULL AND state IN ('waiting', 'delayed')
ORDER BY expires_at, id LIMIT 0 + ?
"""
_EXPIRE = """
UPDATE jobs SET state = 'expired', run_at = NULL, finished_at = ? WHERE n = ?
"""


def promote(tx: Transaction, limit: int) -> int:
    """Make due jobs waiting, in order of (run_at, place), in new places."""
    rows = tx.execute(_DUE, (tx.now, limit)).fetchall()
    if rows:
        tx.executemany(_PROMOTE, [(tx.next_seq(), n) for n, _ in rows])
        for _, queue in rows:
            tx.moved(queue, JobState.DELAYED, JobState.WAITING)
    return len(rows)


def promote_due(tx: Transaction, limit: int) -> tuple[int, int | None]:
    """See `Store.promote_due`."""
    number = promote(tx, limit)
    fired, timer_at = fire(tx, limit)
    (due_at,) = tx.execute(
        "SELECT min(run_at) FROM jobs WHERE state = 'delayed'"
    ).fetchone()
    times = [at for at in (due_at, timer_at) if at is not None]
    return number + fired, max(0, min(times) - tx.now) if times else None


def expire_due(tx: Transaction, limit: int) -> int:
    """End pending jobs whose `expires_at` has come."""
    rows = tx.execute(_EXPIRED, (tx.now, limit)).fetchall()
    if rows:
        tx.executemany(_EXPIRE, [(tx.now, n) for n, _, _, _ in rows])
        for _, queue, state, _ in rows:
            tx.moved(queue, JobState(state), JobState.EXPIRED)
            tx.total(queue, "expired", "expired")
        owned = [n for n, _, _, kind in rows if kind is not None]
        if owned:
            delete_jobs(tx, owned)  # engine-owned jobs leave no record
    return len(rows)
