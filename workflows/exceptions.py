"""Every error of the project, one tree under `WorkflowsError`.

What a job raises to steer its own retry (`NonRetryableError`, `RetryAfter`,
`Snooze`) stands beside what the machinery raises, and beside Temporal's failures of
workflows. Signals that user code must not swallow derive from `BaseException`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any


class WorkflowsError(Exception):
    """The root of all errors of this project."""


# -- what a job may raise --------------------------------------------------------------


class NonRetryableError(WorkflowsError):
    """The job can never succeed as it is: dead at once, reason `non_retryable`."""


class RetryAfter(WorkflowsError):  # noqa: N818 - reads as an instruction
    """Try again after `delay`; the attempt is not spent.

    For the other side's own words: a 429 with Retry-After, a rate window.
    """

    def __init__(self, delay: float | timedelta, message: str = "") -> None:
        self.delay = delay if isinstance(delay, timedelta) else timedelta(seconds=delay)
        super().__init__(message or f"retry after {self.delay}")


class Snooze(RetryAfter):
    """Not now: look again after `delay`; no attempt spent, no failure recorded."""


# -- what stops a running job; never swallowed by `except Exception` -------------------


class JobInterrupt(BaseException):
    """Raised inside a running job by the runtime."""


class JobTimeout(JobInterrupt):
    """The job ran longer than its `timeout`; its lease is already settled."""


class JobCancelled(JobInterrupt):
    """Somebody asked to cancel the job."""


class LeaseLost(JobInterrupt):
    """The job belongs to another process now; what this run does is refused."""


# -- what a caller may meet ------------------------------------------------------------


class InvalidArgumentError(WorkflowsError, ValueError):
    """A value the caller passed is not acceptable; nothing was changed."""


class PayloadError(InvalidArgumentError):
    """A payload cannot be encoded, decoded or validated.

    `path` names the place in the payload, as a JSON pointer ("" is the root).
    """

    def __init__(self, message: str, *, path: str = "") -> None:
        self.path = path
        super().__init__(f"{message} (at {path})" if path else message)


class NotFoundError(WorkflowsError, LookupError):
    """The named job, queue or schedule does not exist."""


class ConflictError(WorkflowsError):
    """The record is not in a state that allows the operation."""


class SettingsError(WorkflowsError):
    """One or more settings are wrong; the text holds one line per problem."""


# -- what a store may raise ------------------------------------------------------------


class StoreError(WorkflowsError):
    """The root of what a store adapter raises."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached or is busy; the outcome of a write is unknown.

    Send the same ids again: every write is safe to repeat.
    """


class StoreFullError(StoreError):
    """The store is at its memory or disk limit; nothing was accepted."""


class InboxFullError(StoreFullError):
    """Too much waits for a run already; nothing was sent. Try again later.

    It handles what waits as soon as a worker serves its task queue.
    """

    def __init__(self, workflow_id: str, limit: int) -> None:
        super().__init__(
            f"{limit} messages wait for workflow {workflow_id!r} already; is there a "
            "worker on its task queue? (WORKFLOWS_MAX_SIGNALS is the limit)"
        )


class StoreRefusedError(StoreError):
    """The store must not be used as it is: foreign, newer, or unsafe settings."""


# -- what a workflow or a client sees fail: Temporal's tree ----------------------------


class TimeoutType(IntEnum):
    """Which timeout struck; numbers are Temporal's."""

    START_TO_CLOSE = 1
    SCHEDULE_TO_START = 2
    SCHEDULE_TO_CLOSE = 3
    HEARTBEAT = 4


class RetryState(IntEnum):
    """Why there was no further attempt; numbers are Temporal's."""

    IN_PROGRESS = 1
    NON_RETRYABLE_FAILURE = 2
    TIMEOUT = 3
    MAXIMUM_ATTEMPTS_REACHED = 4
    RETRY_POLICY_NOT_SET = 5
    INTERNAL_SERVER_ERROR = 6
    CANCEL_REQUESTED = 7


class ApplicationErrorCategory(IntEnum):
    """How an application error is meant; BENIGN ones are logged quietly."""

    UNSPECIFIED = 0
    BENIGN = 1


