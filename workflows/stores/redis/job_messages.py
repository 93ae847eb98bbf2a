"""New jobs on their way to the scripts; see scripts/lib/accept.lua."""

from workflows.store import Deadlines, Dedup, JobKind, NewJob
from workflows.stores.redis.wire import Packed, raw

DEFAULT_STALLS = 3  # left out of the record
KIND_CODES = {
    JobKind.ACTIVITY: "a",
    JobKind.WORKFLOW_TASK: "w",
    JobKind.QUERY: "q",
    JobKind.UPKEEP: "u",
}


def pack_job(job: NewJob) -> Packed:
    """Return a job as the scripts read it."""
    packed = (
        job.id,
        job.queue,
        job.type,
        raw(job.payload),
        raw(job.headers) if job.headers else None,
        float(job.priority) or None,
        job.delay_ms,
        job.run_at,
        job.expires_ms,
        job.max_stalls if job.max_stalls != DEFAULT_STALLS else None,
        job.dedup_id,
        job.trace or None,
    )
    if job.dedup is not None:
        return (*packed, None, None, None, _pack_dedup(job.dedup))
    if job.kind is JobKind.PLAIN:
        return packed
    timeouts = _pack_timeouts(job.deadlines) if job.deadlines else None
    return (*packed, KIND_CODES[job.kind], job.run_id or None, timeouts)


def _pack_dedup(dedup: Dedup) -> Packed:
    return (dedup.ttl_ms or False, dedup.extend, dedup.on_duplicate.value)


def _pack_timeouts(deadlines: Deadlines) -> str | None:
    numbers = (
        deadlines.schedule_to_start_ms,
        deadlines.start_to_close_ms,
        deadlines.schedule_to_close_ms,
        deadlines.heartbeat_ms,
    )
    if all(number is None for number in numbers):
        return None
    return " ".join("-" if number is None else str(number) for number in numbers)


def read_timeouts(text: bytes | None) -> Deadlines | None:
    """Return the timeouts that a record holds."""
    if text is None:
        return None
    start, close, whole, beat = (
        None if part == b"-" else int(part) for part in text.split(b" ")
    )
    return Deadlines(
        schedule_to_start_ms=start,
        start_to_close_ms=close,
        schedule_to_close_ms=whole,
        heartbeat_ms=beat,
    )
