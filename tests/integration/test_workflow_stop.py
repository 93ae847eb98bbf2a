"""A worker that stops while an activity runs: the attempt is spent, never repeated."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from workflows import activity, exceptions, workflow
from workflows.client import BlockingClient, Client, WorkflowFailureError
from workflows.client import WorkflowService as Service
from workflows.common import RetryPolicy
from workflows.worker import Worker

pytestmark = pytest.mark.integration
attempts: list[int] = []
begun, gate = threading.Event(), threading.Event()


@activity.defn
def hang() -> int:
    """Hang in the first attempt, until the test is over."""
    attempts.append(activity.info().attempt)
    begun.set()
    if attempts[-1] == 1:
        gate.wait(30)
    return attempts[-1]


@activity.defn
async def hang_async() -> int:
    """Do the same on the event loop."""
    attempts.append(activity.info().attempt)
    begun.set()
    if attempts[-1] == 1:
        await asyncio.to_thread(gate.wait, 30)
    return attempts[-1]


@workflow.defn
class Hanging:
    """Runs one of them."""

    @workflow.run
    async def run(self, name: str, maximum_attempts: int) -> int:
        """Return its attempt."""
        policy = RetryPolicy(
            maximum_attempts=maximum_attempts,
            initial_interval=timedelta(milliseconds=1),
        )
        result: int = await workflow.execute_activity(
            name, start_to_close_timeout=timedelta(minutes=1), retry_policy=policy
        )
        return result


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    attempts.clear()
    begun.clear()
    gate.clear()
    yield
    gate.set()


@pytest.fixture(params=["sqlite", "redis"])
def client(request: pytest.FixtureRequest, make_store: Any) -> BlockingClient:
    return BlockingClient(Service(make_store(request.param)))


def stopped(
    blocking: BlockingClient, name: str, *, allowed: int, inline: bool
) -> int | BaseException:
    """Stop a worker in the middle, let another go on; return how the run ended."""

    async def play() -> int | BaseException:
        client = Client.of(blocking)

        def worker() -> Worker:
            return Worker(
                client,
                task_queue="q",
                workflows=[Hanging],
                activities=[hang, hang_async],
                disable_eager_activity_execution=not inline,
            )

        async with worker():
            handle = await client.start_workflow(
                Hanging.run, args=[name, allowed], id="h", task_queue="q"
            )
            assert await asyncio.to_thread(begun.wait, 20)
        async with worker():
            try:
                result: int = await handle.result(rpc_timeout=timedelta(seconds=20))
            except WorkflowFailureError as error:
                return error.cause
            finally:
                gate.set()  # or the loop waits for the thread at its end
            return result

    ended = asyncio.run(play())
    assert blocking.store.fsck() == []
    return ended


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "apart"])
@pytest.mark.parametrize("name", ["hang", "hang_async"])
def test_an_activity_of_one_attempt_does_not_begin_again_after_a_stop(
    client: BlockingClient, name: str, *, inline: bool
) -> None:
    ended = stopped(client, name, allowed=1, inline=inline)
    assert attempts == [1]
    assert isinstance(ended, exceptions.ActivityError)
    assert isinstance(ended.cause, exceptions.TimeoutError)
    assert ended.cause.type is exceptions.TimeoutType.START_TO_CLOSE


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "apart"])
def test_an_activity_that_may_be_retried_goes_on_at_once_elsewhere(
    client: BlockingClient, *, inline: bool
) -> None:
    assert stopped(client, "hang", allowed=0, inline=inline) == 2
    assert attempts == [1, 2]
