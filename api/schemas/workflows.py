"""Workflows."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.fields import Body, Id, Json, Span, TimeOut, View
from workflows.store import RunStatus

Name = Annotated[str, Field(min_length=1, max_length=1000)]
Arguments = Annotated[list[Json], Field(max_length=100)]
Fields = dict[Annotated[str, Field(min_length=1, max_length=255)], Json]
Status = Literal[
    "running",
    "completed",
    "failed",
    "canceled",
    "terminated",
    "continued_as_new",
    "timed_out",
]
STATUSES = tuple(status.value for status in RunStatus)


class RetryPolicyIn(Body):
    """When a workflow that failed is started again."""

    initial_interval_ms: Annotated[int, Field(ge=1)] = Field(
        1000, alias="initialIntervalMs"
    )
    backoff_coefficient: Annotated[float, Field(ge=1, le=1000)] = Field(
        2.0, alias="backoffCoefficient"
    )
    maximum_interval_ms: Annotated[int, Field(ge=1)] | None = Field(
        None, alias="maximumIntervalMs"
    )
    maximum_attempts: Annotated[int, Field(ge=0, le=2**31 - 1)] = Field(
        0, alias="maximumAttempts"
    )
    non_retryable_error_types: list[Name] = Field(
        default_factory=list, alias="nonRetryableErrorTypes"
    )


class SignalIn(Body):
    """A signal: its name and its arguments."""

    name: Name
    arguments: Arguments = Field(default_factory=list)


class StartWorkflow(Body):
    """A workflow to start. Without `workflowId` one is made.

    `idReusePolicy`: if the newest run of the id is closed; `idConflictPolicy`: if it
    is open (default: `fail`; with a signal `use_existing`). `signal` goes into the new
    run, or the open one.
    """

    type: Name
    task_queue: Name = Field(alias="taskQueue")
    workflow_id: Id | None = Field(None, alias="workflowId")
    arguments: Arguments = Field(default_factory=list)
    memo: Fields = Field(default_factory=dict)
    search_attributes: dict[Name, list[Json]] = Field(
        default_factory=dict, alias="searchAttributes"
    )
    execution_timeout_ms: Span | None = Field(None, alias="executionTimeoutMs")
    run_timeout_ms: Span | None = Field(None, alias="runTimeoutMs")
    task_timeout_ms: Span | None = Field(None, alias="taskTimeoutMs")
    start_delay_ms: Span = Field(0, alias="startDelayMs")
    retry_policy: RetryPolicyIn | None = Field(None, alias="retryPolicy")
    cron_schedule: Annotated[str, Field(max_length=200)] = Field(
        "", alias="cronSchedule"
    )
    priority: Annotated[int, Field(ge=0, le=100)] = 0
    id_reuse_policy: Literal[
        "allow_duplicate",
        "allow_duplicate_failed_only",
        "reject_duplicate",
    ] = Field("allow_duplicate", alias="idReusePolicy")
    id_conflict_policy: Literal["fail", "use_existing", "terminate_existing"] | None = (
        Field(None, alias="idConflictPolicy")
    )
    signal: SignalIn | None = None


class QueryWorkflow(Body):
    """A query. `rejectCondition`: which runs are not to be asked."""

    name: Name
    arguments: Arguments = Field(default_factory=list)
    reject_condition: Literal["none", "not_open", "not_completed_cleanly"] = Field(
        "none", alias="rejectCondition"
    )
    timeout_ms: Annotated[int, Field(ge=1, le=20_000)] = Field(
        10_000, alias="timeoutMs"
    )


class CancelWorkflow(Body):
    """Why a workflow is cancelled."""

    reason: Annotated[str, Field(max_length=1000)] = ""


class TerminateWorkflow(Body):
    """Why a workflow is terminated; `details` are kept in its history."""

    reason: Annotated[str, Field(max_length=1000)] = ""
    details: Arguments = Field(default_factory=list)


class StartedWorkflow(View):
    """A run that was started, or the open one that is used."""

    workflow_id: str
    run_id: str
    first_run_id: str
    status: Literal["started", "existing"]


class RunName(View):
    """The run that took a signal, a cancel request or its end."""

    workflow_id: str
    run_id: str


class WorkflowSummary(View):
    """A run. `failing`: its newest workflow task failed and is tried again."""

    workflow_id: str
    run_id: str
    first_run_id: str
    next_run_id: str | None
    type: str
    task_queue: str
    status: Status
    started_at: TimeOut
    closed_at: TimeOut | None
    history_length: int
    history_bytes: int
    cancel_requested: bool
    failing: bool
    priority: float
    parent: RunName | None
    memo: dict[str, Json]
    search_attributes: dict[str, Json]


class WorkflowList(View):
    """A page of runs, newest first."""

    workflows: list[WorkflowSummary]


class PendingActivityView(View):
    """An activity that has not ended."""

    activity_id: str
    type: str
    queue_name: str
    state: Literal["scheduled", "started", "cancel_requested"]
    attempt: int
    maximum_attempts: int
    scheduled_at: TimeOut
    started_at: TimeOut | None
    next_attempt_at: TimeOut | None
    heartbeat_at: TimeOut | None
    heartbeat_details: list[Json]
    last_failure: Json
    worker: str | None
    completed_elsewhere: bool


class PendingTimerView(View):
    """A timer that has not fired."""

    timer_id: str
    due_at: TimeOut


class PendingTaskView(View):
    """The workflow task that waits or runs."""

    state: Literal["scheduled", "started"]
    attempt: int
    scheduled_at: TimeOut
    due_at: TimeOut | None
    started_at: TimeOut | None
    worker: str | None


class WaitView(View):
    """One thing that the run waits for."""

    what: str
    since: TimeOut
    until: TimeOut | None
    unblock: str


class WorkflowDetail(WorkflowSummary):
    """A run with all that it waits for. `failure`: of its newest failed task."""

    deadline_at: TimeOut | None
    pending_activities: list[PendingActivityView]
    pending_timers: list[PendingTimerView]
    pending_children: list[WorkflowSummary]
    pending_task: PendingTaskView | None
    failure: Json
    waits_for: list[WaitView]


class HistoryView(View):
    """Events in Temporal's JSON, from `startId` on.

    `nextId`: pass it as `startId` for the events that follow; null: the run is closed
    and this was the end.
    """

    workflow_id: str
    run_id: str
    events: list[dict[str, Json]]
    next_id: int | None


class ResultView(View):
    """How a workflow ended. `status` running: it has not (yet).

    `result` of a completed one; `failure`, in Temporal's JSON, of a failed one;
    `reason` and `details` of a terminated one.
    """

    workflow_id: str
    run_id: str
    status: Status
    result: Json = None
    failure: Json = None
    reason: str | None = None
    details: list[Json] = Field(default_factory=list)
    next_run_id: str | None = None


class QueryResult(View):
    """What a query's handler returned."""

    result: Json = None
