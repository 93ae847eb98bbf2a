"""Inline leases: a new activity goes to the very worker whose commit schedules it."""

from workflows.engine.states import JobState
from workflows.store import InlineLease, LeasedJob, NewJob
from workflows.stores.sqlite.deadlines import active_deadline, close_at, encode
from workflows.stores.sqlite.granting import lease
from workflows.stores.sqlite.kinds import ACTIVITY
from workflows.stores.sqlite.news import queue_topic
from workflows.stores.sqlite.queues import (
    QueueState,
    lingering,
    read_queue,
    save_window,
)
from workflows.stores.sqlite.runs import Run
from workflows.stores.sqlite.transaction import Transaction

_NEW = """
SELECT n, queue FROM jobs
WHERE id = ? AND run = ? AND kind = 'activity' AND state = 'waiting'
"""
_INSERT = """
INSERT INTO jobs (n, id, queue, type, state, seq, priority, max_stalls, created_at,
                  ready_at, trace, kind, run, deadline_at, deadlines,
                  started_at, first_started_at, owner, token, lease_until, lease_ms)
VALUES (?1, ?2, ?3, ?4, 'active', ?1, ?5, ?6, ?7, ?7, ?8, 'activity', ?9, ?10, ?11,
        ?7, ?7, ?12, ?13, ?14, ?15)
ON CONFLICT (id) DO NOTHING
"""
_MESSAGE = "INSERT INTO messages (n, headers, payload) VALUES (?, ?, ?)"


def lease_inline(tx: Transaction, run: Run, wish: InlineLease) -> LeasedJob | None:
    """Lease an activity of a run that waits, if the limits of its queue allow it."""
    row = tx.execute(_NEW, (wish.job_id, run.n)).fetchone()
    if row is None:
        return None
    n, name = row
    queue = _queue_with_room(tx, name)
    if queue is None:
        return None
    _use(tx, queue)
    job = lease(tx, [n], wish.owner, wish.token, wish.lease_ms)[n]
    tx.told.withdraw(queue_topic(name, job.type))
    return job


def start_inline(
    tx: Transaction, run: Run, job: NewJob, wish: InlineLease
) -> LeasedJob | None:
    """Accept a new activity and lease it: what `insert` and `lease_inline` do, at once.

    None, and nothing is written: it must go the long way.
    """
    queue = _queue_with_room(tx, job.queue)
    if queue is None or not _starts_at_once(job, run):
        return None
    n = tx.next_seq()
    if not tx.execute(_INSERT, _row(tx, run, n, job, wish)).rowcount:
        return None
    tx.execute(_MESSAGE, (n, job.headers, job.payload))
    tx.moved(job.queue, None, JobState.ACTIVE)
    tx.total(job.queue, "enqueued", "enqueued")
    _use(tx, queue)
    return _leased(tx, job, wish)


def _queue_with_room(tx: Transaction, name: str) -> QueueState | None:
    queue = read_queue(tx, name)
    if queue is None:
        return None
    taken = 0 if queue.concurrency is None else lingering(tx, name) + tx.places(name)
    return queue if queue.room(tx.now, taken) >= 1 else None


def _use(tx: Transaction, queue: QueueState) -> None:
    """One job of the queue starts."""
    if queue.rate_max is not None:
        queue.use_window(tx.now, 1)
        save_window(tx, queue)


def _starts_at_once(job: NewJob, run: Run) -> bool:
    plain = job.dedup_id is None and job.expires_ms is None
    due = job.run_at is None and job.delay_ms <= 0
    return job.kind.value == ACTIVITY and job.run_id == run.run_id and plain and due


def _row(
    tx: Transaction, run: Run, n: int, job: NewJob, wish: InlineLease
) -> tuple[object, ...]:
    now = tx.now
    return (
        n,
        job.id,
        job.queue,
        job.type,
        job.priority,
        job.max_stalls,
        now,
        job.trace,
        run.n,
        active_deadline(job.deadlines, now, now, None),
        encode(job.deadlines),
        wish.owner,
        wish.token,
        now + wish.lease_ms,
        wish.lease_ms,
    )


def _leased(tx: Transaction, job: NewJob, wish: InlineLease) -> LeasedJob:
    """Return the job as a claim would have granted it."""
    now = tx.now
    return LeasedJob(
        id=job.id,
        queue=job.queue,
        type=job.type,
        payload=job.payload,
        headers=job.headers,
        token=wish.token,
        attempt=1,
        stalls=0,
        priority=float(job.priority),
        created_at=now,
        ready_at=now,
        first_started_at=now,
        started_at=now,
        expires_at=None,
        lease_until=now + wish.lease_ms,
        trace=job.trace,
        kind=job.kind,
        run_id=job.run_id,
        deadlines=job.deadlines,
        close_at=close_at(job.deadlines, now),
    )
