"""Requests on their way to the scripts: plain tuples, in the order scripts/ names.

Only the wire form: whoever packs has had it checked (`workflows.stores.validation`).
"""

from workflows.store import (
    Bury,
    Cancel,
    Claim,
    Commit,
    Complete,
    Detach,
    Expire,
    Join,
    Release,
    Retry,
    Return,
    Settlement,
)
from workflows.stores.redis.job_messages import pack_job
from workflows.stores.redis.run_messages import pack_commit, pack_entry
from workflows.stores.redis.wire import Packed, raw

KINDS: dict[type[Settlement], str] = {
    Complete: "complete",
    Retry: "retry",
    Bury: "bury",
    Release: "release",
    Return: "return",
    Cancel: "cancel",
    Expire: "expire",
    Detach: "detach",
    Commit: "commit",
}


def pack_settlement(settlement: Settlement) -> Packed:
    """See scripts/lib/settle.lua."""
    outcome = settlement.outcome
    return (
        KINDS[type(settlement)],
        settlement.job_id,
        settlement.token,
        [pack_job(job) for job in settlement.jobs] or None,
        [(v.key, raw(v.value), v.ttl_ms) for v in settlement.values] or None,
        _pack_join(settlement.join) if settlement.join else None,
        pack_entry(outcome) if outcome else None,
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
        case Commit():
            return pack_commit(settlement)
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
