"""At the server's memory limit nothing more is accepted, and everything drains."""

from collections.abc import Iterator

import pytest

from tests.clock import ManualClock
from tests.contract.builders import LEASE_MS, add, claim, job, new, settle, take
from tests.integration.redis_stores import open_redis, serving
from tests.servers import ValkeyServer
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import StoreFullError
from workflows.store import (
    Bury,
    Complete,
    FireStatus,
    QueueLimits,
    Release,
    Retry,
    Schedule,
    SettleStatus,
    Value,
)
from workflows.stores.redis import RedisStore


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with serving() as server:
        yield server


@pytest.fixture
def full(server: ValkeyServer) -> Iterator[RedisStore]:
    """A store with jobs in every state, on a server that is at its limit."""
    store = open_redis(server.unix_url, clock=ManualClock())
    store.declare_queue("mail", QueueLimits(concurrency=500))
    store.upsert_schedule(
        Schedule(id="s", queue="mail", type="send", payload=b"", spec="x", next_at=1)
    )
    add(store, *(f"w{n}" for n in range(400)), payload=b"x" * 1000)
    add(store, *(f"d{n}" for n in range(100)), delay_ms=1000)
    add(store, *(f"e{n}" for n in range(100)), expires_ms=500)
    with server.client() as client:
        client.config_set("maxmemory", client.info("memory")["used_memory"] - 100_000)
        yield store
        client.config_set("maxmemory", 0)
    store.wipe()
    store.close()


def test_nothing_is_accepted(full: RedisStore) -> None:
    with pytest.raises(StoreFullError):
        add(full, "more", "still more")
    with pytest.raises(StoreFullError):
        full.put_value("value", "k", b"v")
    with pytest.raises(StoreFullError):
        full.increment("metric", "k")
    assert full.get_job("more") is None
    assert full.get_values("value", ["k"]) == {}
    assert full.fsck() == []


def test_every_settlement_and_claim_works(full: RedisStore) -> None:
    jobs = take(full, "t1", 10)
    assert len(jobs) == 10
    assert full.put_value_if_absent("lock", "l", b"1", lease=(jobs[0].id, "t1"))
    ends = [
        Complete(
            job_id=jobs[0].id,
            token="t1",
            result=b"r" * 5000,
            jobs=(new("follow"),),
            values=(Value(key="k", value=b"v" * 5000),),
        ),
        Complete(job_id=jobs[1].id, token="t1", remove=True),
        Retry(job_id=jobs[2].id, token="t1", failure=b"f" * 5000),
        Retry(job_id=jobs[3].id, token="t1", delay_ms=10, linger=True),
        Bury(job_id=jobs[4].id, token="t1", failure=b"f", reason=DeadReason.MANUAL),
        Release(job_id=jobs[5].id, token="t1", started=True),
    ]
    answer = full.exchange(ends, claim("t2", 100))
    assert answer.statuses == (SettleStatus.OK,) * len(ends)
    assert len(answer.jobs) == 100
    assert job(full, "follow").state is JobState.WAITING
    assert full.get_values("result", ["k"]) == {"k": b"v" * 5000}
    assert full.fsck() == []


def test_what_a_ticker_does_works(full: RedisStore) -> None:
    clock = full._scripts._clock
    assert isinstance(clock, ManualClock)
    take(full, "t1", 5)
    assert full.renew("me", [("w0", "t1")], lease_ms=LEASE_MS).lost == ()
    clock.advance(1000)
    assert full.expire_due() == 100
    assert full.promote_due() == (100, None)
    full.sweep(interval_ms=LEASE_MS)
    clock.advance(LEASE_MS)
    assert len(full.sweep(interval_ms=LEASE_MS)) == 5
    fired = full.fire_schedule("s", slot=1, next_at=2, jobs=[new("sched:s:1")])
    assert fired is FireStatus.FIRED
    assert full.bury_unknown(grace_ms=0, interval_ms=1000, limit=7) != []
    assert full.fsck() == []


def test_what_an_operator_does_works(full: RedisStore) -> None:
    assert full.cancel("w1") == "cancelled"
    assert full.reschedule("w2", delay_ms=5) is JobState.DELAYED
    full.promote("w2")
    full.remove("w3")
    full.pause("mail", by="Ann")
    full.resume("mail")
    full.set_limits("mail", QueueLimits(concurrency=3))
    assert full.prune("mail", JobState.CANCELLED, age_ms=None, keep=0).count == 1
    assert full.drain("mail", delayed=True, limit=100).count == 100
    assert full.fsck() == []


def test_once_drained_it_accepts_again(full: RedisStore) -> None:
    with pytest.raises(StoreFullError):
        add(full, "more")
    jobs = take(full, "t1", 400)
    done = [Complete(job_id=one.id, token="t1", remove=True) for one in jobs]
    full.exchange(done)
    add(full, "more")
    assert job(full, "more").state is JobState.WAITING


def test_the_same_request_may_be_sent_again_when_there_is_room(
    full: RedisStore, server: ValkeyServer
) -> None:
    with pytest.raises(StoreFullError):
        full.enqueue([new("a"), new("b")], request_id="r")
    with server.client() as client:
        client.config_set("maxmemory", 0)
    full.enqueue([new("a"), new("b")], request_id="r")
    assert {job(full, "a").state, job(full, "b").state} == {JobState.WAITING}
    assert settle(full, Complete(job_id="a", token="x")) is SettleStatus.LOST
