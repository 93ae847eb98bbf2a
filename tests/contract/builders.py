"""Short ways to say what a test means: jobs, claims, one settlement."""

from itertools import count
from typing import Any

from workflows.store import (
    Claim,
    Enqueued,
    JobRecord,
    LeasedJob,
    NewJob,
    QueueClaim,
    Settlement,
    SettleStatus,
    Store,
    WorkerInfo,
)

QUEUE, TYPE = "mail", "send"
LEASE_MS = 30_000
INTERVAL_MS = 5_000
ME = "host:1:boot"
_requests = count(1)


def new(job_id: str, **fields: Any) -> NewJob:
    """A job of queue mail and type send, unless told otherwise."""
    return NewJob(
        **{"id": job_id, "queue": QUEUE, "type": TYPE, "payload": b"{}", **fields}
    )


def add(store: Store, *ids: str, **fields: Any) -> list[Enqueued]:
    """Enqueue jobs of these ids, all with these fields, under a fresh request id."""
    return put(store, *(new(job_id, **fields) for job_id in ids))


def put(store: Store, *jobs: NewJob) -> list[Enqueued]:
    """Enqueue these jobs under a fresh request id."""
    return store.enqueue(jobs, request_id=f"request-{next(_requests)}")


def claim(
    token: str,
    slots: int = 1,
    *,
    queues: tuple[str, ...] = (QUEUE,),
    types: tuple[str, ...] = (TYPE,),
    share: int = 1000,
    **fields: Any,
) -> Claim:
    """A claim on these queues for these types."""
    wanted = tuple(QueueClaim(queue, types, share) for queue in queues)
    return Claim(
        **{
            "id": token,
            "owner": ME,
            "queues": wanted,
            "slots": slots,
            "lease_ms": LEASE_MS,
            **fields,
        }
    )


def take(
    store: Store, token: str, slots: int = 1, **fields: Any
) -> tuple[LeasedJob, ...]:
    """Claim, and return the granted jobs."""
    return store.exchange(claim=claim(token, slots, **fields)).jobs


def taken(store: Store, token: str, slots: int = 1, **fields: Any) -> list[str]:
    """Claim, and return the ids of the granted jobs."""
    return [job.id for job in take(store, token, slots, **fields)]


def settle(store: Store, settlement: Settlement) -> SettleStatus:
    """Apply one settlement."""
    (status,) = store.exchange([settlement]).statuses
    return status


def job(store: Store, job_id: str) -> JobRecord:
    """The record of a job that exists."""
    record = store.get_job(job_id)
    assert record is not None, f"no job {job_id}"
    return record


def totals(store: Store, queue: str = QUEUE) -> dict[str, int]:
    """The totals of a queue that are not 0."""
    info = store.get_queue(queue)
    assert info is not None
    return {key: number for key, number in info.totals.items() if number}


def minutes(store: Store, queue: str = QUEUE) -> dict[str, int]:
    """The counts of all minutes of a queue, added up, without the histograms."""
    counts: dict[str, int] = {}
    for minute in store.series(queue, since_minute=0):
        for key, number in minute.counts.items():
            if not key[1:].isdigit():
                counts[key] = counts.get(key, 0) + number
    return {key: number for key, number in counts.items() if number}


def worker(owner: str = ME, **fields: Any) -> WorkerInfo:
    """A process that knows the type send of the queue mail."""
    return WorkerInfo(
        **{
            "owner": owner,
            "host": "host",
            "pid": 1,
            "queues": {QUEUE: (TYPE,)},
            "slots": 4,
            "running": 0,
            "started_at": 0,
            "version": "0",
            **fields,
        }
    )
