"""What a person does to one job: cancel, reschedule, promote, remove, retry."""

from typing import Literal

from workflows.engine.states import AMENDABLE, PENDING, JobState
from workflows.exceptions import ConflictError, NotFoundError
from workflows.store import Step
from workflows.stores.sqlite.deletion import delete_jobs
from workflows.stores.sqlite.listing import first_delayed
from workflows.stores.sqlite.transaction import Transaction

_PEND = """
UPDATE jobs SET state = ?, run_at = ?, ready_at = ?, seq = ? WHERE n = ?
"""
_REVIVE = """
UPDATE jobs SET state = 'waiting', seq = ?, ready_at = ?, attempts = 0, stalls = 0,
    releases = 0, dead_retries = dead_retries + 1, dedup_id = NULL, expires_at = NULL,
    first_started_at = NULL, finished_at = NULL, reason = NULL
WHERE n = ?
"""
_OLDEST_DEAD = """
SELECT n FROM jobs WHERE queue = ? AND state = 'failed' AND finished_at IS NOT NULL
ORDER BY finished_at, id LIMIT 0 + ?
"""


def _find(tx: Transaction, job_id: str) -> tuple[int, str, JobState]:
    """Return number, queue and state of a plain job that exists."""
    row = tx.execute(
        "SELECT n, queue, state, kind FROM jobs WHERE id = ?", (job_id,)
    ).fetchone()
    if row is None:
        msg = f"no job {job_id!r}"
        raise NotFoundError(msg)
    if row[3] is not None:
        msg = f"job {job_id!r} is a workflow's own ({row[3]}): act on its run instead"
        raise ConflictError(msg)
    return row[0], row[1], JobState(row[2])


def cancel(tx: Transaction, job_id: str) -> Literal["cancelled", "requested"]:
    """Cancel a pending job at once; ask an active one to stop."""
    n, queue, state = _find(tx, job_id)
    if state is JobState.ACTIVE:
        tx.execute("UPDATE jobs SET cancel_requested = 1 WHERE n = ?", (n,))
        return "requested"
    if state in PENDING:
        tx.execute(
            "UPDATE jobs SET state = 'cancelled', run_at = NULL, finished_at = ? "
            "WHERE n = ?",
            (tx.now, n),
        )
        tx.moved(queue, state, JobState.CANCELLED)
        tx.total(queue, "cancelled", "cancelled")
    elif state is not JobState.CANCELLED:
        msg = f"job {job_id!r} is {state} already"
        raise ConflictError(msg)
    return "cancelled"


def reschedule(
    tx: Transaction, job_id: str, delay_ms: int, run_at: int | None
) -> JobState:
    """Give a pending job a new due time and place."""
    n, queue, state = _find(tx, job_id)
    if state not in PENDING:
        msg = f"job {job_id!r} is {state}, not pending"
        raise ConflictError(msg)
    return _pend(tx, n, queue, state, tx.due(delay_ms, run_at))


def promote(tx: Transaction, job_id: str) -> None:
    """Make a delayed job waiting now."""
    n, queue, state = _find(tx, job_id)
    if state is not JobState.DELAYED:
        msg = f"job {job_id!r} is {state}, not delayed"
        raise ConflictError(msg)
    _pend(tx, n, queue, state, tx.now)


def promote_all(tx: Transaction, queue: str, limit: int) -> Step:
    """Make the delayed jobs that are due first waiting now."""
    found = first_delayed(tx, queue, limit + 1)
    for n in found[:limit]:
        _pend(tx, n, queue, JobState.DELAYED, tx.now)
    return Step(len(found[:limit]), len(found) > limit)


def amend(
    tx: Transaction, job_id: str, payload: bytes | None, priority: float | None
) -> None:
    """Change a pending job or a dead letter."""
    n, _, state = _find(tx, job_id)
    if state not in AMENDABLE:
        msg = f"job {job_id!r} is {state}: neither pending nor a dead letter"
        raise ConflictError(msg)
    if payload is not None:
        tx.execute("UPDATE messages SET payload = ? WHERE n = ?", (payload, n))
    if priority is not None:
        tx.execute("UPDATE jobs SET priority = ? WHERE n = ?", (priority, n))


def _pend(tx: Transaction, n: int, queue: str, old: JobState, run_at: int) -> JobState:
    new = JobState.DELAYED if run_at > tx.now else JobState.WAITING
    times = (run_at, run_at) if new is JobState.DELAYED else (None, tx.now)
    tx.execute(_PEND, (new.value, *times, tx.next_seq(), n))
    tx.moved(queue, old, new)
    return new


def remove(tx: Transaction, job_id: str) -> None:
    """Delete all of a job that is not active."""
    n, _, state = _find(tx, job_id)
    if state is JobState.ACTIVE:
        msg = f"job {job_id!r} is active: cancel it first"
        raise ConflictError(msg)
    delete_jobs(tx, [n])


def retry_dead(tx: Transaction, job_id: str) -> None:
    """Make a dead letter waiting."""
    n, queue, state = _find(tx, job_id)
    if state is not JobState.FAILED:
        msg = f"job {job_id!r} is {state}, not failed"
        raise ConflictError(msg)
    _revive(tx, n, queue)


def retry_dead_all(tx: Transaction, queue: str, limit: int) -> Step:
    """Make the oldest dead letters of a queue waiting."""
    dead = [n for (n,) in tx.execute(_OLDEST_DEAD, (queue, limit))]
    for n in dead:
        _revive(tx, n, queue)
    return Step(len(dead), tx.counter(queue, "state:failed") > 0)


def _revive(tx: Transaction, n: int, queue: str) -> None:
    tx.execute(_REVIVE, (tx.next_seq(), tx.now, n))
    tx.moved(queue, JobState.FAILED, JobState.WAITING)
