"""A call whose reply was lost is sent again, and acts once all the same."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.builders import add, job, new, settle, take
from tests.integration.faulty_link import FaultyLink
from tests.integration.redis_stores import open_redis, serving
from tests.servers import ValkeyServer
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import ConflictError, NotFoundError
from workflows.store import Bury, Report
from workflows.stores.redis import RedisStore

Cut = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with serving() as server:
        yield server


@pytest.fixture
def link(server: ValkeyServer) -> Iterator[FaultyLink]:
    with FaultyLink(server.port) as link:
        yield link


@pytest.fixture
def store(link: FaultyLink) -> Iterator[RedisStore]:
    made = open_redis(f"redis://127.0.0.1:{link.port}/0")
    yield made
    made.close()


@pytest.fixture
def cut(link: FaultyLink) -> Cut:
    """Call something whose first reply is lost."""

    def call(act: Callable[..., Any], *args: Any, **options: Any) -> Any:
        link.lose_next, before = 1, link.lost
        answer = act(*args, **options)
        assert link.lost == before + 1
        return answer

    return call


@pytest.fixture(autouse=True)
def _known(store: RedisStore) -> None:
    """Make the server know the scripts, so that the reply of the act is lost."""
    store.increment("metric", "warm")
    store.pop_value("value", "warm")
    store.put_value_if_absent("value", "warm", b"1")
    for act in (store.remove, store.retry_dead, store.promote, store.amend):
        with pytest.raises(NotFoundError):
            act("unknown")


def test_an_increment_adds_once(store: RedisStore, cut: Cut) -> None:
    assert cut(store.increment, "metric", "n", 5) == 5
    assert store.increment("metric", "n") == 6


def test_a_popped_value_is_not_lost(store: RedisStore, cut: Cut) -> None:
    store.put_value("result", "k", b"\x00v")
    assert cut(store.pop_value, "result", "k") == b"\x00v"
    assert store.pop_value("result", "k") is None


def test_an_empty_value_is_popped_too(store: RedisStore, cut: Cut) -> None:
    store.put_value("result", "k", b"")
    assert cut(store.pop_value, "result", "k") == b""


def test_a_value_that_was_waited_for_is_not_lost(store: RedisStore, cut: Cut) -> None:
    store.put_value("result", "k", b"v")
    assert cut(store.wait_value, "result", "k", timeout_s=0) == b"v"


def test_a_deleted_value_counts_as_deleted(store: RedisStore, cut: Cut) -> None:
    store.put_value("value", "k", b"v")
    assert cut(store.delete_value, "value", "k") is True
    assert store.delete_value("value", "k") is False


def test_whoever_set_a_value_first_is_told_so(store: RedisStore, cut: Cut) -> None:
    assert cut(store.put_value_if_absent, "value", "k", b"mine") is True
    assert store.put_value_if_absent("value", "k", b"other") is False


def test_a_lock_of_a_lease_is_known_to_be_held(store: RedisStore, cut: Cut) -> None:
    add(store, "a")
    take(store, "t")
    lease = ("a", "t")
    assert cut(store.put_value_if_absent, "lock", "l", b"1", lease=lease) is True
    assert store.put_value_if_absent("lock", "l", b"1", lease=lease) is False


def test_a_removed_job_is_no_unknown_one(store: RedisStore, cut: Cut) -> None:
    add(store, "a")
    cut(store.remove, "a")
    with pytest.raises(NotFoundError):
        store.remove("a")


def test_a_retried_dead_letter_is_no_conflict(store: RedisStore, cut: Cut) -> None:
    add(store, "a")
    take(store, "t")
    settle(store, Bury(job_id="a", token="t", failure=b"", reason=DeadReason.MANUAL))
    cut(store.retry_dead, "a")
    assert job(store, "a").dead_retries == 1
    with pytest.raises(ConflictError):
        store.retry_dead("a")


def test_a_promoted_job_is_no_conflict(store: RedisStore, cut: Cut) -> None:
    store.enqueue([new("a", delay_ms=60_000)], request_id="r")
    cut(store.promote, "a")
    assert job(store, "a").state is JobState.WAITING
    with pytest.raises(ConflictError):
        store.promote("a")


def test_an_amended_job_is_no_conflict(store: RedisStore, cut: Cut) -> None:
    store.enqueue([new("a")], request_id="r")
    cut(store.amend, "a", priority=3)
    assert job(store, "a").priority == 3


def test_a_line_is_logged_once(store: RedisStore, cut: Cut) -> None:
    store.enqueue([new("a")], request_id="r")
    take(store, "t")
    assert store.report("a", "t", Report(lines=("warm",)))
    assert cut(store.report, "a", "t", Report(lines=("once",)))
    assert [line.text for line in store.list_log("a").lines] == ["warm", "once"]
