"""Code that ends in ways nobody hopes for: a worker outlives it, and tells of it."""

import asyncio
import logging
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from workflows import activity, exceptions, workflow
from workflows.client import BlockingClient, Client
from workflows.client import WorkflowService as Service
from workflows.common import RetryPolicy
from workflows.exceptions import TimeoutError as TimedOut
from workflows.store import RunRef, RunStatus
from workflows.worker import Worker

pytestmark = pytest.mark.integration
SOON = timedelta(seconds=10)


class SilentError(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError


def end(how: str) -> NoReturn:
    """End in the way that is named."""
    if how == "exit":
        sys.exit(3)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "undecodable name":
        raise FileNotFoundError(b"caf\xe9".decode(errors="surrogateescape"))
    if how == "undecodable type":
        raise exceptions.ApplicationError("no", type="caf\udce9")
    if how == "details that are no data":
        raise exceptions.ApplicationError("no", object())
    if how == "strange":
        raise BaseException(how)  # as some libraries do
    raise SilentError


ENDS = (
    "exit",
    "interrupt",
    "undecodable name",
    "undecodable type",
    "details that are no data",
    "silent",
    "strange",
)


@activity.defn
def ends(how: str) -> None:
    """End badly, in a thread."""
    end(how)


@activity.defn
async def ends_async(how: str) -> None:
    """End badly, on the worker's loop."""
    end(how)


@activity.defn
async def echo(word: str) -> str:
    """Show that the worker works."""
    return word


@workflow.defn
class Survives:
    """Calls an activity that ends badly, then another."""

    @workflow.run
    async def run(self, name: str, how: str, local: bool) -> str:
        """Return what the other one says."""
        call: Any = (
            workflow.execute_local_activity if local else workflow.execute_activity
        )
        try:
            await call(
                name,
                how,
                start_to_close_timeout=timedelta(minutes=5),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )
        except exceptions.FailureError as error:  # a local one's comes as it is
            return await workflow.execute_activity(
                echo, str(error.__cause__ or error), start_to_close_timeout=SOON
            )
        return "it did not fail"


@workflow.defn
class EndsBadly:
    """Ends badly until it is told not to."""

    @workflow.run
    async def run(self, how: str) -> str:
        """Never return while `BAD` says so."""
        if BAD and how in ASKS:
            await workflow.sleep(timedelta.max)  # no store can keep that
        if BAD:
            end(how)
        return "well"


BAD: list[bool] = []
ASKS = ("timer",)
FAILURES = ("undecodable type",)  # of the workflow itself


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Nothing is logged: what pytest reports must be text that it can send."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(params=["sqlite", "redis"])
def client(request: pytest.FixtureRequest, make_store: Any) -> BlockingClient:
    return BlockingClient(Service(make_store(request.param)))


def is_failing(client: BlockingClient) -> bool:
    """Return whether readers see that the open run's workflow task failed."""
    run = client.store.get_run(RunRef(workflow_id="w"))
    assert run is not None
    assert run.status is RunStatus.RUNNING
    return bool(run.failure)


def result(blocking: BlockingClient, run: Any, *args: Any, inline: bool = True) -> Any:
    """Return what a workflow returns, on a worker with few threads."""

    async def play() -> Any:
        client = Client.of(blocking)
        async with Worker(
            client,
            task_queue="q",
            workflows=[Survives, EndsBadly],
            activities=[ends, ends_async, echo],
            max_concurrent_workflow_tasks=2,
            max_concurrent_activities=1,
            disable_eager_activity_execution=not inline,
        ):
            handle = await client.start_workflow(run, args=args, id="w", task_queue="q")
            return await handle.result(rpc_timeout=SOON)

    return asyncio.run(play())


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "apart"])
@pytest.mark.parametrize("name", ["ends", "ends_async"])
@pytest.mark.parametrize("how", ENDS)
def test_an_activity_that_ends_badly_has_failed_and_its_worker_goes_on(
    client: BlockingClient, how: str, name: str, *, inline: bool
) -> None:
    assert result(client, Survives.run, name, how, False, inline=inline)
    assert client.store.fsck() == []


@pytest.mark.parametrize("name", ["ends", "ends_async"])
@pytest.mark.parametrize("how", ENDS)
def test_a_local_activity_that_ends_badly_has_failed(
    client: BlockingClient, how: str, name: str
) -> None:
    assert result(client, Survives.run, name, how, True)


@pytest.mark.parametrize(
    "how", [*(each for each in ENDS if each not in FAILURES), *ASKS]
)
def test_a_workflow_that_ends_badly_fails_its_task_visibly_and_goes_on_when_mended(
    client: BlockingClient, how: str
) -> None:
    BAD.append(True)

    async def play() -> str:
        steered = Client.of(client)
        async with Worker(
            steered,
            task_queue="q",
            workflows=[EndsBadly],
            max_concurrent_workflow_tasks=1,
        ):
            handle = await steered.start_workflow(
                EndsBadly.run, how, id="w", task_queue="q"
            )
            async with asyncio.timeout(10):
                while not is_failing(client):  # noqa: ASYNC110 - a store tells by reads
                    await asyncio.sleep(0.01)
            BAD.clear()
            ended: str = await handle.result(rpc_timeout=SOON)
            return ended

    assert asyncio.run(play()) == "well"


@activity.defn
def hangs() -> None:
    """Hang until the test is over."""
    gate.wait(30)


@workflow.defn
class Limited:
    """Calls a local activity that hangs."""

    @workflow.run
    async def run(self) -> str:
        """Return the kind of its timeout."""
        try:
            await workflow.execute_local_activity(
                hangs,
                schedule_to_close_timeout=timedelta(milliseconds=100),
                start_to_close_timeout=timedelta(minutes=5),
            )
        except exceptions.FailureError as error:
            found = error if isinstance(error, TimedOut) else error.__cause__
            assert isinstance(found, TimedOut)
            assert found.type is not None
            return found.type.name
        return "it ended"


gate = threading.Event()


def test_a_local_activity_ends_with_the_time_of_all_its_attempts(
    client: BlockingClient,
) -> None:
    async def play() -> str:
        steered = Client.of(client)
        async with Worker(
            steered, task_queue="q", workflows=[Limited], activities=[hangs]
        ):
            handle = await steered.start_workflow(Limited.run, id="w", task_queue="q")
            try:
                kind: str = await handle.result(rpc_timeout=SOON)
            finally:
                gate.set()
            return kind

    gate.clear()
    assert asyncio.run(play()) == "SCHEDULE_TO_CLOSE"
