"""What callers use: clients of workflows, shaped like `temporalio.client`, and the
service functions behind REST, CLI and application code.
"""

from workflows.client.blocking import BlockingClient
from workflows.client.blocking_handles import (
    BlockingAsyncActivityHandle,
    BlockingWorkflowHandle,
)
from workflows.client.client import Client, WorkflowExecutionAsyncIterator
from workflows.client.errors import (
    AsyncActivityCancelledError,
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from workflows.client.executions import (
    HistoryEvent,
    WorkflowExecution,
    WorkflowExecutionCount,
    WorkflowExecutionCountAggregationGroup,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHistory,
    WorkflowHistoryEventFilterType,
)
from workflows.client.faults import Fault, InvalidJobsError
from workflows.client.handles import AsyncActivityHandle, WorkflowHandle
from workflows.client.jobs import JobClient, JobRequest
from workflows.client.monitoring import Dashboard
from workflows.client.schedules import ScheduleClient, ScheduleRequest
from workflows.client.service import WorkflowService
from workflows.exceptions import WorkflowAlreadyStartedError
from workflows.service import RPCError, RPCStatusCode

__all__ = [
    "AsyncActivityCancelledError",
    "AsyncActivityHandle",
    "BlockingAsyncActivityHandle",
    "BlockingClient",
    "BlockingWorkflowHandle",
    "Client",
    "Dashboard",
    "Fault",
    "HistoryEvent",
    "InvalidJobsError",
    "JobClient",
    "JobRequest",
    "RPCError",
    "RPCStatusCode",
    "ScheduleClient",
    "ScheduleRequest",
    "WorkflowAlreadyStartedError",
    "WorkflowContinuedAsNewError",
    "WorkflowExecution",
    "WorkflowExecutionAsyncIterator",
    "WorkflowExecutionCount",
    "WorkflowExecutionCountAggregationGroup",
    "WorkflowExecutionDescription",
    "WorkflowExecutionStatus",
    "WorkflowFailureError",
    "WorkflowHandle",
    "WorkflowHistory",
    "WorkflowHistoryEventFilterType",
    "WorkflowQueryFailedError",
    "WorkflowQueryRejectedError",
    "WorkflowService",
]
