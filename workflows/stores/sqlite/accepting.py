"""Accepting jobs: enqueue, follow-ups, and what remembers a request."""

from collections.abc import Iterable, Sequence

import msgspec

from workflows.engine.states import JobState
from workflows.store import REQUEST_MEMORY_MS, Enqueued, EnqueueStatus, NewJob
from workflows.stores.sqlite.transaction import Transaction
from workflows.stores.validation import due

_CREATED = EnqueueStatus.CREATED

_INSERT = """
INSERT INTO jobs (id, queue, type, state, seq, priority, max_stalls, created_at, run_at,
                  ready_at, expires_at, dedup_id, trace, headers, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_FORGET = {
    table: f"DELETE FROM {table} WHERE n IN "  # noqa: S608 - names of this module
    f"(SELECT n FROM {table} WHERE n > 0 ORDER BY n LIMIT 0 + ?) AND at < ?"
    for table in ("requests", "claims", "settled")
}


def as_json(values: Iterable[str | int]) -> str:
    """Return a list that SQL can read with json_each."""
    return msgspec.json.encode([*values]).decode()


def enqueue(tx: Transaction, jobs: Sequence[NewJob], request_id: str) -> list[Enqueued]:
    """Accept jobs once per request id; see `Store.enqueue`."""
    row = tx.execute(
        "SELECT answers FROM requests WHERE id = ?", (request_id,)
    ).fetchone()
    if row is not None:
        return _remembered(jobs, row[0])
    answers = insert(tx, jobs)
    if answers:
        _remember(tx, request_id, answers)
    return answers


def _remember(tx: Transaction, request_id: str, answers: list[Enqueued]) -> None:
    """Keep the answers; if all jobs were created, the request itself tells them."""
    kept = None
    if any(answer.status is not _CREATED for answer in answers):
        kept = msgspec.json.encode([(each.id, each.status) for each in answers])
    tx.execute(
        "INSERT INTO requests (id, at, answers) VALUES (?, ?, ?)",
        (request_id, tx.now, kept),
    )
    forget(tx, "requests", 2)


def _remembered(jobs: Sequence[NewJob], kept: bytes | None) -> list[Enqueued]:
    if kept is None:
        return [Enqueued(job.id, _CREATED) for job in jobs]
    pairs = msgspec.json.decode(kept, type=list[tuple[str, str]])
    return [Enqueued(job_id, EnqueueStatus(status)) for job_id, status in pairs]


def forget(tx: Transaction, table: str, limit: int) -> None:
    """Drop up to `limit` of the oldest memories of a table, if their time is over.

    Called wherever one is added, with a larger limit, so that no table grows for ever.
    """
    tx.execute(_FORGET[table], (limit, tx.now - REQUEST_MEMORY_MS))


def insert(tx: Transaction, jobs: Sequence[NewJob]) -> list[Enqueued]:
    """Insert those jobs whose id and dedup id are free; one answer per job."""
    if not jobs:
        return []
    taken = _taken(tx, jobs)
    holders: dict[tuple[str, str], str] = {}
    rows, answers = [], []
    for job in jobs:
        if job.id in taken:
            answers.append(Enqueued(job.id, EnqueueStatus.DUPLICATE))
            continue
        holder = _holder(tx, job, holders)
        if holder is not None:
            answers.append(Enqueued(holder, EnqueueStatus.DEDUPLICATED))
            continue
        taken.add(job.id)
        rows.append(_row(tx, job))
        answers.append(Enqueued(job.id, _CREATED))
    queues = dict.fromkeys(row[1] for row in rows)
    tx.executemany(
        "INSERT INTO queues (name) VALUES (?) ON CONFLICT DO NOTHING", zip(queues)
    )
    tx.executemany(_INSERT, rows)
    return answers


def _taken(tx: Transaction, jobs: Sequence[NewJob]) -> set[str]:
    """Return which of the ids exist."""
    rows = tx.execute(
        "SELECT id FROM jobs WHERE id IN (SELECT value FROM json_each(?))",
        (as_json(job.id for job in jobs),),
    )
    return {job_id for (job_id,) in rows}


def _holder(
    tx: Transaction, job: NewJob, holders: dict[tuple[str, str], str]
) -> str | None:
    """Return the live job that holds the dedup id; otherwise `job` takes it."""
    if job.dedup_id is None:
        return None
    pair = (job.queue, job.dedup_id)
    if pair in holders:
        return holders[pair]
    row = tx.execute(
        "SELECT id FROM jobs WHERE queue = ? AND dedup_id = ? AND finished_at IS NULL",
        pair,
    ).fetchone()
    holders[pair] = row[0] if row else job.id
    return row[0] if row else None


def _row(tx: Transaction, job: NewJob) -> tuple[object, ...]:
    """Return the row of a job that is accepted, and count it."""
    now = tx.now
    run_at: int | None = due(now, job.delay_ms, job.run_at)
    state, ready_at = JobState.DELAYED, run_at
    if run_at is None or run_at <= now:
        state, run_at, ready_at = JobState.WAITING, None, now
    tx.moved(job.queue, None, state)
    tx.total(job.queue, "enqueued", "enqueued")
    return (
        job.id,
        job.queue,
        job.type,
        state.value,
        tx.next_seq(),
        job.priority,
        job.max_stalls,
        now,
        run_at,
        ready_at,
        None if job.expires_ms is None else now + job.expires_ms,
        job.dedup_id,
        job.trace,
        job.headers,
        job.payload,
    )