class FailureError(WorkflowsError):
    """An error that a history can hold; raised in workflow code, it fails the workflow.

    `failure` is the JSON it was read from, or None. `cause` is `__cause__`.
    """

    def __init__(
        self, message: str, *, failure: Mapping[str, Any] | None = None
    ) -> None:
        self._message = message
        self._failure = failure
        super().__init__(message)

    @property
    def message(self) -> str:
        """The message alone."""
        return self._message

    @property
    def failure(self) -> Mapping[str, Any] | None:
        """The recorded failure that this was made of."""
        return self._failure

    @property
    def cause(self) -> BaseException | None:
        """The error that led to this one."""
        return self.__cause__


class ApplicationError(FailureError):
    """The application's own failure. `type` is matched by retry policies.

    `next_retry_delay` replaces the policy's delay once; `non_retryable` ends retries.
    """

    def __init__(
        self,
        message: str,
        *details: Any,
        type: str | None = None,
        non_retryable: bool = False,
        next_retry_delay: timedelta | None = None,
        category: ApplicationErrorCategory = ApplicationErrorCategory.UNSPECIFIED,
    ) -> None:
        super().__init__(message)
        self.details: Sequence[Any] = details
        self.type = type
        self.non_retryable = non_retryable
        self.next_retry_delay = next_retry_delay
        self.category = category

    def __str__(self) -> str:
        """`type: message`."""
        return f"{self.type}: {self.message}" if self.type else self.message


class CancelledError(FailureError):
    """Something was cancelled. Not asyncio's error of this name."""

    def __init__(self, message: str = "Cancelled", *details: Any) -> None:
        super().__init__(message)
        self.details: Sequence[Any] = details


class TerminatedError(FailureError):
    """A run was terminated."""

    def __init__(self, message: str, *details: Any) -> None:
        super().__init__(message)
        self.details: Sequence[Any] = details


class TimeoutError(FailureError):  # noqa: A001 - Temporal's name
    """A timeout of an activity or a workflow struck. Not the builtin of this name."""

    def __init__(
        self,
        message: str,
        *,
        type: TimeoutType | None,
        last_heartbeat_details: Sequence[Any] = (),
    ) -> None:
        super().__init__(message)
        self.type = type
        self.last_heartbeat_details = last_heartbeat_details


class ServerError(FailureError):
    """The engine itself failed."""

    def __init__(self, message: str, *, non_retryable: bool = False) -> None:
        super().__init__(message)
        self.non_retryable = non_retryable


class ActivityError(FailureError):
    """An activity ended without a result; `cause` says how."""

    def __init__(
        self,
        message: str,
        *,
        scheduled_event_id: int,
        started_event_id: int,
        identity: str,
        activity_type: str,
        activity_id: str,
        retry_state: RetryState | None,
    ) -> None:
        super().__init__(message)
        self.scheduled_event_id = scheduled_event_id
        self.started_event_id = started_event_id
        self.identity = identity
        self.activity_type = activity_type
        self.activity_id = activity_id
        self.retry_state = retry_state


class ChildWorkflowError(FailureError):
    """A child workflow ended without a result; `cause` says how."""

    def __init__(
        self,
        message: str,
        *,
        namespace: str,
        workflow_id: str,
        run_id: str,
        workflow_type: str,
        initiated_event_id: int,
        started_event_id: int,
        retry_state: RetryState | None,
    ) -> None:
        super().__init__(message)
        self.namespace = namespace
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.workflow_type = workflow_type
        self.initiated_event_id = initiated_event_id
        self.started_event_id = started_event_id
        self.retry_state = retry_state


class WorkflowAlreadyStartedError(FailureError):
    """The workflow id is in use and the policies forbid another run."""

    def __init__(
        self,
        workflow_id: str,
        workflow_type: str,
        *,
        run_id: str | None = None,
        first_run_id: str | None = None,
    ) -> None:
        super().__init__("Workflow execution already started")
        self.workflow_id = workflow_id
        self.workflow_type = workflow_type
        self.run_id = run_id
        self.first_run_id = first_run_id


def is_cancelled_exception(exception: BaseException) -> bool:
    """Return whether it means cancellation: as such, or as the cause of an activity's
    or child's failure.
    """
    return isinstance(exception, asyncio.CancelledError | CancelledError) or (
        isinstance(exception, ActivityError | ChildWorkflowError)
        and isinstance(exception.cause, CancelledError)
    )
