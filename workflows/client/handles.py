"""Handles of the async client."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Generic

from workflows.client.blocking_handles import (
    NONE,
    BlockingAsyncActivityHandle,
    BlockingWorkflowHandle,
    Metadata,
    ReturnType,
    SelfType,
    late,
)
from workflows.client.executions import HistoryEvent, WorkflowHistoryEventFilterType
from workflows.client.service import ActivityRef, RunOutcome
from workflows.client.threads import on_thread
from workflows.store import RunRef

if TYPE_CHECKING:
    from workflows.client.client import Client

ALL = WorkflowHistoryEventFilterType.ALL_EVENT


class WorkflowHandle(Generic[SelfType, ReturnType]):
    """A workflow, by its id; get one from `Client.start_workflow` or
    `Client.get_workflow_handle`.

    `run_id` None: signals, queries and descriptions go to the current run; cancel and
    terminate too, but only in the chain of `first_execution_run_id`.
    """

    def __init__(
        self,
        client: "Client",
        id: str,
        *,
        run_id: str | None = None,
        result_run_id: str | None = None,
        first_execution_run_id: str | None = None,
        result_type: type | None = None,
        start_workflow_response: Any = None,
    ) -> None:
        self._client = client
        self._threads = client.threads
        self._blocking = BlockingWorkflowHandle[SelfType, ReturnType](
            client.blocking,
            id,
            run_id=run_id,
            result_run_id=result_run_id,
            first_execution_run_id=first_execution_run_id,
            result_type=result_type,
            start_workflow_response=start_workflow_response,
        )

    @classmethod
    def of(
        cls, client: "Client", blocking: BlockingWorkflowHandle[SelfType, ReturnType]
    ) -> "WorkflowHandle[SelfType, ReturnType]":
        """Return the async twin of a handle."""
        made = cls(client, blocking.id)
        made._blocking = blocking
        return made

    @property
    def id(self) -> str:
        """The workflow id."""
        return self._blocking.id

    @property
    def run_id(self) -> str | None:
        """The run that signals and queries go to; None: the current one."""
        return self._blocking.run_id

    @property
    def result_run_id(self) -> str | None:
        """The run whose result `result` waits for."""
        return self._blocking.result_run_id

    @property
    def first_execution_run_id(self) -> str | None:
        """The first run of the chain that cancel and terminate are meant for."""
        return self._blocking.first_execution_run_id

    async def result(
        self,
        *,
        follow_runs: bool = True,
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,
    ) -> ReturnType:
        """Wait for the end of the workflow and return its result.

        `follow_runs`: also of the runs that follow (continue-as-new, retry, cron).

        Raises:
            WorkflowFailureError: it ended otherwise; `cause` says how.
            WorkflowContinuedAsNewError: it continued, and runs are not followed.
            RPCError: NOT_FOUND; DEADLINE_EXCEEDED after `rpc_timeout`.
        """
        ref = await self._threads.call(self._blocking.result_ref)
        limit = None if rpc_timeout is None else rpc_timeout.total_seconds()
        try:
            async with asyncio.timeout(limit):
                outcome = await self._ended(ref, follow=follow_runs)
        except TimeoutError:
            raise late(rpc_timeout) from None
        return await self._threads.call(partial(self._blocking.finish_result, outcome))

    async def _ended(self, ref: RunRef, *, follow: bool) -> RunOutcome:
        return await self._threads.poll(
            lambda span: self._blocking.poll_result(ref, follow=follow, timeout_s=span)
        )

    signal = on_thread(BlockingWorkflowHandle.signal)
    cancel = on_thread(BlockingWorkflowHandle.cancel)
    terminate = on_thread(BlockingWorkflowHandle.terminate)
    query = on_thread(BlockingWorkflowHandle.query, waits=True)
    describe = on_thread(BlockingWorkflowHandle.describe)
    fetch_history = on_thread(BlockingWorkflowHandle.fetch_history)

    async def fetch_history_events(
        self,
        *,
        page_size: int | None = None,
        next_page_token: bytes | None = None,
        wait_new_event: bool = False,
        event_filter_type: WorkflowHistoryEventFilterType = ALL,
        skip_archival: bool = False,  # noqa: ARG002 - there is no archive
        rpc_metadata: Metadata = NONE,  # noqa: ARG002
        rpc_timeout: timedelta | None = None,  # noqa: ARG002
    ) -> AsyncIterator[HistoryEvent]:
        """Give the events one by one; `wait_new_event`: until the run is closed.

        Raises:
            RPCError: NOT_FOUND.
        """
        blocking, threads = self._blocking, self._threads
        if event_filter_type is not ALL:
            if wait_new_event:
                await self._ended(await threads.call(blocking.result_ref), follow=False)
            for event in await threads.call(blocking.close_events):
                yield event
            return
        start: int | None = int(next_page_token or b"1")
        began = time.monotonic()
        while start is not None:
            wait_s = 1.0 if wait_new_event and time.monotonic() > began else 0.0
            look = partial(blocking.fetch_page, start, page_size or 1000, wait_s)
            events, start = await threads.wait(look)
            for event in events:
                yield event
            if not events and not wait_new_event:
                return


class AsyncActivityHandle:
    """An activity that is completed from elsewhere, by its token or its ids.

    All calls raise RPCError (NOT_FOUND) if the attempt is over or its run closed.
    """

    def __init__(self, client: "Client", id_or_token: ActivityRef | bytes) -> None:
        self._threads = client.threads
        self._blocking = BlockingAsyncActivityHandle(client.blocking, id_or_token)

    complete = on_thread(BlockingAsyncActivityHandle.complete)
    fail = on_thread(BlockingAsyncActivityHandle.fail)
    heartbeat = on_thread(BlockingAsyncActivityHandle.heartbeat)
    report_cancellation = on_thread(BlockingAsyncActivityHandle.report_cancellation)
