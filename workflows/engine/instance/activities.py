"""Activities of a run: from the call to the resolution."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from workflows.common import RetryPolicy
from workflows.engine.activation import (
    Backoff,
    Completed,
    ResolveActivity,
)
from workflows.engine.commands import (
    CancelActivity,
    CancellationType,
    ScheduleActivity,
    ScheduleLocalActivity,
)
from workflows.engine.instance.core import Core
from workflows.engine.instance.spans import to_ms
from workflows.engine.loop import WorkflowLoop, WorkflowTask
from workflows.exceptions import InvalidArgumentError

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityCall:
    """One call, as the author wrote it."""

    name: str
    arguments: Sequence[Any]
    result_hint: Any = None
    local: bool = False
    task_queue: str | None = None
    schedule_to_close: timedelta | None = None
    schedule_to_start: timedelta | None = None
    start_to_close: timedelta | None = None
    heartbeat: timedelta | None = None
    local_retry_threshold: timedelta | None = None
    retry_policy: RetryPolicy | None = None
    cancellation_type: CancellationType = CancellationType.TRY_CANCEL
    activity_id: str | None = None
    summary: str | None = None
    priority: int = 0


class ActivityHandle(WorkflowTask[T]):
    """A started activity: await it for the result, cancel it to ask for its end.

    How a cancelled one resolves is up to its cancellation type.
    """

    _operation: "_Operation"

    @classmethod
    def _of(cls, operation: "_Operation", loop: WorkflowLoop) -> "ActivityHandle[Any]":
        work: Coroutine[Any, Any, Any] = operation.run()
        handle: ActivityHandle[Any] = ActivityHandle(
            work, loop=loop, name=f"activity: {operation.call.name}"
        )
        handle._operation = operation
        return handle

    def cancel(self, msg: Any | None = None) -> bool:
        """See asyncio."""
        if not self.done():
            self._operation.cancel_unstarted()
        return super().cancel(msg)


class _Operation:
    """What the engine was asked for, and the future of its outcome."""

    def __init__(self, activities: "Activities", call: ActivityCall) -> None:
        self.call = call
        self.core = activities.core
        self.pending = activities.pending
        self.started = False
        self.cancel_sent = False
        self.seq = 0
        self.outcome: asyncio.Future[Any] = self.core.loop.create_future()
        self.arguments = self.core.conversion.to_payloads(call.arguments)
        self.schedule(None)

    async def run(self) -> Any:
        """Wait for the outcome; a local activity may ask to be tried again."""
        self.started = True
        while True:
            found = await self.core.outcome(
                self.outcome, lambda _: self.cancel(), cancel_beats_outcome=True
            )
            if not isinstance(found, Backoff):
                return found
            self.outcome = self.core.loop.create_future()
            await asyncio.sleep(found.delay_ms / 1000)
            self.schedule(found)

    def schedule(self, again: Backoff | None) -> None:
        """Ask for the activity, under a new number."""
        seq = self.core.next_number("activity")
        command = self._local(seq, again) if self.call.local else self._remote(seq)
        self.core.emit(command)
        self.seq, self.cancel_sent = seq, False
        self.pending[seq] = self

    def cancel(self) -> None:
        """Ask for its cancellation, once."""
        if self.seq in self.pending and not self.cancel_sent:
            self.core.emit(CancelActivity(seq=self.seq, local=self.call.local))
            self.cancel_sent = True

    def cancel_unstarted(self) -> None:
        """Cancel on behalf of a task that never ran, and so cannot catch it."""
        if not self.core.evicting:
            self.core.require_writable("cancel activity")
            if not self.started:
                self.cancel()

    def resolve(self, job: ResolveActivity) -> None:
        """Take the outcome."""
        resolution = job.resolution
        if isinstance(resolution, Backoff):
            self.outcome.set_result(resolution)
        elif isinstance(resolution, Completed):
            payloads = () if resolution.result is None else (resolution.result,)
            values = self.core.conversion.from_payloads(
                payloads, [self.call.result_hint]
            )
            self.outcome.set_result(values[0] if values else None)
        elif self.started:  # else nobody waits, and asyncio would complain
            error = self.core.conversion.from_failure(resolution.failure)
            self.outcome.set_exception(error)

    def _remote(self, seq: int) -> ScheduleActivity:
        call = self.call
        return ScheduleActivity(
            seq=seq,
            activity_id=call.activity_id or str(seq),
            activity_type=call.name,
            task_queue=call.task_queue or self.core.task_queue,
            arguments=self.arguments,
            schedule_to_close_ms=to_ms(call.schedule_to_close),
            schedule_to_start_ms=to_ms(call.schedule_to_start),
            start_to_close_ms=to_ms(call.start_to_close),
            heartbeat_ms=to_ms(call.heartbeat),
            retry_policy=call.retry_policy.to_json() if call.retry_policy else None,
            cancellation_type=call.cancellation_type,
            priority=call.priority,
            summary=self.core.summary(call.summary),
        )

    def _local(self, seq: int, again: Backoff | None) -> ScheduleLocalActivity:
        call = self.call
        return ScheduleLocalActivity(
            seq=seq,
            activity_id=call.activity_id or str(seq),
            activity_type=call.name,
            arguments=self.arguments,
            schedule_to_close_ms=to_ms(call.schedule_to_close),
            schedule_to_start_ms=to_ms(call.schedule_to_start),
            start_to_close_ms=to_ms(call.start_to_close),
            retry_policy=call.retry_policy.to_json() if call.retry_policy else None,
            local_retry_threshold_ms=to_ms(call.local_retry_threshold),
            cancellation_type=call.cancellation_type,
            attempt=again.attempt if again else 1,
            scheduled_at=again.scheduled_at if again else None,
            summary=self.core.summary(call.summary),
        )


class Activities:
    """The activities of one instance; `pending` are those without an outcome."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.pending: dict[int, _Operation] = {}

    def start(self, call: ActivityCall) -> ActivityHandle[Any]:
        """Schedule an activity.

        Raises:
            InvalidArgumentError: neither of the two timeouts that end it is set.
        """
        if not call.schedule_to_close and not call.start_to_close:
            msg = (  # Temporal's text, which workflows may return
                "Activity must have start_to_close_timeout or schedule_to_close_timeout"
            )
            raise InvalidArgumentError(msg)
        operation = _Operation(self, call)
        handle = ActivityHandle._of(operation, self.core.loop)  # noqa: SLF001
        self.core.loop.adopt(handle)
        return handle

    def resolve(self, job: ResolveActivity) -> None:
        """Give an activity its outcome. Raises RuntimeError if it is not known."""
        operation = self.pending.pop(job.seq, None)
        if operation is None:
            msg = f"no activity {job.seq} waits for an outcome"
            raise RuntimeError(msg)
        operation.resolve(job)
