"""The store as a whole: time, test mode, wiping, forking, waiting."""

import threading
import time

import pytest

from tests.clock import START, ManualClock
from tests.conftest import ADAPTERS, MakeStore
from tests.contract.builders import (
    ME,
    add,
    job,
    settle,
    take,
    taken,
    worker,
)
from workflows.engine.states import JobState
from workflows.exceptions import StoreRefusedError
from workflows.store import Complete, QueueLimits, Schedule, Store

each_adapter = pytest.mark.parametrize("kind", ADAPTERS)


# -- time -------------------------------------------------------------------------


def test_time_is_that_of_the_clock(store: Store, clock: ManualClock) -> None:
    assert store.now() == START
    clock.advance(1234)
    assert store.now() == START + 1234
    assert store.exchange().now == START + 1234


def test_time_never_goes_backwards(store: Store, clock: ManualClock) -> None:
    add(store, "a")
    times = []
    for step in (500, -400, 10, -3_600_000, 60_000, 3_600_000, 1):
        clock.advance(step)
        add(store, f"{step}")
        times.append(store.now())
        times.append(store.exchange().now)
    assert times == sorted(times)
    assert times[-1] >= clock.now


def test_a_clock_that_was_set_back_does_not_make_a_lease_longer_than_it_says(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a")
    assert store.exchange().now == START
    clock.advance(-3_600_000)
    (leased,) = take(store, "t", lease_ms=1000)
    assert leased.started_at >= START
    assert leased.lease_until == leased.started_at + 1000


@each_adapter
def test_without_a_clock_time_is_the_wall(make_store: MakeStore, kind: str) -> None:
    store = make_store(kind)
    before = time.time_ns() // 1_000_000
    now = store.now()
    after = time.time_ns() // 1_000_000
    assert before - 5 <= now <= after + 5


@each_adapter
def test_time_goes_on_by_itself(make_store: MakeStore, kind: str) -> None:
    store = make_store(kind)
    first = store.now()
    deadline = time.monotonic() + 5
    while store.now() == first and time.monotonic() < deadline:
        pass
    assert store.now() > first


# -- test mode --------------------------------------------------------------------


@each_adapter
def test_a_test_namespace_refuses_to_run_on_real_time(
    make_store: MakeStore, kind: str, clock: ManualClock
) -> None:
    first = make_store(kind, clock)
    add(first, "a")
    first.close()
    real = make_store(kind)
    with pytest.raises(StoreRefusedError):
        real.now()
    with pytest.raises(StoreRefusedError):
        add(real, "b")
    assert first.get_job("b") is None


@each_adapter
def test_a_real_namespace_refuses_a_clock(
    make_store: MakeStore, kind: str, clock: ManualClock
) -> None:
    first = make_store(kind)
    add(first, "a")
    first.close()
    test = make_store(kind, clock)
    with pytest.raises(StoreRefusedError):
        add(test, "b")
    assert first.get_job("b") is None
    assert job(first, "a").created_at > START


@each_adapter
def test_two_stores_of_one_namespace_share_it(
    make_store: MakeStore, kind: str, clock: ManualClock
) -> None:
    one, two = make_store(kind, clock), make_store(kind, clock)
    add(one, "a")
    assert taken(two, "t") == ["a"]
    assert settle(one, Complete(job_id="a", token="t")) == "ok"
    assert job(two, "a").state is JobState.COMPLETED


@each_adapter
def test_namespaces_do_not_mix(
    make_store: MakeStore, kind: str, clock: ManualClock
) -> None:
    one = make_store(kind, clock, name="one")
    two = make_store(kind, clock, name="two")
    add(one, "a")
    one.put_value("value", "k", b"1")
    assert two.get_job("a") is None
    assert two.list_values("value") == {}
    two.wipe()
    assert job(one, "a").state is JobState.WAITING
    assert one.get_values("value", ["k"]) == {"k": b"1"}


# -- life -------------------------------------------------------------------------


def test_a_wiped_store_is_empty_and_usable(store: Store, clock: ManualClock) -> None:
    store.declare_queue("declared", QueueLimits(concurrency=1))
    store.enqueue([], request_id="empty")
    add(store, "a", "b", dedup_id="d")
    take(store, "t")
    store.put_value("value", "k", b"1")
    store.heartbeat(worker())
    store.upsert_schedule(
        Schedule(
            id="s", queue="mail", type="send", payload=b"", spec="x", next_at=START
        )
    )
    store.wipe()
    assert store.list_queues() == []
    assert store.list_schedules() == []
    assert store.list_workers() == []
    assert store.list_values("value") == {}
    assert store.get_job("a") is None
    assert store.fsck() == []
    assert store.renew(ME, [("a", "t")], lease_ms=1000).lost == ("a",)
    assert add(store, "a", dedup_id="d")[0].status == "created"
    assert taken(store, "u") == ["a"]


def test_a_closed_store_opens_again_at_the_next_call(store: Store) -> None:
    add(store, "a")
    store.close()
    store.close()
    assert job(store, "a").state is JobState.WAITING
    store.close()
    assert taken(store, "t") == ["a"]


def test_a_store_answers_and_describes_itself(store: Store) -> None:
    store.ping()
    facts = store.info()
    assert facts["engine"]
    assert all(isinstance(value, str | int | bool) for value in facts.values())


def test_a_fresh_store_is_healthy(store: Store) -> None:
    assert store.fsck() == []


# -- waiting ----------------------------------------------------------------------


@each_adapter
def test_a_waiter_wakes_when_a_job_comes(make_store: MakeStore, kind: str) -> None:
    store, other = make_store(kind), make_store(kind)
    store.ping()
    woken = threading.Event()

    def wait() -> None:
        while not woken.is_set():
            if store.wait({"mail": ["send"]}, 30.0):
                woken.set()

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    for number in range(50):
        add(other, f"{number}")
        if woken.wait(0.2):
            break
    store.wake()
    waiter.join(10)
    assert woken.is_set()
    assert not waiter.is_alive()


@each_adapter
def test_a_wake_ends_a_wait(make_store: MakeStore, kind: str) -> None:
    store = make_store(kind)
    store.ping()
    ended = threading.Event()

    def wait() -> None:
        store.wait({"mail": ["send"]}, 60.0)
        ended.set()

    waiter = threading.Thread(target=wait, daemon=True)
    waiter.start()
    for _ in range(100):
        store.wake()
        if ended.wait(0.1):
            break
    waiter.join(10)
    assert ended.is_set()


@each_adapter
def test_a_wait_for_nothing_ends_in_time(make_store: MakeStore, kind: str) -> None:
    store = make_store(kind)
    store.ping()
    began = time.monotonic()
    assert store.wait({"mail": ["send"]}, 0.05) is False
    assert time.monotonic() - began < 5
