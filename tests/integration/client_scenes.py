"""Scenes that are played with the clients of workflows and a real worker."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.integration.client_workflows import (
    ACTIVITIES,
    WORKFLOWS,
    Diary,
)
from workflows.client import (
    BlockingClient,
    Client,
    RPCError,
    RPCStatusCode,
)
from workflows.worker import Worker

QUEUE = "diaries"
Play = Callable[[Client], Coroutine[Any, Any, None]]


@asynccontextmanager
async def working(client: Client) -> AsyncIterator[None]:
    async with Worker(
        client, task_queue=QUEUE, workflows=WORKFLOWS, activities=ACTIVITIES
    ):
        yield


def play(blocking: BlockingClient, scene: Play, *, worker: bool = True) -> None:
    """Run a scene, and find the store whole afterwards."""

    async def stage() -> None:
        client = Client.of(blocking)
        if not worker:
            await scene(client)
            return
        async with working(client):
            await scene(client)

    asyncio.run(stage())
    assert blocking.store.fsck() == []


async def until(look: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := await look()):
        assert time.monotonic() < deadline, "it did not come"
        await asyncio.sleep(0.01)
    return found


async def start(client: Client, id: str = "d", **options: Any) -> Any:
    return await client.start_workflow(Diary.run, 1, id=id, task_queue=QUEUE, **options)


def refused(status: RPCStatusCode) -> Any:
    return pytest.raises(RPCError, check=lambda error: error.status is status)
