"""What is refused, in the same words by every adapter, and without any trace."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.contract.builders import QUEUE, claim, new
from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_STEP,
    Complete,
    Join,
    NewJob,
    QueueLimits,
    Retry,
    Schedule,
    Settlement,
    Store,
    Value,
)

Call = Callable[[Store], object]
BIG = 2**53
DAILY = Schedule(id="d", queue=QUEUE, type="t", payload=b"", spec="", next_at=1)


def enqueue(**fields: Any) -> Call:
    return lambda store: store.enqueue([replace(new("a"), **fields)], request_id="r")


def settle(*settlements: Settlement) -> Call:
    return lambda store: store.exchange(settlements)


def complete(**fields: Any) -> Call:
    return settle(Complete(job_id="a", token="t", **fields))


def take(**fields: Any) -> Call:
    return lambda store: store.exchange(claim=claim("t", **fields))


def schedule(**fields: Any) -> Call:
    return lambda store: store.upsert_schedule(replace(DAILY, **fields))


def fire(jobs: int = 0, slot: int = 1, next_at: int = 2) -> Call:
    many = [new(str(n)) for n in range(jobs)]
    return lambda store: store.fire_schedule("d", slot=slot, next_at=next_at, jobs=many)


def prune(state: JobState, age_ms: int | None = None, keep: int | None = None) -> Call:
    return lambda store: store.prune(QUEUE, state, age_ms=age_ms, keep=keep)


def limit(**numbers: int) -> Call:
    return lambda store: store.declare_queue(QUEUE, QueueLimits(**numbers))


def member(job: NewJob) -> Join:
    return Join(key="k", index=0, size=1, value=b"", job=job)


REFUSED: list[tuple[Call, str]] = [
    (enqueue(id=""), "the id of a job is empty or holds NUL: ''"),
    (enqueue(queue="a\0"), "the queue of a job is empty or holds NUL: 'a\\x00'"),
    (enqueue(type="\ud800"), "the type of a job has no UTF-8 form: '\\ud800'"),
    (enqueue(dedup_id=""), "the dedup_id of a job is empty or holds NUL: ''"),
    (enqueue(priority=math.nan), "a priority is a finite number, not nan"),
    (enqueue(priority=-math.inf), "a priority is a finite number, not -inf"),
    (
        enqueue(priority=10**400),
        f"a priority is a finite number, not {10**400}",
    ),
    (enqueue(delay_ms=1, run_at=1), "set delay_ms or run_at, not both"),
    (enqueue(delay_ms=BIG), f"delay_ms is out of range: {BIG}"),
    (enqueue(run_at=-BIG), f"run_at is out of range: {-BIG}"),
    (enqueue(expires_ms=BIG), f"expires_ms is out of range: {BIG}"),
    (enqueue(max_stalls=-1), "max_stalls is at least 0, at most 2**53 - 1: -1"),
    (
        lambda store: store.enqueue([new("a")], request_id=""),
        "the request_id is empty or holds NUL: ''",
    ),
    (
        lambda store: store.enqueue([new("a")] * 1001, request_id="r"),
        "at most 1000 jobs in one call, not 1001",
    ),
    (
        settle(Settlement(job_id="a", token="t")),
        "Settlement is not a kind of settlement",
    ),
    (
        settle(*[Complete(job_id="a", token="t")] * 1001),
        "at most 1000 settlements in one call, not 1001",
    ),
    (
        settle(Retry(job_id="a", token="t", delay_ms=1, run_at=1)),
        "set delay_ms or run_at, not both",
    ),
    (
        complete(jobs=(new("b"),) * 1001),
        "at most 1000 jobs in one call, not 1001",
    ),
    (complete(join=member(new(""))), "the id of a job is empty or holds NUL: ''"),
    (
        complete(values=(Value(key="k", value=b"", ttl_ms=BIG),)),
        f"ttl_ms is out of range: {BIG}",
    ),
    (take(slots=-1), "slots is at least 0, at most 2**53 - 1: -1"),
    (take(prefetch=-1), "prefetch is at least 0, at most 2**53 - 1: -1"),
    (take(suspects=-1), "suspects is at least 0, at most 2**53 - 1: -1"),
    (take(lease_ms=0), "lease_ms is at least 1, at most 2**53 - 1: 0"),
    (take(slots=1000, prefetch=1), "a claim is for at most 1000 jobs, not 1001"),
    (
        lambda store: store.renew("me", [("a", "t")] * 1001, lease_ms=1),
        "at most 1000 leases in one call, not 1001",
    ),
    (
        lambda store: store.renew("me", [], lease_ms=0),
        "lease_ms is at least 1, at most 2**53 - 1: 0",
    ),
    (
        lambda store: store.sweep(interval_ms=BIG),
        f"interval_ms is out of range: {BIG}",
    ),
    (
        lambda store: store.bury_unknown(grace_ms=BIG, interval_ms=1),
        f"grace_ms is out of range: {BIG}",
    ),
    (lambda store: store.promote_due(limit=0), "a limit is 1 to 1000, not 0"),
    (
        lambda store: store.reschedule("a", delay_ms=1, run_at=1),
        "set delay_ms or run_at, not both",
    ),
    (prune(JobState.ACTIVE), "active jobs are live: only ended ones are pruned"),
    (
        prune(JobState.FAILED, age_ms=-1),
        "age_ms is at least 0, at most 2**53 - 1: -1",
    ),
    (prune(JobState.FAILED, keep=-1), "keep is at least 0, at most 2**53 - 1: -1"),
    (
        lambda store: store.declare_queue("", QueueLimits()),
        "the name of a queue is empty or holds NUL: ''",
    ),
    (limit(concurrency=0), "concurrency is at least 1, at most 2**53 - 1: 0"),
    (limit(rate_max=BIG), f"rate_max is at least 1, at most 2**53 - 1: {BIG}"),
    (limit(rate_ms=1), "a rate needs both rate_max and rate_ms"),
    (schedule(id=""), "the id of a schedule is empty or holds NUL: ''"),
    (schedule(queue=""), "the queue of a schedule is empty or holds NUL: ''"),
    (schedule(type=""), "the type of a schedule is empty or holds NUL: ''"),
    (schedule(priority=math.inf), "a priority is a finite number, not inf"),
    (schedule(next_at=BIG), f"next_at is out of range: {BIG}"),
    (schedule(expires_ms=BIG), f"expires_ms is out of range: {BIG}"),
    (schedule(max_stalls=-1), "max_stalls is at least 0, at most 2**53 - 1: -1"),
    (fire(slot=BIG), f"slot is out of range: {BIG}"),
    (fire(next_at=BIG), f"next_at is out of range: {BIG}"),
    (fire(jobs=MAX_STEP + 1), "at most 1000 jobs in one call, not 1001"),
    (
        lambda store: store.put_value("value", "k", b"", ttl_ms=BIG),
        f"ttl_ms is out of range: {BIG}",
    ),
    (
        lambda store: store.put_value_if_absent("value", "k", b"", ttl_ms=-BIG),
        f"ttl_ms is out of range: {-BIG}",
    ),
    (
        lambda store: store.increment("metric", "n", 2**63),
        f"amount is out of range: {2**63}",
    ),
    (
        lambda store: store.series(QUEUE, since_minute=BIG),
        f"since_minute is out of range: {BIG}",
    ),
]


@pytest.mark.parametrize(
    ("call", "text"),
    REFUSED,
    ids=[ascii(f"{n} {text[:50]}") for n, (_, text) in enumerate(REFUSED)],
)
def test_every_store_refuses_in_the_same_words_and_changes_nothing(
    store: Store, call: Call, text: str
) -> None:
    with pytest.raises(InvalidArgumentError) as refusal:
        call(store)
    assert str(refusal.value) == text
    assert store.list_queues() == []
    assert store.list_schedules() == []
    assert store.list_values("value") == store.list_values("metric") == {}
