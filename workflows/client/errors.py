"""Errors of clients, named as in `temporalio.client`, and how calls come to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workflows.activity import ActivityCancellationDetails
from workflows.client.service.errors import BusyError, DeadlineError
from workflows.exceptions import (
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    StoreError,
    StoreFullError,
    StoreUnavailableError,
    WorkflowsError,
)
from workflows.service import RPCError, RPCStatusCode

if TYPE_CHECKING:
    from workflows.client.executions import WorkflowExecutionStatus


class WorkflowFailureError(WorkflowsError):
    """A workflow ended without a result; `cause` says how."""

    def __init__(self, *, cause: BaseException) -> None:
        super().__init__("Workflow execution failed")
        self.__cause__ = cause

    @property
    def cause(self) -> BaseException:
        """The error that ended it."""
        assert self.__cause__ is not None  # noqa: S101 - set above
        return self.__cause__


class WorkflowContinuedAsNewError(WorkflowsError):
    """The run continued as new, and its runs are not followed."""

    def __init__(self, new_execution_run_id: str) -> None:
        super().__init__("Workflow continued as new")
        self._new_execution_run_id = new_execution_run_id

    @property
    def new_execution_run_id(self) -> str:
        """The next run."""
        return self._new_execution_run_id


class WorkflowQueryFailedError(WorkflowsError):
    """The handler of a query raised, or there is none."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self._message = message

    @property
    def message(self) -> str:
        """What the handler said."""
        return self._message


class WorkflowQueryRejectedError(WorkflowsError):
    """The run's status is one that `reject_condition` excludes."""

    def __init__(self, status: "WorkflowExecutionStatus | None") -> None:
        super().__init__(f"Query rejected, status: {status and int(status)}")
        self._status = status

    @property
    def status(self) -> "WorkflowExecutionStatus | None":
        """The run's status."""
        return self._status


class AsyncActivityCancelledError(WorkflowsError):
    """The cancellation of an activity is asked for; answer `report_cancellation`."""

    def __init__(self, details: ActivityCancellationDetails | None = None) -> None:
        super().__init__("Activity cancelled")
        self.details = details


STATUS: tuple[tuple[type[WorkflowsError], RPCStatusCode], ...] = (
    (NotFoundError, RPCStatusCode.NOT_FOUND),
    (ConflictError, RPCStatusCode.NOT_FOUND),  # it is closed: Temporal says the same
    (InvalidArgumentError, RPCStatusCode.INVALID_ARGUMENT),
    (DeadlineError, RPCStatusCode.DEADLINE_EXCEEDED),
    (BusyError, RPCStatusCode.RESOURCE_EXHAUSTED),
    (StoreFullError, RPCStatusCode.RESOURCE_EXHAUSTED),
    (StoreUnavailableError, RPCStatusCode.UNAVAILABLE),
    (StoreError, RPCStatusCode.FAILED_PRECONDITION),
)


@contextmanager
def rpc_errors() -> Iterator[None]:
    """Turn the service's errors into RPCError; only a fault of the store is a cause."""
    try:
        yield
    except tuple(kind for kind, _ in STATUS) as error:
        status = next(code for kind, code in STATUS if isinstance(error, kind))
        cause = error if isinstance(error, StoreError) else None
        raise RPCError(str(error), status) from cause
