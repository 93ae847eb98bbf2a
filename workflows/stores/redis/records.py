"""Replies of the scripts, as the records of the store contract."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import Raw

from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_HISTORY,
    Attempt,
    Deadlines,
    JobKind,
    JobRecord,
    LeasedJob,
    LogLine,
    Minute,
    QueueInfo,
    QueueLimits,
    Schedule,
    WorkerInfo,
    task_job_id,
)
from workflows.stores.redis.connection import Reply
from workflows.stores.redis.job_messages import KIND_CODES, read_timeouts
from workflows.stores.redis.wire import raw

Fields = Mapping[bytes, bytes]
_TASKS = len(task_job_id(""))  # the id of a workflow task is this much longer
_DETACHED = b"d"
_KINDS = {code.encode(): kind for kind, code in KIND_CODES.items()}
_KINDS[_DETACHED] = JobKind.ACTIVITY
_TASK = KIND_CODES[JobKind.WORKFLOW_TASK].encode()


def as_fields(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return a flat reply of names and values as a mapping."""
    pairs = iter(flat)
    return dict(zip(pairs, pairs, strict=True))


def _number(value: bytes | None) -> int | None:
    return None if value is None else int(float(value))


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()


def leased_job(row: Sequence[Reply], token: str) -> LeasedJob:
    """Read a granted job: the reply of scripts/exchange.lua."""
    payload, headers, trace, created, ready, expires, started = row[:7]
    id, queue, type, priority, lease_until = row[7:12]
    attempts, stalls, first = row[12:15] or (None, None, started)
    owned = _owned(id, int(created), row[15:]) if len(row) > 15 else {}
    return LeasedJob(
        id=id.decode(),
        queue=queue.decode(),
        type=type.decode(),
        payload=payload or b"",
        headers=headers or b"",
        token=token,
        attempt=int(attempts or 0) + 1,
        stalls=int(stalls or 0),
        priority=float(priority),
        created_at=int(created),
        ready_at=int(ready),
        first_started_at=int(first or started),
        started_at=int(started),
        expires_at=None if expires is None else int(expires),
        lease_until=int(lease_until),
        trace=trace.decode() if trace else "",
        **owned,
    )


def _owned(id: bytes, created: int, more: Sequence[Reply]) -> dict[str, Any]:
    """What a granted job has more if it is the engine's."""
    code, run, timeouts, details, failure = more
    deadlines = read_timeouts(timeouts)
    return {
        "kind": _KINDS[code],
        "run_id": _run_of(code, run, id),
        "deadlines": deadlines,
        "close_at": _close_at(deadlines, created),
        "details": details or b"",
        "failure": failure or b"",
    }


def _run_of(code: bytes, run: bytes | None, id: bytes) -> str:
    """Return the run of an owned job; a workflow task says it in its id."""
    return (id[_TASKS:] if code == _TASK else run or b"").decode()


def _close_at(deadlines: Deadlines | None, created: int) -> int | None:
    whole = deadlines.schedule_to_close_ms if deadlines else None
    return None if whole is None else created + whole


def job_record(id: str, fields: Fields, lease_end: bytes | None) -> JobRecord:
    """Read the hash of a job (scripts/lib/job.lua lists its fields)."""
    get = fields.get
    state = JobState(fields[b"state"].decode())
    code = get(b"kind")
    detached = code == _DETACHED
    active, delayed = state is JobState.ACTIVE, state is JobState.DELAYED
    completed = state is JobState.COMPLETED
    reason = get(b"reason")
    owned = _owned_record(id, fields, code) if code else {}
    return JobRecord(
        id=id,
        queue=fields[b"queue"].decode(),
        type=fields[b"type"].decode(),
        payload=get(b"payload", b""),
        headers=get(b"headers", b""),
        priority=float(get(b"priority", b"0")),
        state=state,
        attempts_made=int(get(b"attempts", b"0")) + completed,
        stalls=int(get(b"stalls", b"0")),
        releases=int(get(b"releases", b"0")),
        max_stalls=int(get(b"max_stalls", b"3")),
        created_at=int(fields[b"created"]),
        run_at=int(fields[b"ready"]) if delayed else None,
        ready_at=int(fields[b"ready"]),
        expires_at=_number(get(b"expires")),
        started_at=_number(get(b"started")),
        finished_at=_number(get(b"finished")),
        owner=_text(get(b"owner")),
        lease_until=_number(lease_end) if active and not detached else None,
        cancel_requested=active and b"cancel" in fields,
        dedup_id=_text(get(b"dedup")),
        result=get(b"result"),
        failure=get(b"failure", b""),
        reason=DeadReason(reason.decode()) if reason else None,
        dead_retries=int(get(b"dead_retries", b"0")),
        trace=get(b"trace", b"").decode(),
        attempts=_attempts(fields, completed=completed),
        progress=get(b"progress", b""),
        checkpoint=get(b"checkpoint", b""),
        logged=int(get(b"logged", b"0")),
        **owned,
    )


def _owned_record(id: str, fields: Fields, code: bytes) -> dict[str, Any]:
    """What a record has more if it is the engine's."""
    deadlines = read_timeouts(fields.get(b"timeouts"))
    return {
        "kind": _KINDS[code],
        "run_id": _run_of(code, fields.get(b"run"), id.encode()),
        "deadlines": deadlines,
        "close_at": _close_at(deadlines, int(fields[b"created"])),
        "beat_at": _number(fields.get(b"beat")),
        "details": fields.get(b"details", b""),
        "detached": code == _DETACHED,
    }


