"""Child workflows of a run."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from workflows.common import RetryPolicy
from workflows.engine.activation import (
    ChildNotStarted,
    ChildStarted,
    Completed,
    ResolveChild,
    ResolveChildStart,
)
from workflows.engine.commands import CancelChild, CancellationType, StartChild
from workflows.engine.definition import SIGNAL, handler_name
from workflows.engine.instance.attributes import encode_search_attributes
from workflows.engine.instance.core import Core
from workflows.engine.instance.external import External, SignalCall
from workflows.engine.instance.spans import to_ms
from workflows.engine.loop import WorkflowTask
from workflows.exceptions import WorkflowAlreadyStartedError

T = TypeVar("T")
W = TypeVar("W")
UNKNOWN = "<unknown>"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildCall:
    """One start, as the author wrote it. `id` None: one is drawn."""

    name: str
    arguments: Sequence[Any]
    result_hint: Any = None
    id: str | None = None
    task_queue: str | None = None
    execution_timeout: timedelta | None = None
    run_timeout: timedelta | None = None
    task_timeout: timedelta | None = None
    parent_close_policy: str = "terminate"
    cancellation_type: CancellationType = CancellationType.WAIT_CANCELLATION_COMPLETED
    id_reuse_policy: str = "allow_duplicate"
    retry_policy: RetryPolicy | None = None
    cron_schedule: str = ""
    memo: Mapping[str, Any] | None = None
    search_attributes: Any = None
    priority: int = 0
    static_summary: str | None = None
    static_details: str | None = None


class ChildWorkflowHandle(WorkflowTask[T], Generic[W, T]):
    """A started child: await it for the result, cancel it to ask for its end."""

    _child: "_Child"
    _external: External

    @property
    def id(self) -> str:
        """Its workflow id."""
        return self._child.workflow_id

    @property
    def first_execution_run_id(self) -> str | None:
        """The id of its first run."""
        return self._child.run_id

    async def signal(
        self, signal: Any, arg: Any = ..., *, args: Sequence[Any] = ()
    ) -> None:
        """Send a signal (name or handler); returns when it is delivered.

        Raises:
            ApplicationError: the child is not running.
        """
        call = SignalCall(
            name=handler_name(signal, SIGNAL),
            arguments=args if arg is ... else [arg],
            child_workflow_id=self.id,
        )
        await self._external.signal(call)


class _Child:
    """What the engine was asked for, and the futures of its start and its outcome."""

    def __init__(self, core: Core, call: ChildCall, workflow_id: str) -> None:
        self.core, self.call, self.workflow_id = core, call, workflow_id
        self.run_id = UNKNOWN
        self.seq = core.next_number("child")
        self.started: asyncio.Future[None] = core.loop.create_future()
        self.outcome: asyncio.Future[Any] = core.loop.create_future()

    async def run(self) -> Any:
        """Wait for the outcome; the body of the handle."""
        return await self.core.outcome(self.outcome, self.cancel)

    async def wait_started(self) -> None:
        """Wait until it runs; a cancelled workflow stops waiting."""
        await self.core.outcome(
            self.started, self.cancel, workflow_cancel_ends_wait=True
        )

    def cancel(self, error: asyncio.CancelledError) -> None:
        """Ask for its cancellation; the text of `Task.cancel` is the reason."""
        if self.outcome.done():
            return
        reason = error.args[0] if error.args else ""
        text = reason if isinstance(reason, str) else ""
        self.core.emit(CancelChild(seq=self.seq, reason=text))

    def fail(self, error: BaseException) -> None:
        """Take a failure, of the start or of the run."""
        if self.started.done():
            self.outcome.set_exception(error)
            return
        self.started.set_exception(error)
        self.started.exception()  # whoever waited may have been cancelled
        self.outcome.set_result(None)  # nobody has the handle

    def command(self) -> StartChild:
        """Return what asks for it."""
        core, call = self.core, self.call
        memo = call.memo or {}
        return StartChild(
            seq=self.seq,
            workflow_id=self.workflow_id,
            workflow_type=call.name,
            task_queue=call.task_queue or core.task_queue,
            arguments=core.conversion.to_payloads(call.arguments),
            execution_timeout_ms=to_ms(call.execution_timeout),
            run_timeout_ms=to_ms(call.run_timeout),
            task_timeout_ms=to_ms(call.task_timeout),
            parent_close_policy=call.parent_close_policy,
            cancellation_type=call.cancellation_type,
            id_reuse_policy=call.id_reuse_policy,
            retry_policy=call.retry_policy.to_json() if call.retry_policy else None,
            cron_schedule=call.cron_schedule,
            memo=dict(
                zip(memo, core.conversion.to_payloads([*memo.values()]), strict=True)
            ),
            search_attributes=encode_search_attributes(
                core.conversion, call.search_attributes
            ),
            priority=call.priority,
            static_summary=core.summary(call.static_summary),
            static_details=core.summary(call.static_details),
        )


class Children:
    """The children of one instance; `pending` are those without an outcome."""

    def __init__(self, core: Core, external: External) -> None:
        self.core = core
        self.external = external
        self.pending: dict[int, _Child] = {}

    async def start(
        self, call: ChildCall, workflow_id: str
    ) -> ChildWorkflowHandle[Any, Any]:
        """Start a child; returns when it runs.

        Raises:
            WorkflowAlreadyStartedError: its workflow id is taken.
            ChildWorkflowError: it was cancelled before it started.
        """
        child = _Child(self.core, call, workflow_id)
        self.core.emit(child.command())
        handle: ChildWorkflowHandle[Any, Any] = ChildWorkflowHandle(
            child.run(), loop=self.core.loop, name=f"child: {call.name}"
        )
        handle._child, handle._external = child, self.external  # noqa: SLF001
        self.core.loop.adopt(handle)
        self.pending[child.seq] = child
        await child.wait_started()
        return handle

    def resolve_start(self, job: ResolveChildStart) -> None:
        """A child started or did not. Raises RuntimeError if it is not known."""
        child = self._find(job.seq)
        resolution = job.resolution
        if isinstance(resolution, ChildStarted):
            child.run_id = resolution.run_id
            child.started.set_result(None)
            return
        del self.pending[job.seq]
        if isinstance(resolution, ChildNotStarted):
            taken, kind = resolution.workflow_id, resolution.workflow_type
            child.fail(WorkflowAlreadyStartedError(taken, kind))
        else:
            child.fail(self.core.conversion.from_failure(resolution.failure))

    def resolve(self, job: ResolveChild) -> None:
        """Give a child its outcome. Raises RuntimeError if it is not known."""
        child = self._find(job.seq)
        del self.pending[job.seq]
        resolution = job.resolution
        if not isinstance(resolution, Completed):
            child.fail(self.core.conversion.from_failure(resolution.failure))
            return
        payloads = () if resolution.result is None else (resolution.result,)
        values = self.core.conversion.from_payloads(payloads, [child.call.result_hint])
        child.outcome.set_result(values[0] if values else None)

    def _find(self, seq: int) -> _Child:
        if seq not in self.pending:
            msg = f"no child workflow {seq} waits for an outcome"
            raise RuntimeError(msg)
        return self.pending[seq]
