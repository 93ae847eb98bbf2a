"""Counted budgets of workflows: atomic writes per run, with a real worker."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from tests.modes import as_shipped
from workflows import activity, workflow
from workflows.client import BlockingClient, Client, WorkflowService
from workflows.store import Claim, Exchanged, Settlement, Started, StartRun, Store
from workflows.worker import Worker

pytestmark = [pytest.mark.integration, as_shipped]
QUEUE = "steps"
STEPS, LONG = 20, 1_000


@activity.defn
def step(number: int) -> int:
    return number + 1


@workflow.defn
class Steps:
    @workflow.run
    async def run(self, steps: int) -> int:
        number = 0
        while number < steps:
            number = await workflow.execute_activity(
                step, number, start_to_close_timeout=timedelta(minutes=1)
            )
        return number


@activity.defn
def cpu(_: int) -> int:
    return time.process_time_ns()


@workflow.defn
class Long:
    @workflow.run
    async def run(self, steps: int) -> list[int]:
        return [
            await workflow.execute_activity(
                cpu, number, start_to_close_timeout=timedelta(minutes=1)
            )
            for number in range(steps)
        ]


class Writes:
    """Counts the atomic writes of a store that start, settle or grant something."""

    def __init__(self, store: Store, patch: pytest.MonkeyPatch) -> None:
        self.number = 0
        start_run, exchange = store.start_run, store.exchange

        def count_start(start: StartRun, **options: Any) -> Started:
            self.number += 1
            return start_run(start, **options)

        def count_exchange(
            settlements: Sequence[Settlement] = (), claim: Claim | None = None
        ) -> Exchanged:
            answer = exchange(settlements, claim)
            self.number += bool(settlements or answer.jobs)
            return answer

        patch.setattr(store, "start_run", count_start)
        patch.setattr(store, "exchange", count_exchange)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_n_sequential_activities_are_n_plus_3_atomic_writes(
    kind: str, make_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store(kind)
    writes = Writes(store, monkeypatch)

    async def play() -> int:
        client = Client.of(BlockingClient(WorkflowService(store)))
        async with Worker(
            client, task_queue=QUEUE, workflows=[Steps], activities=[step]
        ):
            number: int = await client.execute_workflow(
                Steps.run, STEPS, id="w", task_queue=QUEUE
            )
        return number

    assert asyncio.run(play()) == STEPS
    assert writes.number == STEPS + 3


def test_the_last_steps_of_a_long_workflow_cost_no_more_than_the_first(
    make_store: Any,
) -> None:
    store = make_store("sqlite")

    async def play() -> list[int]:
        client = Client.of(BlockingClient(WorkflowService(store)))
        async with Worker(client, task_queue=QUEUE, workflows=[Long], activities=[cpu]):
            used: list[int] = await client.execute_workflow(
                Long.run, LONG, id="w", task_queue=QUEUE
            )
        return used

    used = asyncio.run(play())
    tenth = LONG // 10
    first = used[2 * tenth] - used[tenth]  # the very first warm everything up
    last = used[-1] - used[-1 - tenth]
    assert last < 1.5 * first
