"""At the server's memory limit no run starts and no signal comes; the rest goes on."""

from collections.abc import Iterator

import pytest

from tests.clock import ManualClock
from tests.contract.run_builders import (
    activity,
    commit,
    entry,
    exchange,
    inline,
    new_run,
    ref,
    take_task,
)
from tests.integration.redis_stores import open_redis, serving
from tests.servers import ValkeyServer
from workflows.exceptions import StoreFullError
from workflows.store import Close, NewTimer, RunStatus, SettleStatus, StartRun
from workflows.stores.redis import RedisStore


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with serving() as server:
        yield server


@pytest.fixture
def full(server: ValkeyServer) -> Iterator[RedisStore]:
    """A store with the runs `r` and `o`, on a server that is at its limit."""
    store = open_redis(server.unix_url, clock=ManualClock())
    store.start_run(StartRun(run=new_run()), request_id="1")
    store.start_run(StartRun(run=new_run("o", "ow")), request_id="2")
    with server.client() as client:
        client.config_set("maxmemory", client.info("memory")["used_memory"] - 100_000)
        yield store
        client.config_set("maxmemory", 0)
    assert store.fsck() == []
    store.wipe()
    store.close()


def test_nothing_starts_not_even_in_place_of_another_run(full: RedisStore) -> None:
    with pytest.raises(StoreFullError):
        full.start_run(StartRun(run=new_run("n", "nw")), request_id="3")
    instead = StartRun(
        run=new_run("n"),
        conflict="terminate_existing",
        terminate=Close(status=RunStatus.TERMINATED),
    )
    with pytest.raises(StoreFullError):
        full.start_run(instead, request_id="4")
    assert full.count_runs() == {RunStatus.RUNNING: 2}


def test_a_cancel_request_is_taken_and_a_signal_is_not(full: RedisStore) -> None:
    with pytest.raises(StoreFullError):
        full.send_to_run(ref(), entry(), request_id="5")
    assert full.send_to_run(ref(), entry("cancel"), request_id="6") == "r"
    loaded = full.load_run("r")
    assert loaded is not None
    assert [item.kind for item in loaded.inbox] == ["cancel"]


def test_commits_timers_and_ends_go_on(full: RedisStore) -> None:
    take_task(full)
    timer = NewTimer(key="t", due_at=0, entry=entry("timer"))
    whole = commit(
        full, events=(b"e" * 5000,), activities=(activity(),), inline=inline()
    )
    done = exchange(full, whole)
    assert done.statuses == (SettleStatus.OK,)
    assert full.beat("act", done.jobs[0].token, b"half").held
    chained = commit(full, job_id="act", token=done.jobs[0].token, timers=(timer,))
    assert exchange(full, chained).statuses == (SettleStatus.OK,)
    assert full.promote_due() == (1, None)
    ending = Close(status=RunStatus.TERMINATED)
    assert full.close_run(ref("o", "ow"), ending, request_id="7") == "o"
