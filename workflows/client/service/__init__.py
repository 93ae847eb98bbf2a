"""Workflows for every face: blocking functions on payloads in Temporal's JSON."""

from workflows.client.service.activities import ActivityRef
from workflows.client.service.describing import (
    PendingActivity,
    PendingTask,
    PendingTimer,
    RunDescription,
    shown_info,
)
from workflows.client.service.errors import (
    BusyError,
    DeadlineError,
    QueryFailedError,
    QueryRejectedError,
)
from workflows.client.service.histories import HistoryPage
from workflows.client.service.outcomes import RunOutcome
from workflows.client.service.starting import StartRequest, StartSignal
from workflows.client.service.why import Wait
from workflows.client.service.workflow_service import QUERY_TIMEOUT_S, WorkflowService

__all__ = [
    "QUERY_TIMEOUT_S",
    "ActivityRef",
    "BusyError",
    "DeadlineError",
    "HistoryPage",
    "PendingActivity",
    "PendingTask",
    "PendingTimer",
    "QueryFailedError",
    "QueryRejectedError",
    "RunDescription",
    "RunOutcome",
    "StartRequest",
    "StartSignal",
    "Wait",
    "WorkflowService",
    "shown_info",
]
