"""Thousands of sleeping runs; `make scale` lets 100,000 sleep."""

from pathlib import Path
from typing import Any

import pytest

from tests.clock import START, ManualClock
from tests.contract.run_builders import commit, fresh, start, take_tasks, timer
from tests.integration.write_holds import sqlite_holds, whatever_happens
from tests.scale.sleeping import Slept, faults, scene
from tests.scale.worker import Process
from tests.servers import ValkeyServer
from workflows.store import MAX_DUE, RunStatus

pytestmark = pytest.mark.integration
RUNS, PROBES = 2_000, 5
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
