"""How big a run may grow: suggested, warned of, ended, refused; on a real worker."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tests.clock import ManualClock
from workflows import activity, workflow
from workflows.client import (
    BlockingClient,
    Client,
    RPCError,
    WorkflowFailureError,
    WorkflowService,
)
from workflows.engine.limits import Limits
from workflows.exceptions import TerminatedError
from workflows.service import RPCStatusCode
from workflows.store import RunRef, Store
from workflows.worker import Worker

pytestmark = pytest.mark.integration
SECOND = timedelta(seconds=1)
QUEUE = "limits"


@activity.defn
async def step() -> None:
    """Do nothing."""


@workflow.defn
class Grows:
    """Goes on until continue-as-new is suggested, or until it is ended."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.signal
    def say(self, word: str) -> None:
        self.heard.append(word)

    @workflow.run
    async def run(self, heeds: bool) -> int:
        for count in range(1000):
            await workflow.execute_activity(step, start_to_close_timeout=SECOND)
            if heeds and workflow.info().is_continue_as_new_suggested():
                return count
        return -1


@workflow.defn
class Wide:
    @workflow.run
    async def run(self, activities: int) -> None:
        await asyncio.gather(
            *(
                workflow.execute_activity(step, start_to_close_timeout=SECOND)
                for _ in range(activities)
            )
        )


@workflow.defn
class Big:
    @workflow.run
    async def run(self, size: int) -> str:
        return "x" * size


Scene = Callable[[Client], Awaitable[None]]


def play(store: Store, limits: Limits, scene: Scene, *, works: bool = True) -> None:
    async def main() -> None:
        client = Client.of(BlockingClient(WorkflowService(store, limits=limits)))
        if not works:
            await scene(client)
            return
        types = [Grows, Wide, Big]
        async with Worker(client, task_queue=QUEUE, workflows=types, activities=[step]):
            await scene(client)

    asyncio.run(main())


async def failure(client: Client, workflow_id: str) -> str:
    """Return why a workflow's task fails, as soon as it does."""
    while True:
        run = client.store.get_run(RunRef(workflow_id=workflow_id))
        assert run is not None
        if run.failure:
            return run.failure.decode()
        await asyncio.sleep(0.01)


def test_a_long_history_suggests_to_continue_as_new(store: Store) -> None:
    async def scene(client: Client) -> None:
        count = await client.execute_workflow(Grows.run, True, id="g", task_queue=QUEUE)
        assert 0 < count < 10  # six events an activity

    play(store, Limits.ending_at(500, 10**7), scene)


def test_a_history_over_the_limit_is_warned_of_and_then_ended(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(client: Client) -> None:
        with pytest.raises(WorkflowFailureError) as caught:
            await client.execute_workflow(Grows.run, False, id="g", task_queue=QUEUE)
        assert isinstance(caught.value.cause, TerminatedError)
        assert "at most 100" in str(caught.value.cause)

    with caplog.at_level(logging.WARNING, logger="workflows.runtime"):
        play(store, Limits.ending_at(100, 10**7), scene)
    said = [record.getMessage().split()[0] for record in caplog.records]
    assert said[0] == "history_long"
    assert said[-1] == "workflow_terminated"


def test_a_run_of_too_much_at_once_fails_its_task_and_goes_on_when_it_may(
    store: Store, clock: ManualClock
) -> None:
    async def first(client: Client) -> None:
        await client.start_workflow(Wide.run, 6, id="w", task_queue=QUEUE)
        assert "6 activities would be pending at once; at most 5" in await failure(
            client, "w"
        )

    async def then(client: Client) -> None:
        clock.advance(1000)  # the pause after the first failure
        await client.get_workflow_handle("w").result()

    play(store, Limits(max_pending=5), first)
    play(store, Limits(max_pending=6), then)


def test_signals_that_nobody_handles_are_refused_at_the_limit(store: Store) -> None:
    async def flood(client: Client) -> None:
        handle = await client.start_workflow(Grows.run, True, id="g", task_queue=QUEUE)
        for _ in range(3):
            await handle.signal(Grows.say, "more")
        with pytest.raises(RPCError, match="3 messages wait for workflow 'g'") as full:
            await handle.signal(Grows.say, "too much")
        assert full.value.status is RPCStatusCode.RESOURCE_EXHAUSTED

    play(store, Limits(max_signals=3), flood, works=False)


@pytest.mark.parametrize("what", ["workflow id", "workflow type", "task queue"])
def test_an_id_that_is_too_long_is_refused_before_anything_starts(
    store: Store, what: str
) -> None:
    names = {"workflow id": "i", "workflow type": "t", "task queue": "q"}
    names[what] = "x" * 11

    async def scene(client: Client) -> None:
        with pytest.raises(RPCError, match=f"the {what} has 11 characters; at most 10"):
            await client.start_workflow(
                names["workflow type"],
                id=names["workflow id"],
                task_queue=names["task queue"],
            )
        assert store.count_runs() == {}

    play(store, Limits(max_id=10), scene, works=False)


def test_a_result_that_is_too_big_fails_the_task_and_says_so(store: Store) -> None:
    async def scene(client: Client) -> None:
        await client.start_workflow(Big.run, 3 * 1024 * 1024, id="b", task_queue=QUEUE)
        assert "larger than the limit of 2097152 bytes" in await failure(client, "b")

    play(store, Limits(), scene)
