"""The mixed workflows on a real worker: with and without a cache, inline or not."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos import flow_checker, flow_client, flows
from tests.chaos.flows import KINDS, Plan
from tests.integration.workflow_world import Lines
from tests.modes import as_shipped
from workflows.client import Client, WorkflowService
from workflows.store import Store
from workflows.worker import Worker

pytestmark = as_shipped  # it goes through all of them itself
ROUNDS = 3  # workflows of each kind, at once


class Book(Lines):
    """A journal that many threads write."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def add(self, **line: Any) -> None:
        """Keep a line."""
        with self._lock:
            super().add(**line)


@pytest.fixture
def steps() -> Iterator[Book]:
    before = flows.here.journal, flows.here.marks
    flows.here.journal, flows.here.marks = Book(), {"gen": 1}
    yield flows.here.journal
    flows.here.journal, flows.here.marks = before


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "apart"])
@pytest.mark.parametrize("cached", [1000, 1, 0], ids="cache{}".format)
@pytest.mark.parametrize("adapter", ["sqlite", "redis"])
def test_results_are_the_same_in_every_mode(
    adapter: str, cached: int, inline: bool, make_store: Any, steps: Book
) -> None:
    store: Store = make_store(adapter)
    acks = Lines()
    asyncio.run(_scene(store, acks, steps, cached=cached, inline=inline))
    evidence = flow_checker.gather(acks, steps, flow_client.dump(store))
    findings = flow_checker.check(evidence)
    assert findings == [], flow_checker.report(evidence, findings)
    assert len(evidence.starts) == len(KINDS) * ROUNDS


async def _scene(
    store: Store, acks: Lines, steps: Book, *, cached: int, inline: bool
) -> None:
    """Run all workflows on one worker, clients included."""
    client = Client(WorkflowService(store, identity="tester"))
    names = [(kind, f"{kind}-{number}") for kind in KINDS for number in range(ROUNDS)]
    async with Worker(
        client,
        task_queue=flows.QUEUE,
        workflows=flows.WORKFLOWS,
        activities=flows.ACTIVITIES,
        max_cached_workflows=cached,
        disable_eager_activity_execution=not inline,
    ):
        completing = asyncio.create_task(_complete(client, steps))
        async with asyncio.timeout(60):
            await asyncio.gather(*(_one(client, acks, *name) for name in names))
        completing.cancel()


async def _one(client: Client, acks: Lines, kind: str, flow: str) -> None:
    """Start a workflow, signal it, and wait for its result."""
    signals = 3 if kind in flows.LISTENING else 0
    plan = Plan(size=3, ms=2, signals=signals)
    handle = await client.start_workflow(kind, plan, id=flow, task_queue=flows.QUEUE)
    acks.add(id=flow, kind=kind, size=plan.size, signals=signals)
    newest = client.get_workflow_handle(flow)  # whichever run that is
    for number in range(1, signals + 1):
        await newest.signal("number", number)
        acks.add(id=flow, signal=number)
    await handle.result()


async def _complete(client: Client, steps: Book) -> None:
    """Complete what was handed over, from outside."""
    done: set[str] = set()
    while True:
        for line in [*steps]:
            if "task" in line and line["task"] not in done:
                done.add(line["task"])
                token = line["task"].encode()
                one = client.get_async_activity_handle(task_token=token)
                await one.complete(line["run"])
        await asyncio.sleep(0.005)
