"""A workflow that never yields: its task fails visibly, and its worker lives on."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from workflows import workflow
from workflows.client import BlockingClient, Client
from workflows.client import WorkflowService as Service
from workflows.store import RunRef
from workflows.worker import Worker

pytestmark = pytest.mark.integration
SOON = timedelta(seconds=20)
BUSY: list[bool] = []


@workflow.defn
class Spins:
    """Loops without an `await`, as long as BUSY says so."""

    @workflow.run
    async def run(self, stubborn: bool) -> str:
        while BUSY:
            try:
                while BUSY:
                    pass
            except BaseException:
                if not stubborn:
                    raise
                stubborn = False
        return "done"


@workflow.defn
class Quick:
    """Ends at once."""

    @workflow.run
    async def run(self) -> str:
        return "quick"


@pytest.mark.parametrize("stubborn", [False, True], ids=["plain", "stubborn"])
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_workflow_that_never_yields_fails_its_task_and_frees_its_thread(
    make_store: Any, monkeypatch: pytest.MonkeyPatch, kind: str, *, stubborn: bool
) -> None:
    monkeypatch.setattr("workflows.worker.LIMIT_MS", 100)
    blocking = BlockingClient(Service(make_store(kind)))
    BUSY.append(True)

    async def play() -> list[str]:
        client = Client.of(blocking)
        async with Worker(
            client,
            task_queue="q",
            workflows=[Spins, Quick],
            max_concurrent_workflow_tasks=1,
        ):
            spins = await client.start_workflow(
                Spins.run, stubborn, id="spins", task_queue="q"
            )
            quick = await client.start_workflow(Quick.run, id="quick", task_queue="q")
            ends = [await quick.result(rpc_timeout=SOON)]
            record = blocking.store.get_run(RunRef(workflow_id="spins"))
            assert record is not None
            assert b"Potential deadlock detected" in record.failure
            assert b"test_workflow_yielding.py:" in record.failure
            BUSY.clear()
            return [*ends, await spins.result(rpc_timeout=SOON)]

    assert asyncio.run(play()) == ["quick", "done"]
    assert blocking.store.fsck() == []
