"""Accepting jobs: enqueue, follow-ups, and what remembers a request."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import msgspec

from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import Dedup, Enqueued, EnqueueStatus, JobKind, NewJob
from workflows.stores.sqlite.deadlines import encode, pending_deadline
from workflows.stores.sqlite.duplicates import find_hold, keep, meet
from workflows.stores.sqlite.memory import as_json, recall, remember
from workflows.stores.sqlite.runs import Run
from workflows.stores.sqlite.transaction import Transaction

_CREATED = EnqueueStatus.CREATED
_PLAIN = JobKind.PLAIN

_INSERT = """
INSERT INTO jobs (n, id, queue, type, state, seq, priority, max_stalls, created_at,
                  run_at, ready_at, expires_at, dedup_id, trace)
VALUES (?1, ?2, ?3, ?4, ?5, ?1, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
"""


_INSERT_OWNED = """
INSERT INTO jobs (n, id, queue, type, state, seq, priority, max_stalls, created_at,
                  run_at, ready_at, expires_at, dedup_id, trace,
                  kind, run, deadline_at, deadlines)
VALUES (?1, ?2, ?3, ?4, ?5, ?1, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
"""


def enqueue(tx: Transaction, jobs: Sequence[NewJob], request_id: str) -> list[Enqueued]:
    """Accept jobs once per request id; see `Store.enqueue`."""
    remembered = recall(tx, "request", request_id)
    if remembered is not None:
        return _remembered(remembered)
    _check_runs(tx, jobs)
    answers = insert(tx, jobs)
    if answers:
        _remember(tx, request_id, answers)
    return answers


def _remember(tx: Transaction, request_id: str, answers: list[Enqueued]) -> None:
    """Keep the answers: the id where a job was created, else id and status."""
    kept = [
        answer.id if answer.status is _CREATED else (answer.id, answer.status)
        for answer in answers
    ]
    remember(tx, "request", request_id, msgspec.json.encode(kept).decode())


def _remembered(kept: str) -> list[Enqueued]:
    answers = msgspec.json.decode(kept, type=list[str | tuple[str, EnqueueStatus]])
    return [
        Enqueued(each, _CREATED) if isinstance(each, str) else Enqueued(*each)
        for each in answers
    ]


def insert(
    tx: Transaction, jobs: Sequence[NewJob], run: Run | None = None
) -> list[Enqueued]:
    """Insert those jobs whose id and dedup id are free; one answer per job.

    `run`: one that exists and need not be looked up.
    """
    if not jobs:
        return []
    if any(job.dedup is not None for job in jobs):
        return [_insert_by_rule(tx, job) for job in jobs]
    taken = _taken(tx, jobs)
    holders: dict[tuple[str, str], str] = {}
    rows, messages, answers = [], [], []
    owned: list[tuple[object, ...]] = []
    for job in jobs:
        if job.id in taken:
            answers.append(Enqueued(job.id, EnqueueStatus.DUPLICATE))
            continue
        holder = _holder(tx, job, holders)
        if holder is not None:
            answers.append(Enqueued(holder, EnqueueStatus.DEDUPLICATED))
            continue
        taken.add(job.id)
        n = tx.next_seq()  # its number for ever, and its first place
        row = _row(tx, job, n)
        if job.kind is _PLAIN:
            rows.append(row)
        else:
            owned.append((*row, *_owned(tx, job, row, run)))
        messages.append((n, job.headers, job.payload))
        answers.append(Enqueued(job.id, _CREATED))
    queues = dict.fromkeys(row[2] for row in (*rows, *owned))
    tx.executemany(
        "INSERT INTO queues (name) VALUES (?) ON CONFLICT DO NOTHING", zip(queues)
    )
    if rows:
        tx.executemany(_INSERT, rows)
    if owned:
        tx.executemany(_INSERT_OWNED, owned)
    tx.executemany(
        "INSERT INTO messages (n, headers, payload) VALUES (?, ?, ?)", messages
    )
    return answers


def _insert_by_rule(tx: Transaction, job: NewJob) -> Enqueued:
    """Insert one job, or do what it says to the job that holds its dedup id."""
    rule, job = job.dedup or Dedup(), replace(job, dedup=None)
    hold = None
    if job.dedup_id is not None and not _taken(tx, [job]):
        hold = find_hold(tx, job.queue, job.dedup_id)
    if hold is not None:
        gone = meet(tx, job, hold, rule)
        if gone is None:
            return Enqueued(hold.job_id, EnqueueStatus.RESCHEDULED)
        if not gone:
            return Enqueued(hold.job_id, EnqueueStatus.DEDUPLICATED)
    until = None if hold is None else hold.until
    if rule.ttl_ms is not None and (until is None or rule.extend):
        until = tx.now + rule.ttl_ms
    if until is None:
        return insert(tx, [job])[0]
    (answer,) = insert(tx, [replace(job, dedup_id=None)])
    if answer.status is _CREATED:
        keep(tx, job, job.id, until)
    return answer


def _owned(
    tx: Transaction, job: NewJob, row: tuple[object, ...], run: Run | None
) -> tuple[object, ...]:
    """Return the columns of an engine-owned job that plain ones do not have."""
    ready_at = cast("int", row[9])
    return (
        job.kind.value,
        run.n if run and run.run_id == job.run_id else _run_number(tx, job),
        pending_deadline(job.deadlines, tx.now, ready_at),
        encode(job.deadlines),
    )


def _run_number(tx: Transaction, job: NewJob) -> int | None:
    if job.kind is JobKind.UPKEEP:
        return None
    row = tx.execute("SELECT n FROM runs WHERE run_id = ?", (job.run_id,)).fetchone()
    if row is None:
        msg = f"job {job.id!r} belongs to the run {job.run_id!r}, which does not exist"
        raise InvalidArgumentError(msg)
    return int(row[0])


def _check_runs(tx: Transaction, jobs: Sequence[NewJob]) -> None:
    """Refuse jobs of runs that do not exist, before anything is written."""
    for job in jobs:
        if job.kind is not _PLAIN:
            _run_number(tx, job)


def _taken(tx: Transaction, jobs: Sequence[NewJob]) -> set[str]:
    """Return which of the ids exist."""
    if len(jobs) == 1:  # json_each costs more than the look-up
        rows = tx.execute("SELECT id FROM jobs WHERE id = ?", (jobs[0].id,))
        return {job_id for (job_id,) in rows}
    rows = tx.execute(
        "SELECT id FROM jobs WHERE id IN (SELECT value FROM json_each(?))",
        (as_json(job.id for job in jobs),),
    )
    return {job_id for (job_id,) in rows}


def _holder(
    tx: Transaction, job: NewJob, holders: dict[tuple[str, str], str]
) -> str | None:
    """Return the job that holds the dedup id; otherwise `job` takes it."""
    if job.dedup_id is None:
        return None
    pair = (job.queue, job.dedup_id)
    if pair in holders:
        return holders[pair]
    hold = find_hold(tx, *pair)
    holders[pair] = hold.job_id if hold else job.id
    return hold.job_id if hold else None


def _row(tx: Transaction, job: NewJob, n: int) -> tuple[object, ...]:
    """Return the row of a job that is accepted, and count it."""
    now = tx.now
    run_at: int | None = tx.due(job.delay_ms, job.run_at)
    state, ready_at = JobState.DELAYED, run_at
    if run_at is None or run_at <= now:
        state, run_at, ready_at = JobState.WAITING, None, now
    tx.moved(job.queue, None, state, type_name=job.type)
    tx.total(job.queue, "enqueued", "enqueued")
    return (
        n,
        job.id,
        job.queue,
        job.type,
        state.value,
        job.priority,
        job.max_stalls,
        now,
        run_at,
        ready_at,
        None if job.expires_ms is None else now + job.expires_ms,
        job.dedup_id,
        job.trace,
    )
