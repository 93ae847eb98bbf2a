"""`Replayer`: checks recorded histories against today's code. Shaped like
`temporalio.worker.Replayer`; `workflows.worker` has it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from workflows.client.executions import WorkflowHistory
from workflows.converter import DataConverter
from workflows.engine.replay import Replay
from workflows.exceptions import InvalidArgumentError
from workflows.runtime.codec import SyncConverter
from workflows.runtime.registration import Registry


@dataclass(frozen=True)
class WorkflowReplayResult:
    """What became of one history; `replay_failure` None: the code still fits it."""

    history: WorkflowHistory
    replay_failure: Exception | None


@dataclass(frozen=True)
class WorkflowReplayResults:
    """What became of several: the failures, by run id."""

    replay_failures: Mapping[str, Exception]


class Replayer:
    """Runs the code of workflows along histories; nothing is stored, no activity runs.

    Options of Temporal that are not named here are accepted and mean nothing.

    Raises:
        InvalidArgumentError: two workflows of one name, or something that is none.
    """

    def __init__(
        self,
        *,
        workflows: Sequence[type[Any]],
        namespace: str = "ReplayNamespace",
        data_converter: DataConverter = DataConverter.default,
        workflow_failure_exception_types: Sequence[type[BaseException]] = (),
        **accepted: Any,  # noqa: ARG002
    ) -> None:
        registry = Registry(workflows, (), workflow_failure_exception_types)
        converter = SyncConverter(data_converter)
        self._namespace = namespace
        self._new_instance = registry.make_instance(converter, namespace)

    async def replay_workflow(
        self, history: WorkflowHistory, *, raise_on_replay_failure: bool = True
    ) -> WorkflowReplayResult:
        """Replay one history.

        Raises:
            NondeterminismError: the code asks for something else than is recorded.
            Exception: what the code raised where the history has a completed task.
        """
        result = await asyncio.to_thread(self._replay, history)
        if raise_on_replay_failure and result.replay_failure is not None:
            raise result.replay_failure
        return result

    async def replay_workflows(
        self,
        histories: AsyncIterator[WorkflowHistory],
        *,
        raise_on_replay_failure: bool = True,
    ) -> WorkflowReplayResults:
        """Replay many histories, such as `Client.list_workflows(…).map_histories()`.

        Raises:
            Exception: as `replay_workflow`, at the first failure.
        """
        failures: dict[str, Exception] = {}
        async for history in histories:
            result = await self.replay_workflow(
                history, raise_on_replay_failure=raise_on_replay_failure
            )
            if result.replay_failure is not None:
                failures[history.run_id] = result.replay_failure
        return WorkflowReplayResults(failures)

    @asynccontextmanager
    async def workflow_replay_iterator(
        self, histories: AsyncIterator[WorkflowHistory]
    ) -> AsyncIterator[AsyncIterator[WorkflowReplayResult]]:
        """Give an iterator of results, in the order of the histories."""

        async def results() -> AsyncIterator[WorkflowReplayResult]:
            async for history in histories:
                yield await self.replay_workflow(history, raise_on_replay_failure=False)

        yield results()

    def _replay(self, history: WorkflowHistory) -> WorkflowReplayResult:
        stored = history.stored
        if not stored:
            msg = f"the history of {history.workflow_id!r} has no events"
            raise InvalidArgumentError(msg)
        replay = Replay(
            history.workflow_id,
            history.run_id,
            self._new_instance,
            namespace=self._namespace,
        )
        try:
            replay.feed(stored)
        except Exception as error:  # noqa: BLE001 - whatever the author's code raises
            return WorkflowReplayResult(history, error)
        finally:
            replay.evict()
        return WorkflowReplayResult(history, None)
