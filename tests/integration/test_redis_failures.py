"""What a server can do to a caller: each a clear error, in time, and nothing lost."""

import threading
import time
from collections.abc import Iterator

import pytest
import redis
from redis import exceptions as redis_errors

from tests.contract.builders import add, job, new, settle, take, taken
from tests.integration.redis_stores import open_redis, serving
from tests.servers import ValkeyServer
from workflows.engine.states import JobState
from workflows.exceptions import (
    StoreError,
    StoreFullError,
    StoreRefusedError,
    StoreUnavailableError,
)
from workflows.store import Complete, SettleStatus
from workflows.stores.redis import RedisStore
from workflows.stores.redis.errors import explain

LONGEST = 2.0  # seconds that any call may take


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with serving() as server:
        yield server


@pytest.fixture
def store(server: ValkeyServer) -> Iterator[RedisStore]:
    made = open_redis(server.unix_url, namespace="n")
    add(made, "a")
    yield made
    made.close()


def fails(store: RedisStore) -> StoreUnavailableError:
    """A call fails as it should, in time."""
    begin = time.monotonic()
    with pytest.raises(StoreUnavailableError) as raised:
        add(store, "x")
    assert time.monotonic() - begin < LONGEST
    return raised.value


def test_scripts_that_the_server_forgot_are_sent_again(
    store: RedisStore, server: ValkeyServer
) -> None:
    with server.client() as client:
        client.script_flush()
    assert taken(store, "t") == ["a"]


def test_a_restart_is_survived_without_an_error(
    store: RedisStore, server: ValkeyServer
) -> None:
    server.stop()
    server.start()
    assert taken(store, "t") == ["a"]


