"""`Replayer`: recorded histories against the code of today."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import MakeStore
from tests.integration.client_workflows import ACTIVITIES, WORKFLOWS, Diary
from workflows import workflow
from workflows.client import BlockingClient, Client, WorkflowHistory, WorkflowService
from workflows.exceptions import InvalidArgumentError
from workflows.worker import Replayer, Worker

pytestmark = pytest.mark.integration


@workflow.defn(name="Diary")
class LazyDiary:
    """A diary whose author left the activity out."""

    @workflow.run
    async def run(self, _start: int) -> int:
        """Sleep where the old code ran an activity."""
        await workflow.sleep(60)
        return 0


@pytest.fixture
def history(make_store: MakeStore) -> WorkflowHistory:
    """Return what a real worker made of a diary."""

    async def play() -> WorkflowHistory:
        service = WorkflowService(make_store("sqlite"))
        client = Client.of(BlockingClient(service))
        async with Worker(
            client, task_queue="q", workflows=WORKFLOWS, activities=ACTIVITIES
        ):
            handle = await client.start_workflow(
                Diary.run, 1, id="d", task_queue="q", start_signal="end"
            )
            assert await handle.result() == 2
        exported = (await handle.fetch_history()).to_json()
        return WorkflowHistory.from_json("d", exported)

    return asyncio.run(play())


async def each(*histories: WorkflowHistory) -> AsyncIterator[WorkflowHistory]:
    for history in histories:
        yield history


def test_code_that_still_fits_replays(history: WorkflowHistory) -> None:
    result = asyncio.run(Replayer(workflows=[Diary]).replay_workflow(history))
    assert result.history is history
    assert result.replay_failure is None


def test_a_change_raises_or_is_returned(history: WorkflowHistory) -> None:
    replayer = Replayer(workflows=[LazyDiary])
    with pytest.raises(workflow.NondeterminismError, match="TIMER_STARTED"):
        asyncio.run(replayer.replay_workflow(history))
    quiet = replayer.replay_workflow(history, raise_on_replay_failure=False)
    failure = asyncio.run(quiet).replay_failure
    assert isinstance(failure, workflow.NondeterminismError)
    assert failure.recorded == "ACTIVITY_TASK_SCHEDULED add_one (id '1')"


def test_many_are_replayed_and_failures_kept_by_run(history: WorkflowHistory) -> None:
    async def play(cls: type[Any], *, quiet: bool = True) -> dict[str, Exception]:
        found = await Replayer(workflows=[cls]).replay_workflows(
            each(history, history), raise_on_replay_failure=not quiet
        )
        return dict(found.replay_failures)

    assert asyncio.run(play(Diary)) == {}
    assert list(asyncio.run(play(LazyDiary))) == [history.run_id]
    with pytest.raises(workflow.NondeterminismError):
        asyncio.run(play(LazyDiary, quiet=False))


def test_results_are_iterated_in_order(history: WorkflowHistory) -> None:
    async def play() -> list[bool]:
        replayer = Replayer(workflows=[LazyDiary])
        async with replayer.workflow_replay_iterator(each(history)) as results:
            return [result.replay_failure is None async for result in results]

    assert asyncio.run(play()) == [False]


def test_a_workflow_that_is_not_there_and_an_empty_history_are_refused(
    history: WorkflowHistory,
) -> None:
    replayer = Replayer(workflows=[WORKFLOWS[1]])
    with pytest.raises(InvalidArgumentError, match="Diary is not registered"):
        asyncio.run(replayer.replay_workflow(history))
    with pytest.raises(InvalidArgumentError, match="has no events"):
        asyncio.run(replayer.replay_workflow(WorkflowHistory("d", ())))
