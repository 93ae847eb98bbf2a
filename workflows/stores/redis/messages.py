"""Requests on their way to the scripts: plain tuples, in the order scripts/ names.

Only the wire form: whoever packs has had it checked (`workflows.stores.validation`).
The scripts' msgpack reader knows no binary type, so bytes travel as its strings, which
may hold any bytes there.
"""

from struct import pack
from typing import Any

from msgspec import Raw

from workflows.store import (
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

DEFAULT_STALLS = 3  # left out of the record

KINDS: dict[type[Settlement], str] = {
    Complete: "complete",
    Retry: "retry",
    Bury: "bury",
    Release: "release",
    Return: "return",
    Cancel: "cancel",
    Expire: "expire",
}

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


def pack_settlement(settlement: Settlement) -> Packed:
    """See scripts/lib/settle.lua."""
    return (
        KINDS[type(settlement)],
        settlement.job_id,
        settlement.token,
        [pack_job(job) for job in settlement.jobs] or None,
        [(v.key, raw(v.value), v.ttl_ms) for v in settlement.values] or None,
        _pack_join(settlement.join) if settlement.join else None,
        *_own_fields(settlement),
    )


def _own_fields(settlement: Settlement) -> Packed:
    """Return what only this kind of settlement has."""
    match settlement:
        case Complete(result=result, remove=remove):
            return (None if result is None else raw(result), remove)
        case Retry(failure=failure, spend=spend, linger=linger):
            times = (settlement.delay_ms, settlement.run_at)
            return (raw(failure), *times, spend, linger)
        case Bury(failure=failure, reason=reason, remove=remove):
            return (raw(failure), reason, settlement.spend, remove, settlement.linger)
        case Release(started=started):
            return (started,)
        case _:
            return ()


def _pack_join(join: Join) -> Packed:
    return (join.key, join.index, join.size, raw(join.value), pack_job(join.job))


def pack_claim(claim: Claim) -> Packed:
    """See scripts/lib/grant.lua."""
    return (
        claim.id,
        claim.owner,
        [(queue.queue, queue.types, queue.share) for queue in claim.queues],
        claim.slots,
        claim.prefetch,
        claim.suspects,
        claim.lease_ms,
    )
