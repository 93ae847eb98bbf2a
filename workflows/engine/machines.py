"""What a run waits for, one object each, and what its events tell the workflow.

An object lives from the command that asks for it to the last event that concerns it;
`event_id` is the event that recorded the command (0: not recorded yet). `resolved`:
the workflow waits no more (cancelled with TRY_CANCEL or ABANDON), though events may
still come.
"""

from dataclasses import dataclass
from typing import Any

from workflows.engine import failure_json as failures
from workflows.engine.activation import (
    ActivationJob,
    Backoff,
    Cancelled,
    ChildNotStarted,
    ChildStarted,
    Completed,
    Failed,
    Failure,
    FireTimer,
    Payload,
    Resolution,
    ResolveActivity,
    ResolveCancelExternal,
    ResolveChild,
    ResolveChildStart,
    ResolveSignalExternal,
)
from workflows.engine.commands import (
    CancellationType,
    ScheduleActivity,
    ScheduleLocalActivity,
    StartChild,
)
from workflows.engine.events import EventType as E
from workflows.engine.history import Event
from workflows.engine.proto_json import payload_list

AT_ONCE = frozenset({CancellationType.TRY_CANCEL, CancellationType.ABANDON})
Jobs = tuple[ActivationJob, ...]


@dataclass(slots=True)
class Machine:
    """The part that all have."""

    seq: int
    event_id: int = 0
    resolved: bool = False
    ended: bool = False

    def handle(self, event: Event, event_id: int) -> Jobs:
        """Take an event that concerns it; return what the workflow is told."""
        raise NotImplementedError

    def end(self, *jobs: ActivationJob) -> Jobs:
        """Note that no more events come; the jobs are for who still waits."""
        self.ended = True
        waits, self.resolved = not self.resolved, True
        return jobs if waits else ()


@dataclass(slots=True)
class Timer(Machine):
    """A timer."""

    def handle(self, event: Event, event_id: int) -> Jobs:  # noqa: ARG002
        """See Machine."""
        return self.end(FireTimer(seq=self.seq))


@dataclass(slots=True)
class Activity(Machine):
    """An activity."""

    command: ScheduleActivity | None = None
    started_id: int = 0
    cancel_id: int = 0  # of the newest ACTIVITY_TASK_CANCEL_REQUESTED
    cancel_asked: bool = False

    def handle(self, event: Event, event_id: int) -> Jobs:
        """See Machine."""
        if event.type is E.ACTIVITY_TASK_STARTED:
            self.started_id = event_id
            return ()
        return self.end(self._resolve(self._resolution(event)))

    def cancelled(self) -> Jobs:
        """Resolve it without waiting for its end."""
        if self.resolved:
            return ()
        self.resolved = True
        return (self._resolve(Cancelled(failure=self._cancelled({}))),)

    def _resolve(self, resolution: Resolution) -> ActivationJob:
        return ResolveActivity(seq=self.seq, resolution=resolution)

    def _resolution(self, event: Event) -> Resolution:
        said = event.attributes
        match event.type:
            case E.ACTIVITY_TASK_COMPLETED:
                return Completed(result=_one(said.get("result")))
            case E.ACTIVITY_TASK_CANCELED:
                return Cancelled(failure=self._cancelled(said))
            case E.ACTIVITY_TASK_TIMED_OUT:
                return Failed(failure=self._failure("Activity task timed out", said))
            case _:
                return Failed(failure=self._failure("Activity task failed", said))

    def _cancelled(self, said: dict[str, Any]) -> Failure:
        cause = failures.cancelled_failure(said.get("details"))
        retry = failures.retry_state("CANCEL_REQUESTED")
        more = {"failure": cause, "retryState": retry}
        return self._failure("Activity cancelled", {**said, **more})

    def _failure(self, message: str, said: dict[str, Any]) -> Failure:
        assert self.command is not None  # noqa: S101 - every activity has its command
        return failures.activity_failure(
            message,
            activity_id=self.command.activity_id,
            activity_type=self.command.activity_type,
            scheduled_id=int(said.get("scheduledEventId", 0)),
            started_id=int(said.get("startedEventId", 0)),
            identity=said.get("identity", ""),
            retry=said.get("retryState", ""),
            cause=said.get("failure"),
        )


