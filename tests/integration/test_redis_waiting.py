"""A process without work sleeps at the server and is woken by whoever makes some."""

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.contract.builders import (
    QUEUE,
    TYPE,
    add,
    claim,
    new,
    put,
    settle,
    take,
    taken,
)
from tests.integration.redis_stores import keys, open_redis
from tests.servers import ValkeyServer
from workflows.exceptions import StoreUnavailableError
from workflows.store import Complete, QueueLimits, Release
from workflows.stores.redis import RedisStore

WANTED = {QUEUE: (TYPE,)}


@pytest.fixture
def store(valkey: ValkeyServer) -> Iterator[RedisStore]:
    made = open_redis(valkey.unix_url)
    made.now()
    yield made
    made.wipe()
    made.close()


def waits(store: RedisStore, seconds: float = 0.02) -> bool:
    """Whether a wait is woken at once."""
    return store.wait(WANTED, seconds)


def woken_after(store: RedisStore, act: Callable[[], object]) -> float:
    """Wait in a thread, act, and return how long the wait went on (seconds)."""
    ended: list[float] = []

    def wait() -> None:
        if store.wait(WANTED, 3):
            ended.append(time.monotonic())

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.1)
    begin = time.monotonic()
    act()
    thread.join()
    assert ended, "the wait timed out"
    return ended[0] - begin


def test_an_enqueue_wakes_a_waiting_process(store: RedisStore) -> None:
    assert woken_after(store, lambda: add(store, "a")) < 0.2


def test_an_enqueue_of_another_process_wakes_it_too(
    store: RedisStore, valkey: ValkeyServer
) -> None:
    namespace = store.info()["namespace"]
    other = open_redis(valkey.url, namespace=str(namespace))
    assert woken_after(store, lambda: add(other, "a")) < 0.2
    other.close()


def test_wake_ends_every_wait_of_the_process(store: RedisStore) -> None:
    ended: list[bool] = []
    threads = [
        threading.Thread(target=lambda: ended.append(store.wait(WANTED, 3)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    begin = time.monotonic()
    store.wake()
    for thread in threads:
        thread.join()
    assert ended == [True] * 3
    assert time.monotonic() - begin < 0.3


def test_a_wait_without_work_ends_in_time(store: RedisStore) -> None:
    begin = time.monotonic()
    assert not store.wait(WANTED, 0.3)
    assert 0.2 < time.monotonic() - begin < 0.6


def test_a_wait_for_other_types_is_not_woken(store: RedisStore) -> None:
    put(store, new("a", type="other"), new("b", queue="other"))
    assert not waits(store)


def test_what_becomes_waiting_in_any_way_wakes(store: RedisStore) -> None:
    add(store, "a")
    add(store, "later", delay_ms=60_000)
    take(store, "t1")
    while waits(store):
        pass
    settle(store, Release(job_id="a", token="t1", started=False))
    assert waits(store), "a release"
    store.promote("later")
    assert waits(store), "a promotion"
    store.pause(QUEUE)
    store.resume(QUEUE)
    assert waits(store), "the end of a pause"


def test_a_claim_that_leaves_work_behind_wakes_the_next(store: RedisStore) -> None:
    add(store, "a", "b", "c")
    assert waits(store)
    assert taken(store, "t1", 2) == ["a", "b"]
    assert waits(store)
    assert taken(store, "t2", 2) == ["c"]
    assert not waits(store)


def test_a_full_claim_wakes_for_the_queues_it_did_not_look_into(
    store: RedisStore,
) -> None:
    put(store, new("a"), new("b", queue="other"))
    assert store.wait({"other": (TYPE,)}, 0.02)
    taken(store, "t1", 1, queues=(QUEUE, "other"))
    assert store.wait({"other": (TYPE,)}, 0.02)


def test_a_freed_place_of_a_full_queue_wakes(store: RedisStore) -> None:
    store.declare_queue(QUEUE, QueueLimits(concurrency=1))
    add(store, "a", "b")
    take(store, "t1", 2)
    while waits(store):
        pass
    settle(store, Complete(job_id="a", token="t1"))
    assert waits(store)


def test_wake_lists_hold_one_token_and_do_not_stay(valkey: ValkeyServer) -> None:
    store = open_redis(valkey.unix_url, namespace="wake-lists")  # others share it
    for n in range(50):
        add(store, f"job-{n}")
    store.wake()
    own = keys(valkey, "{wake-lists}*")
    lists = [key for key, kind in own.items() if kind == b"list"]
    assert len(lists) == 1
    with valkey.client() as client:
        assert client.llen(lists[0]) == 1
        assert 0 < client.pttl(lists[0]) <= 10_000
    store.wipe()
    store.close()


def test_a_wait_on_a_server_that_goes_away_is_an_error(tmp_path: object) -> None:
    with ValkeyServer() as server:
        store = open_redis(server.unix_url)
        store.now()
        server.kill()
        with pytest.raises(StoreUnavailableError):
            store.wait(WANTED, 1)
        server.start()
        assert not waits(store)
        store.close()


def test_a_store_made_and_used_before_a_fork_works_in_the_child(
    store: RedisStore,
) -> None:
    add(store, "a", "b")
    assert taken(store, "parent") == ["a"]
    pid = os.fork()
    if pid == 0:  # the child reports by its exit code
        code = 1
        try:
            code = 0 if taken(store, "child") == ["b"] else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert store.exchange(claim=claim("parent")).jobs[0].id == "a"
    assert store.list_queues()[0].name == QUEUE
