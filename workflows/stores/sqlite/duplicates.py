"""Dedup ids: who holds one, for how long, and what a duplicate does to its holder.

One that is held until its job ends is in the job's row; one that is held for a time is
a value of the space `dedup`, whose time is that value's.
"""

from dataclasses import dataclass

from workflows.engine.states import PENDING, JobState
from workflows.store import Dedup, NewJob, OnDuplicate
from workflows.stores.sqlite import operating
from workflows.stores.sqlite.transaction import Transaction
from workflows.stores.sqlite.values import has_values, hold_value

SPACE = "dedup"

_LIVE = "SELECT id FROM jobs WHERE queue = ? AND dedup_id = ? AND finished_at IS NULL"
_TIMED = """
SELECT value, expires_at FROM kv WHERE space = 'dedup' AND key = ? AND expires_at > ?
"""
_STATE = "SELECT state FROM jobs WHERE id = ? AND queue = ? AND kind IS NULL"


@dataclass(frozen=True, slots=True)
class Hold:
    """A dedup id that is taken; `until`: when it is free again, if not by an end."""

    job_id: str
    until: int | None = None


def find_hold(tx: Transaction, queue: str, dedup_id: str) -> Hold | None:
    """Return who holds a dedup id."""
    row = tx.execute(_LIVE, (queue, dedup_id)).fetchone()
    if row is not None:
        return Hold(row[0])
    if not has_values(tx, SPACE):
        return None
    row = tx.execute(_TIMED, (_key(queue, dedup_id), tx.now)).fetchone()
    return None if row is None else Hold(row[0].decode(), row[1])


def meet(tx: Transaction, job: NewJob, hold: Hold, rule: Dedup) -> bool | None:
    """Do to the holder what the new job says: True: it is gone, None: put off."""
    assert job.dedup_id is not None  # noqa: S101 - it is held
    if hold.until is not None and rule.extend:
        keep(tx, job, hold.job_id, tx.now + (rule.ttl_ms or 0))
    row = tx.execute(_STATE, (hold.job_id, job.queue)).fetchone()
    state = None if row is None else JobState(row[0])
    if rule.on_duplicate is OnDuplicate.REPLACE and state is JobState.DELAYED:
        operating.remove(tx, hold.job_id)
        return True
    if rule.on_duplicate is OnDuplicate.RESCHEDULE and state in PENDING:
        operating.reschedule(tx, hold.job_id, job.delay_ms, job.run_at)
        return None
    return False


def keep(tx: Transaction, job: NewJob, job_id: str, until: int) -> None:
    """Let a job hold the new job's dedup id for a time."""
    assert job.dedup_id is not None  # noqa: S101 - as above
    hold_value(tx, SPACE, _key(job.queue, job.dedup_id), job_id.encode(), until)


def _key(queue: str, dedup_id: str) -> str:
    return f"{len(queue.encode())}:{queue}:{dedup_id}"
