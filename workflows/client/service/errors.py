"""What the service says of workflows beyond not found, conflict and bad arguments."""

from collections.abc import Mapping
from typing import Any

from workflows.exceptions import WorkflowsError
from workflows.store import RunStatus


class QueryRejectedError(WorkflowsError):
    """The run's status is one that the caller did not want to query."""

    def __init__(self, status: RunStatus) -> None:
        super().__init__(f"the run is {status}: the query is rejected")
        self.status = status


class QueryFailedError(WorkflowsError):
    """The query's handler raised, or there is none; `failure` is Temporal's JSON."""

    def __init__(self, failure: Mapping[str, Any]) -> None:
        super().__init__(failure.get("message") or "the query failed")
        self.failure = failure


class DeadlineError(WorkflowsError):
    """The answer did not come in time."""


class BusyError(WorkflowsError):
    """Too many calls of this kind are open in this process; try again later."""