@dataclass(slots=True)
class Child(Machine):
    """A child workflow."""

    command: StartChild | None = None
    started_id: int = 0
    run_id: str = ""
    namespace: str = ""

    def handle(self, event: Event, event_id: int) -> Jobs:
        """See Machine."""
        self.namespace = event.attributes.get("namespace", "")
        if event.type is E.CHILD_WORKFLOW_EXECUTION_STARTED:
            return self._started(event, event_id)
        if event.type is E.START_CHILD_WORKFLOW_EXECUTION_FAILED:
            return self.end(self._start(self._not_started()))
        return self.end(ResolveChild(seq=self.seq, resolution=self._closed(event)))

    def cancelled(self) -> Jobs:
        """Resolve it without waiting for its close."""
        if self.resolved:
            return ()
        self.resolved = True
        return (ResolveChild(seq=self.seq, resolution=self._cancelled()),)

    def taken_back(self, reason: str) -> Jobs:
        """Resolve a child whose start was never recorded."""
        message = f"Child Workflow Execution cancelled before scheduled: {reason}"
        failure = self._failure(message, cause=failures.cancelled_failure())
        return self.end(self._start(Cancelled(failure=failure)))

    def _started(self, event: Event, event_id: int) -> Jobs:
        self.started_id = event_id
        self.run_id = event.attributes["workflowExecution"].get("runId", "")
        started = self._start(ChildStarted(run_id=self.run_id))
        return () if self.resolved else (started,)

    def _start(
        self, resolution: ChildStarted | ChildNotStarted | Cancelled
    ) -> ActivationJob:
        return ResolveChildStart(seq=self.seq, resolution=resolution)

    def _not_started(self) -> ChildNotStarted:
        assert self.command is not None  # noqa: S101 - every child has its command
        return ChildNotStarted(
            workflow_id=self.command.workflow_id,
            workflow_type=self.command.workflow_type,
        )

    def _closed(self, event: Event) -> Resolution:
        said = event.attributes
        retry = said.get("retryState", "")
        match event.type:
            case E.CHILD_WORKFLOW_EXECUTION_COMPLETED:
                return Completed(result=_one(said.get("result")))
            case E.CHILD_WORKFLOW_EXECUTION_CANCELED:
                return self._cancelled()
            case E.CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
                cause = {
                    "message": "Timed out",
                    "timeoutFailureInfo": {
                        "timeoutType": "TIMEOUT_TYPE_START_TO_CLOSE"
                    },
                }
                return self._failed("timed out", retry, cause)
            case E.CHILD_WORKFLOW_EXECUTION_TERMINATED:
                cause = {"message": "Terminated", "terminatedFailureInfo": {}}
                return self._failed("terminated", NEVER, cause)
            case _:
                return self._failed("failed", retry, said.get("failure"))

    def _failed(self, what: str, retry: str, cause: Failure | None) -> Failed:
        message = f"Child Workflow execution {what}"
        return Failed(failure=self._failure(message, retry=retry, cause=cause))

    def _cancelled(self) -> Cancelled:
        cause = failures.cancelled_failure()
        message = "Child Workflow execution cancelled"
        return Cancelled(failure=self._failure(message, cause=cause))

    def _failure(
        self, message: str, *, retry: str = "", cause: Failure | None
    ) -> Failure:
        assert self.command is not None  # noqa: S101 - every child has its command
        return failures.child_failure(
            message,
            workflow_id=self.command.workflow_id,
            workflow_type=self.command.workflow_type,
            run_id=self.run_id,
            namespace=self.namespace,
            initiated_id=self.event_id,
            started_id=self.started_id,
            retry=retry or NEVER,
            cause=cause,
        )


NEVER = failures.retry_state("NON_RETRYABLE_FAILURE")


@dataclass(slots=True)
class ExternalSignal(Machine):
    """A signal to another workflow."""

    def handle(self, event: Event, event_id: int) -> Jobs:  # noqa: ARG002
        """See Machine."""
        failure = None
        if event.type is E.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
            reason = "it was not found"
            message = f"Unable to signal external workflow because {reason}"
            failure = failures.application_failure(message, failures.NOT_FOUND)
        return self.end(ResolveSignalExternal(seq=self.seq, failure=failure))

    def taken_back(self) -> Jobs:
        """Resolve a signal that was never recorded."""
        failure = failures.cancelled_failure(
            message="Signal was cancelled before being sent"
        )
        return self.end(ResolveSignalExternal(seq=self.seq, failure=failure))


@dataclass(slots=True)
class ExternalCancel(Machine):
    """A cancel request to another workflow; `resolved` from the start: to a child."""

    def handle(self, event: Event, event_id: int) -> Jobs:  # noqa: ARG002
        """See Machine."""
        failure = None
        if event.type is E.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED:
            message = "Unable to cancel external workflow because not found"
            failure = failures.application_failure(message, failures.NOT_FOUND)
        return self.end(ResolveCancelExternal(seq=self.seq, failure=failure))


@dataclass(slots=True)
class LocalActivity(Machine):
    """A local activity; its `event_id` is its marker's."""

    command: ScheduleLocalActivity | None = None
    begun: bool = False  # somebody runs it

    def told(self, resolution: Resolution | Backoff) -> Resolution | Backoff:
        """Return what the workflow is told of an end.

        A cancellation and a timeout come in an ActivityFailure, any other failure
        bare: so does Temporal's core.
        """
        match resolution:
            case Cancelled(failure=cause) if "canceledFailureInfo" in cause:
                return Cancelled(failure=self._framed("cancelled", cause))
            case Failed(failure=cause) if "timeoutFailureInfo" in cause:
                return Failed(failure=self._framed("timed out", cause))
            case _:
                return resolution

    def _framed(self, what: str, cause: Failure) -> Failure:
        assert self.command is not None  # noqa: S101 - each has its command
        return failures.activity_failure(
            f"Local Activity {what}",
            activity_id=self.command.activity_id,
            activity_type=self.command.activity_type,
            retry=failures.retry_state("CANCEL_REQUESTED"),
            cause=cause,
        )


def _one(holder: Any) -> Payload | None:
    found = payload_list(holder)
    return found[0] if found else None
