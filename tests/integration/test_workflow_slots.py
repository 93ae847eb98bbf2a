"""As many activities run at once in a worker as it allows, inline ones among them."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

from workflows import activity, workflow
from workflows.client import BlockingClient, Client, WorkflowService
from workflows.worker import Worker

pytestmark = pytest.mark.integration
RUNS = 12


class Crowd:
    """Counts who is in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._now -= 1


crowd = Crowd()


@activity.defn
def be_in_it() -> None:
    """Be one of the crowd for a moment."""
    with crowd:
        threading.Event().wait(0.02)


@workflow.defn
class Two:
    """Has two activities at once, and a third after them."""

    @workflow.run
    async def run(self) -> None:
        """Run them."""
        await asyncio.gather(self._one(), self._one())
        await self._one()

    async def _one(self) -> None:
        soon = timedelta(seconds=30)
        await workflow.execute_activity(be_in_it, start_to_close_timeout=soon)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
@pytest.mark.parametrize("allowed", [1, 3])
def test_no_more_activities_run_at_once_than_a_worker_allows(
    kind: str, allowed: int, make_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "crowd", Crowd())
    client = Client.of(BlockingClient(WorkflowService(make_store(kind))))

    async def play() -> None:
        async with Worker(
            client,
            task_queue="crowd",
            workflows=[Two],
            activities=[be_in_it],
            max_concurrent_activities=allowed,
        ):
            await asyncio.gather(
                *(
                    client.execute_workflow(Two.run, id=f"two-{n}", task_queue="crowd")
                    for n in range(RUNS)
                )
            )

    asyncio.run(play())
    assert crowd.most == allowed
