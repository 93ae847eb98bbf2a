"""Thousands of sleeping runs; `make scale` lets 100,000 sleep."""

import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.processes import own_cpu_ns
from tests.clock import START, ManualClock
from tests.contract.builders import claim
from tests.contract.run_builders import (
    TASKS,
    commit,
    do,
    fresh,
    send,
    start,
    take_tasks,
    timer,
)
from tests.integration.write_holds import sqlite_holds, whatever_happens
from tests.scale.sleeping import Slept, faults, scene
from tests.scale.worker import Process
from tests.servers import ValkeyServer
from workflows.store import MAX_DUE, RunStatus, Store

pytestmark = pytest.mark.integration
RUNS, PROBES, TIMERS = 2_000, 5, 20_000
BLOCKED_MS = 50


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_runs_that_sleep_cost_their_worker_nothing_and_wake_together(
    kind: str, valkey: ValkeyServer, tmp_path: Path
) -> None:
    url = valkey.unix_url if kind == "redis" else f"sqlite:///{tmp_path / 'scale.db'}"
    with scene(url, tmp_path, patience_s=90) as stage:
        seen = stage.play(RUNS, PROBES)
        assert faults(seen) == []
        assert stage.store.fsck() == []


def test_timers_of_many_runs_fire_together_and_block_nobody_for_50_ms(
    make_store: Any, clock: ManualClock
) -> None:
    store = make_store("sqlite", clock)
    runs = [f"r{number}" for number in range(MAX_DUE + 50)]
    for run_id in runs:
        start(store, run_id, f"workflow of {run_id}")
    due = timer("x", START + 100)
    while jobs := take_tasks(store, fresh("token"), 100):
        store.exchange(
            [commit(store, job.run_id, job.token, timers=(due,)) for job in jobs]
        )
    clock.advance(100)
    with sqlite_holds() as longest:
        assert store.promote_due() == (MAX_DUE, 0)
        assert len(take_tasks(store, fresh("token"), 8)) == 8
    assert whatever_happens([longest]) < BLOCKED_MS


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_claim_costs_the_same_however_many_timers_wait(
    kind: str, make_store: Any, clock: ManualClock, valkey: ValkeyServer
) -> None:
    store = make_store(kind, clock)
    server = valkey.pid if kind == "redis" else None
    start(store)
    few = claims_cost_ns(store, server)
    for first in range(0, TIMERS, 1_000):
        keys = range(first, first + 1_000)
        due = tuple(timer(f"{key}", START + 1_000_000 + key) for key in keys)
        if first:
            send(store)
        do(store, timers=due)
    many = claims_cost_ns(store, server)
    assert many < 3 * few  # of what grows with them it would be hundreds


def claims_cost_ns(store: Store, server: int | None) -> int:
    """Return the CPU time of a hundred claims that find nothing: here, and there.

    The least of some tries: a server does other things now and then.
    """
    return min(_claims_cost_ns(store, server) for _ in range(5))


def _claims_cost_ns(store: Store, server: int | None) -> int:
    begun = time.thread_time_ns() + (own_cpu_ns(server) if server else 0)
    for _ in range(100):
        wanted = claim(fresh("claim"), queues=(TASKS,), types=("workflow/Other",))
        assert store.exchange(claim=wanted).jobs == ()
    return time.thread_time_ns() + (own_cpu_ns(server) if server else 0) - begun


def test_a_lost_run_and_a_worker_that_keeps_things_are_faults() -> None:
    process = Process(resident=50_000_000, objects=10_000, threads=9)
    grown = Process(resident=150_000_000, objects=20_000, threads=12)
    counts = {RunStatus.COMPLETED: 999, RunStatus.RUNNING: 1}
    seen = Slept(1_000, processes=[process, process, grown], counts=counts)
    seen.while_waking.ms = [1.0, 6_000.0]
    assert [each.split(":")[0] for each in faults(seen)] == [
        "runs are {<RunStatus.COMPLETED",
        "the worker keeps objects",
        "the worker grows",
        "the worker keeps threads",
        "another queue waited 6000 ms",
    ]