def test_every_idle_connection_may_have_been_broken(
    store: RedisStore, server: ValkeyServer
) -> None:
    barrier = threading.Barrier(4)

    def ping() -> None:
        barrier.wait()
        store.ping()

    threads = [threading.Thread(target=ping) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with server.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
    assert [job(store, "a").state for _ in range(3)] == [JobState.WAITING] * 3


def test_a_server_that_is_down_is_reported_in_time_and_found_again(
    store: RedisStore, server: ValkeyServer
) -> None:
    server.kill()
    assert "cannot be reached" in str(fails(store))
    server.start()
    add(store, "b")
    assert taken(store, "t", 5) == ["a", "b"]


def test_a_server_that_hangs_is_reported_in_time(
    store: RedisStore, server: ValkeyServer
) -> None:
    server.freeze()
    try:
        assert "did not answer in time" in str(fails(store))
        fresh = open_redis(server.unix_url)
        assert "did not answer in time" in str(fails(fresh))
    finally:
        server.thaw()
    assert taken(store, "t", 5)[0] == "a"


def test_calls_that_wait_for_one_check_of_a_server_that_hangs_end_with_it(
    server: ValkeyServer,
) -> None:
    fresh, took = open_redis(server.unix_url), list[float]()

    def call() -> None:
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            fresh.ping()
        took.append(time.monotonic() - began)

    calls = [threading.Thread(target=call) for _ in range(6)]
    server.freeze()
    try:
        for thread in calls:
            thread.start()
        for thread in calls:
            thread.join()
    finally:
        server.thaw()
    assert len(took) == 6
    assert max(took) < LONGEST + 0.5  # not one after the other
    fresh.ping()


def test_a_call_that_timed_out_may_have_worked_and_can_be_sent_again(
    store: RedisStore, server: ValkeyServer
) -> None:
    server.freeze()
    with pytest.raises(StoreUnavailableError):
        store.enqueue([new("late")], request_id="r")
    server.thaw()
    again = store.enqueue([new("late")], request_id="r")
    assert [answer.status.value for answer in again] == ["created"]
    assert store.list_jobs("mail", JobState.WAITING).jobs[1].id == "late"


def test_a_late_reply_is_never_taken_for_the_answer_of_another_call(
    store: RedisStore, server: ValkeyServer
) -> None:
    server.freeze()
    with pytest.raises(StoreUnavailableError):
        store.get_job("a")
    server.thaw()
    assert store.get_job("none") is None
    assert job(store, "a").id == "a"


def test_a_busy_server_is_named_so(store: RedisStore, server: ValkeyServer) -> None:
    with server.client() as client:
        client.config_set("lua-time-limit", 50)
    hog = server.client()
    script = "local t = 0 while true do t = t + 1 end"
    thread = threading.Thread(target=lambda: swallow(hog, script))
    thread.start()
    try:
        time.sleep(0.3)
        assert "busy" in str(fails(store))
    finally:
        with server.client() as client:
            client.script_kill()
        thread.join()
    assert taken(store, "t") == ["a"]


def swallow(client: "redis.Redis", script: str) -> None:
    try:
        client.eval(script, 0)
    except redis.RedisError:
        client.close()


def test_a_primary_that_became_a_replica_is_named_so(
    store: RedisStore, server: ValkeyServer
) -> None:
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")
    with pytest.raises(StoreError, match="replica"):
        add(store, "x")
    with server.client() as client:
        client.replicaof("NO", "ONE")
    assert store.get_job("x") is None
    assert taken(store, "t") == ["a"]


@pytest.mark.parametrize(
    "key", ["job:b", "types:mail", "waiting:4:mail:send", "totals:mail"]
)
def test_a_foreign_value_at_a_key_is_a_clear_refusal(
    store: RedisStore, server: ValkeyServer, key: str
) -> None:
    with server.client() as client:
        client.delete(f"{{n}}:{key}")
        client.set(f"{{n}}:{key}", "planted")
    with pytest.raises(StoreRefusedError, match="did not write"):
        add(store, "first", "b")
    assert store.get_job("first") is None


def test_a_foreign_value_at_a_wake_list_hinders_nothing(
    store: RedisStore, server: ValkeyServer
) -> None:
    with server.client() as client:
        client.set("{n}:wake:4:mail:send", "planted")
    add(store, "b")
    assert taken(store, "t", 5) == ["a", "b"]


def test_a_settlement_sent_again_after_a_restart_is_recognised(
    store: RedisStore, server: ValkeyServer
) -> None:
    take(store, "t")
    done = Complete(job_id="a", token="t", remove=True)
    assert settle(store, done) is SettleStatus.OK
    server.stop()
    server.start()
    assert settle(store, done) is SettleStatus.ALREADY


# -- every code that a server may answer with ---------------------------------------


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (redis_errors.OutOfMemoryError("x"), StoreFullError, "memory limit"),
        (
            redis_errors.ResponseError(
                "Error running script (call to f_1): @user_script:9: -OOM command not "
                "allowed when used memory > 'maxmemory'."
            ),
            StoreFullError,
            "memory limit",
        ),
        (redis_errors.ReadOnlyError("x"), StoreUnavailableError, "replica"),
        (redis_errors.BusyLoadingError("x"), StoreUnavailableError, "loading"),
        (redis_errors.MasterDownError("x"), StoreUnavailableError, "lost its primary"),
        (redis_errors.ResponseError("MISCONF x"), StoreUnavailableError, "persist"),
        (redis_errors.ResponseError("NOREPLICAS x"), StoreUnavailableError, "replicas"),
        (redis_errors.ClusterDownError("x"), StoreUnavailableError, "cluster is down"),
        (redis_errors.ConnectionError("x"), StoreUnavailableError, "cannot be reached"),
        (redis_errors.TimeoutError("x"), StoreUnavailableError, "in time"),
        (redis_errors.NoPermissionError("x"), StoreRefusedError, "may not do"),
        (redis_errors.MovedError("1 h:2"), StoreRefusedError, "cluster"),
        (
            redis_errors.AuthenticationError("Authentication required."),
            StoreRefusedError,
            "wants a password",
        ),
        (redis_errors.ResponseError("ERR odd"), StoreUnavailableError, "ERR odd"),
    ],
)
def test_every_error_of_a_server_has_its_kind_and_its_words(
    error: Exception, kind: type[StoreError], words: str
) -> None:
    explained = explain(error, "redis://h:1/0")
    assert type(explained) is kind
    assert words in str(explained)
    assert "redis://h:1/0" in str(explained)
