"""Requests on their way to the scripts: plain tuples, in the order scripts/ names.

Validation happens here, before anything is sent. The scripts' msgpack reader knows no
binary type, so bytes travel as its strings, which may hold any bytes there.
"""

import sys
from collections.abc import Sequence
from struct import pack
from typing import Any

from msgspec import Raw

from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_STEP,
    Bury,
    Cancel,
    Claim,
    Complete,
    Expire,
    Join,
    NewJob,
    Release,
    Retry,
    Return,
    Settlement,
)

MAX_PRIORITY = sys.float_info.max
EXACT = 2**53  # above it a Lua number is not exact
DEFAULT_STALLS = 3  # left out of the record

Packed = tuple[Any, ...]


def raw(value: bytes) -> Raw:
    """Return bytes as a msgpack string."""
    size = len(value)
    if size < 0x20:
        return Raw(b"%c%b" % (0xA0 | size, value))
    if size < 0x100:
        return Raw(b"\xd9%c%b" % (size, value))
    if size < 0x10000:
        return Raw(b"\xda%b%b" % (pack(">H", size), value))
    return Raw(b"\xdb%b%b" % (pack(">I", size), value))


def pack_job(job: NewJob) -> Packed:
    """See scripts/lib/accept.lua."""
    check_name("id", job.id)
    check_name("queue", job.queue)
    check_name("type", job.type)
    if job.dedup_id is not None:
        check_name("dedup_id", job.dedup_id)
    if not -MAX_PRIORITY <= job.priority <= MAX_PRIORITY:  # NaN is neither
        msg = f"the priority {job.priority} is not finite"
        raise InvalidArgumentError(msg)
    if job.delay_ms and job.run_at is not None:
        msg = "a job has either delay_ms or run_at, not both"
        raise InvalidArgumentError(msg)
    if job.max_stalls < 0:
        msg = "max_stalls is negative"
        raise InvalidArgumentError(msg)
    check_number("delay_ms", job.delay_ms)
    check_number("run_at", job.run_at)
    check_number("expires_ms", job.expires_ms)
    return (
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


def pack_jobs(jobs: Sequence[NewJob]) -> list[Packed] | None:
    """Pack follow-up jobs; None if there are none."""
    if not jobs:
        return None
    check_count("jobs", len(jobs))
    return [pack_job(job) for job in jobs]


def pack_settlement(settlement: Settlement) -> Packed:
    """See scripts/lib/settle.lua."""
    common = (
        settlement.job_id,
        settlement.token,
        pack_jobs(settlement.jobs),
        [(v.key, raw(v.value), v.ttl_ms) for v in settlement.values] or None,
        _pack_join(settlement.join) if settlement.join else None,
    )
    match settlement:
        case Complete(result=result, remove=remove):
            return (
                "complete",
                *common,
                None if result is None else raw(result),
                remove,
            )
        case Retry():
            return ("retry", *common, *_retry_fields(settlement))
        case Bury(failure=failure, reason=reason, spend=spend, remove=remove):
            return (
                "bury",
                *common,
                raw(failure),
                reason,
                spend,
                remove,
                settlement.linger,
            )
        case Release(started=started):
            return ("release", *common, started)
        case Return():
            return ("return", *common)
        case Cancel():
            return ("cancel", *common)
        case Expire():
            return ("expire", *common)
    msg = f"{type(settlement).__name__} is not a settlement"
    raise InvalidArgumentError(msg)


def _retry_fields(retry: Retry) -> Packed:
    if retry.delay_ms and retry.run_at is not None:
        msg = "a retry has either delay_ms or run_at, not both"
        raise InvalidArgumentError(msg)
    check_number("delay_ms", retry.delay_ms)
    check_number("run_at", retry.run_at)
    return (raw(retry.failure), retry.delay_ms, retry.run_at, retry.spend, retry.linger)


def _pack_join(join: Join) -> Packed:
    return (join.key, join.index, join.size, raw(join.value), pack_job(join.job))


def pack_claim(claim: Claim) -> Packed:
    """See scripts/lib/grant.lua."""
    most = claim.slots + claim.prefetch
    if claim.slots < 0 or claim.prefetch < 0 or claim.suspects < 0:
        msg = "slots, prefetch and suspects must not be negative"
        raise InvalidArgumentError(msg)
    if most > MAX_STEP:
        msg = f"a claim is for at most {MAX_STEP} jobs"
        raise InvalidArgumentError(msg)
    if claim.lease_ms < 1:
        msg = "lease_ms must be at least 1"
        raise InvalidArgumentError(msg)
    check_name("id", claim.id)
    return (
        claim.id,
        claim.owner,
        [(queue.queue, queue.types, queue.share) for queue in claim.queues],
        claim.slots,
        claim.prefetch,
        claim.suspects,
        claim.lease_ms,
    )


def check_name(name: str, value: str) -> None:
    """Refuse what is empty or would be cut short somewhere."""
    if not value or "\0" in value:
        msg = f"{name} is empty or holds a NUL character"
        raise InvalidArgumentError(msg)


def check_number(name: str, value: int | None) -> None:
    """Refuse what a Lua number cannot hold exactly."""
    if value is not None and not -EXACT < value < EXACT:
        msg = f"{name} is out of range: {value}"
        raise InvalidArgumentError(msg)


def check_count(name: str, count: int) -> None:
    """Refuse more records than one step may touch."""
    if count > MAX_STEP:
        msg = f"at most {MAX_STEP} {name} at once, not {count}"
        raise InvalidArgumentError(msg)


def check_limit(limit: int) -> None:
    """Refuse a limit outside 1 to MAX_STEP."""
    if not 1 <= limit <= MAX_STEP:
        msg = f"a limit is 1 to {MAX_STEP}, not {limit}"
        raise InvalidArgumentError(msg)