def _attempts(fields: Fields, *, completed: bool) -> tuple[Attempt, ...]:
    """The recorded attempts, and the one that completed the job: its own fields."""
    newest = int(fields.get(b"history", b"0"))
    oldest = max(1, newest - MAX_HISTORY + 1)
    numbered = (fields.get(b"a%d" % n) for n in range(oldest, newest + 1))
    attempts = [_attempt(record) for record in numbered if record is not None]
    if completed:
        last = Attempt(
            attempt=int(fields.get(b"attempts", b"0")) + 1,
            started_at=int(fields[b"started"]),
            ended_at=int(fields[b"finished"]),
            owner=fields[b"owner"].decode(),
            outcome="completed",
        )
        attempts.append(last)
    return tuple(attempts[-MAX_HISTORY:])


def _attempt(record: bytes) -> Attempt:
    number, started, ended, outcome, size, rest = record.split(b" ", 5)
    length = int(size)
    return Attempt(
        attempt=int(number),
        started_at=int(started),
        ended_at=int(ended),
        owner=rest[:length].decode(),
        outcome=outcome.decode(),  # type: ignore[arg-type]  # one of the literals
        failure=rest[length:],
    )


def log_line(n: int, line: bytes) -> LogLine:
    """Read a line of a job's log."""
    at, _, text = line.partition(b" ")
    return LogLine(n, int(at), text.decode())


# -- pages ---------------------------------------------------------------------------


def make_cursor(state: JobState, score: bytes, member: bytes) -> str:
    """Return the opaque place of a job in the order of a state."""
    text = b"%s %s %s" % (state.value.encode(), score, member)
    return base64.urlsafe_b64encode(text).decode()


def read_cursor(cursor: str, state: JobState) -> tuple[float, Raw]:
    """Return the score and member that a cursor of this state holds, for list_jobs.lua.

    Raises:
        InvalidArgumentError: `make_cursor` did not make it for this state.
    """
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        made_for, score, member = text.split(b" ", 2)
        if made_for.decode() != state.value or not member:
            raise ValueError(made_for)
        return float(score), raw(member)
    except (ValueError, binascii.Error, UnicodeError):
        msg = f"this is not a cursor of the {state} jobs of a queue"
        raise InvalidArgumentError(msg) from None


# -- queues, workers, schedules ------------------------------------------------------


def queue_info(row: Sequence[Reply]) -> QueueInfo:
    """Read a queue: the reply of scripts/get_queues.lua."""
    name, counts, totals, settings, oldest = row
    fields = as_fields(settings)
    overridden = b"overridden" in fields
    return QueueInfo(
        name=name.decode(),
        counts={
            JobState(state.decode()): count
            for state, count in zip(counts[::2], counts[1::2], strict=True)
        },
        totals={key.decode(): int(n) for key, n in as_fields(totals).items()},
        paused=b"paused" in fields,
        paused_by=fields.get(b"paused_by", b"").decode(),
        limits=_limits(fields, b"operator" if overridden else b"declared"),
        overridden=overridden,
        oldest_waiting_at=oldest,
    )


def _limits(fields: Fields, whose: bytes) -> QueueLimits:
    return QueueLimits(
        concurrency=_number(fields.get(whose + b"_concurrency")),
        rate_max=_number(fields.get(whose + b"_rate_max")),
        rate_ms=_number(fields.get(whose + b"_rate_ms")),
    )


def minute(row: Sequence[Reply]) -> Minute:
    """Read a minute: the reply of scripts/series.lua."""
    number, counts = row
    return Minute(
        int(number), {key.decode(): int(n) for key, n in as_fields(counts).items()}
    )


def pack_worker(worker: WorkerInfo) -> tuple[bytes, bytes]:
    """Return the record of a worker, and its types as the scripts read them."""
    types = [(queue, type) for queue, known in worker.queues.items() for type in known]
    return msgspec.json.encode(worker), msgspec.msgpack.encode(types)


def worker(row: Sequence[Reply]) -> WorkerInfo:
    """Read a worker: the reply of scripts/list_workers.lua."""
    record, seen_at = row
    known = msgspec.json.decode(record, type=WorkerInfo)
    return replace(known, seen_at=int(seen_at))


def pack_schedule(schedule: Schedule) -> list[Any]:
    """Return the fields of a schedule that a change replaces, name by value."""
    fields: list[Any] = [
        *("queue", schedule.queue, "type", schedule.type),
        *("payload", raw(schedule.payload), "priority", float(schedule.priority)),
        *("max_stalls", schedule.max_stalls),
    ]
    if schedule.headers:
        fields += ["headers", raw(schedule.headers)]
    if schedule.expires_ms is not None:
        fields += ["expires_ms", schedule.expires_ms]
    if schedule.declared:
        fields += ["declared", 1]
    return fields


def schedule(row: Sequence[Reply]) -> Schedule:
    """Read a schedule: the reply of scripts/list_schedules.lua."""
    id, flat = row
    fields = as_fields(flat)
    get = fields.get
    return Schedule(
        id=id.decode(),
        queue=fields[b"queue"].decode(),
        type=fields[b"type"].decode(),
        payload=fields[b"payload"],
        spec=fields[b"spec"].decode(),
        headers=get(b"headers", b""),
        priority=float(fields[b"priority"]),
        max_stalls=int(fields[b"max_stalls"]),
        expires_ms=_number(get(b"expires_ms")),
        next_at=_number(get(b"next_at")),
        declared=b"declared" in fields,
        paused=b"paused" in fields,
        last_slot=_number(get(b"last_slot")),
        last_fired_at=_number(get(b"last_fired_at")),
        last_job_id=_text(get(b"last_job_id")),
    )
