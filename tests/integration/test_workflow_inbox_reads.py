"""What readers see of a run's inbox is what its next workflow task writes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from workflows import activity, workflow
from workflows.client import (
    BlockingClient,
    Client,
    WorkflowHandle,
    WorkflowHistory,
    WorkflowService,
)
from workflows.store import RunRef
from workflows.worker import Worker

pytestmark = pytest.mark.integration
QUEUE = "readers"
SHORT = timedelta(seconds=20)
BROKEN: list[str] = []
HELD: list[str] = []


@activity.defn
async def ask_somebody(_question: str) -> str:
    """Leave the answer to somebody else."""
    activity.raise_complete_async()


@activity.defn
async def unused() -> None:
    """Let a worker live that runs no workflows."""


@workflow.defn
class Child:
    @workflow.run
    async def run(self) -> str:
        """Wait long."""
        await asyncio.sleep(3600)
        return "late"


@workflow.defn
class Busy:
    """Waits for everything that there is to wait for."""

    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        """Return the words when all is over."""
        child = await workflow.start_child_workflow(Child.run, id="busy-child")
        waits = [
            asyncio.create_task(self.timer()),
            asyncio.create_task(self.ask("one")),
            asyncio.create_task(self.ask("two")),
        ]
        await workflow.wait_condition(lambda: "end" in self.words)
        for one in (*waits, child):
            one.cancel()
        return self.words

    async def timer(self) -> None:
        """Wait a moment."""
        await asyncio.sleep(0.05)

    async def ask(self, question: str) -> None:
        """Wait for an answer."""
        await workflow.execute_activity(
            ask_somebody, question, activity_id=question, start_to_close_timeout=SHORT
        )

    @workflow.signal
    def write(self, word: str) -> None:
        """Keep a word; some are hard to take."""
        if word == "break" and not BROKEN:
            msg = "not yet mended"
            raise RuntimeError(msg)
        if word == "hold" and not HELD:
            HELD.append("held")
            with workflow.unsafe.sandbox_unrestricted():
                while len(HELD) < 2:
                    time.sleep(0.005)
        self.words.append(word)


@pytest.fixture(params=["sqlite", "redis"])
def client(request: pytest.FixtureRequest, make_store: Any) -> BlockingClient:
    BROKEN.clear()
    HELD.clear()
    return BlockingClient(WorkflowService(make_store(request.param), identity="tester"))


@asynccontextmanager
async def working(client: Client, *, workflows: bool = True) -> AsyncIterator[None]:
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Busy, Child] if workflows else [],
        activities=[ask_somebody, unused],
    ):
        yield


async def begun(client: Client) -> WorkflowHandle[Any, Any]:
    """Start a run that waits for everything, and let its worker go."""
    handle = await client.start_workflow(Busy.run, id="busy", task_queue=QUEUE)
    async with working(client):
        await count(handle, "CHILD_WORKFLOW_EXECUTION_STARTED")
        await count(handle, "ACTIVITY_TASK_SCHEDULED", 2)
        for one in ("one", "two"):
            ask = client.get_async_activity_handle(
                workflow_id="busy", run_id=None, activity_id=one
            )
            await until(partial(_beats, ask))
    return handle


async def _beats(ask: Any) -> bool:
    try:
        await ask.heartbeat()
    except Exception:  # noqa: BLE001 - it has not started yet
        return False
    return True


async def until(look: Callable[[], Awaitable[Any]]) -> None:
    deadline = time.monotonic() + 20
    while not await look():
        assert time.monotonic() < deadline, "it did not come"
        await asyncio.sleep(0.01)


async def count(handle: Any, kind: str, wanted: int = 1) -> None:
    """Wait for events of a type."""

    async def look() -> bool:
        return kinds(await handle.fetch_history()).count(kind) >= wanted

    await until(look)


def kinds(history: WorkflowHistory) -> list[str]:
    return [event.event_type.removeprefix("EVENT_TYPE_") for event in history.events]


async def fill_inbox(client: Client, handle: Any) -> WorkflowHistory:
    """Let everything happen to the run while nobody takes its tasks."""
    async with working(client, workflows=False):
        await count(handle, "TIMER_FIRED")
    await handle.signal(Busy.write, "first")
    ask = client.get_async_activity_handle(
        workflow_id="busy", run_id=None, activity_id="one"
    )
    await ask.complete("answer")
    await client.get_workflow_handle("busy-child").terminate("enough")
    await handle.cancel()
    seen: WorkflowHistory = await handle.fetch_history()
    return seen


def test_a_reader_sees_the_inbox_as_the_next_task_writes_it(
    client: BlockingClient,
) -> None:
    async def scene() -> None:
        outer = Client.of(client)
        handle = await begun(outer)
        seen = await fill_inbox(outer, handle)
        assert kinds(seen)[-5:] == [
            "WORKFLOW_EXECUTION_SIGNALED",
            "ACTIVITY_TASK_STARTED",
            "ACTIVITY_TASK_COMPLETED",
            "CHILD_WORKFLOW_EXECUTION_TERMINATED",
            "WORKFLOW_EXECUTION_CANCEL_REQUESTED",
        ]
        pages = [event async for event in handle.fetch_history_events(page_size=3)]
        assert pages == list(seen.events)
        async with working(outer):
            await count(handle, "WORKFLOW_EXECUTION_CANCELED")
        whole = await handle.fetch_history()
        assert whole.events[: len(seen.events)] == seen.events

    asyncio.run(scene())
    assert client.store.fsck() == []


def test_a_task_that_fails_writes_first_what_readers_saw(
    client: BlockingClient,
) -> None:
    async def scene() -> None:
        outer = Client.of(client)
        handle = await begun(outer)
        await handle.signal(Busy.write, "break")
        await handle.signal(Busy.write, "end")
        seen = await handle.fetch_history()
        async with working(outer):
            await count(handle, "WORKFLOW_TASK_FAILED")
            failed = await handle.fetch_history()
            assert failed.events[: len(seen.events)] == seen.events
            BROKEN.append("mended")
            assert await handle.result() == ["break", "end"]
        whole = await handle.fetch_history()
        assert whole.events[: len(failed.events)] == failed.events

    asyncio.run(scene())
    assert client.store.fsck() == []


def test_while_a_task_is_held_what_comes_is_shown_behind_it(
    client: BlockingClient,
) -> None:
    async def scene() -> None:
        outer = Client.of(client)
        handle = await begun(outer)
        await handle.signal(Busy.write, "hold")
        seen = await handle.fetch_history()
        await asyncio.sleep(0.01)  # the claim comes in a later millisecond
        async with working(outer):
            await until(lambda: asyncio.sleep(0, HELD))
            await handle.signal(Busy.write, "end")
            assert (await handle.fetch_history()).events == seen.events
            HELD.append("let go")
            await handle.result()
        whole = await handle.fetch_history()
        assert whole.events[: len(seen.events)] == seen.events

    asyncio.run(scene())
    assert client.store.fsck() == []


def test_an_end_from_outside_keeps_what_a_reader_was_shown(
    client: BlockingClient,
) -> None:
    handle = client.start_workflow(Busy.run, id="busy", task_queue=QUEUE)
    handle.signal(Busy.write, "never read")
    service = client.service
    seen = service.history(RunRef(workflow_id="busy"), start=1)
    assert (len(seen.events), seen.next_start) == (2, 3)
    handle.terminate("enough")
    last = service.history(RunRef(workflow_id="busy"), start=3, wait_s=5)
    assert (last.start, len(last.events), last.next_start) == (3, 1, None)
    whole = handle.fetch_history()
    assert kinds(whole)[-1] == "WORKFLOW_EXECUTION_TERMINATED"
    written = service.history(RunRef(workflow_id="busy"), start=1)
    assert written.events[:2] == seen.events


def test_a_run_is_ended_however_fast_it_goes_on(
    client: BlockingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = client.start_workflow(Busy.run, id="busy", task_queue=QUEUE)
    close_run, asked = client.store.close_run, []

    def signalled_first(*args: Any, **named: Any) -> str:
        asked.append(args)
        handle.signal(Busy.write, "one more")
        return close_run(*args, **named)

    monkeypatch.setattr(client.store, "close_run", signalled_first)
    handle.terminate("enough")
    said = kinds(handle.fetch_history())
    assert said[-1] == "WORKFLOW_EXECUTION_TERMINATED"
    assert said.count("WORKFLOW_EXECUTION_SIGNALED") == len(asked) - 1 > 3
    assert client.store.fsck() == []
