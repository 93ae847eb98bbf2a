"""What a workflow asks for in return: the commands of an activation, in call order.

Payloads and failures are in their JSON form, spans in ms; `seq` as in activation.py.
A start and a cancel of the same thing in one activation annihilate each other before
anything is recorded (`workflows.engine.replay`); a workflow just emits both.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from workflows.engine.activation import Failure, Headers, Payload, Payloads


class CancellationType(StrEnum):
    """How a cancelled activity or child resolves in the workflow."""

    TRY_CANCEL = "try_cancel"
    WAIT_CANCELLATION_COMPLETED = "wait_cancellation_completed"
    WAIT_CANCELLATION_REQUESTED = "wait_cancellation_requested"  # children only
    ABANDON = "abandon"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTimer:
    """Fire `FireTimer(seq)` after `duration_ms`."""

    seq: int
    duration_ms: int
    summary: Payload | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTimer:
    """Forget a timer."""

    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleActivity:
    """Run an activity. `retry_policy`: JSON of RetryPolicy; None: the default."""

    seq: int
    activity_id: str
    activity_type: str
    task_queue: str
    arguments: Payloads
    headers: Headers = field(default_factory=dict)
    schedule_to_close_ms: int | None = None
    schedule_to_start_ms: int | None = None
    start_to_close_ms: int | None = None
    heartbeat_ms: int | None = None
    retry_policy: Mapping[str, Any] | None = None
    cancellation_type: CancellationType = CancellationType.TRY_CANCEL
    priority: int = 0  # 0: the workflow's own
    summary: Payload | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleLocalActivity:
    """Run an activity inside the workflow task; its end becomes a marker.

    `attempt`, `scheduled_at` continue one that resolved with Backoff.
    """

    seq: int
    activity_id: str
    activity_type: str
    arguments: Payloads
    headers: Headers = field(default_factory=dict)
    schedule_to_close_ms: int | None = None
    schedule_to_start_ms: int | None = None
    start_to_close_ms: int | None = None
    retry_policy: Mapping[str, Any] | None = None
    local_retry_threshold_ms: int | None = None
    cancellation_type: CancellationType = CancellationType.TRY_CANCEL
    attempt: int = 1
    scheduled_at: int | None = None
    summary: Payload | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelActivity:
    """Ask an activity (also a local one) to cancel."""

    seq: int
    local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StartChild:
    """Start a child workflow. Policies are Temporal's names in lower case."""

    seq: int
    workflow_id: str
    workflow_type: str
    task_queue: str
    arguments: Payloads
    headers: Headers = field(default_factory=dict)
    execution_timeout_ms: int | None = None
    run_timeout_ms: int | None = None
    task_timeout_ms: int | None = None
    parent_close_policy: str = "terminate"  # terminate, abandon, request_cancel
    cancellation_type: CancellationType = CancellationType.WAIT_CANCELLATION_COMPLETED
    id_reuse_policy: str = "allow_duplicate"
    retry_policy: Mapping[str, Any] | None = None
    cron_schedule: str = ""
    memo: Mapping[str, Payload] = field(default_factory=dict)
    search_attributes: Mapping[str, Payload] = field(default_factory=dict)
    priority: int = 0
    static_summary: Payload | None = None
    static_details: Payload | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelChild:
    """Ask a child to cancel."""

    seq: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalExternal:
    """Signal another workflow, or (`child_workflow_id`) a child."""

    seq: int
    name: str
    arguments: Payloads
    headers: Headers = field(default_factory=dict)
    workflow_id: str = ""
    run_id: str = ""
    child_workflow_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelSignal:
    """Take back a signal that was not sent yet."""

    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelExternal:
    """Ask another workflow to cancel."""

    seq: int
    workflow_id: str
    run_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPatchMarker:
    """Record that the patched way was taken; `deprecated`: replay does not insist."""

    patch_id: str
    deprecated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsertMemo:
    """Change memo fields; a null payload deletes one."""

    fields: Mapping[str, Payload]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpsertSearchAttributes:
    """Change search attributes; a null payload deletes one."""

    attributes: Mapping[str, Payload]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteWorkflow:
    """The run returned."""

    result: Payload | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailWorkflow:
    """The run raised a failure."""

    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelWorkflow:
    """The run ended by the cancellation that was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinueAsNew:
    """Close this run and start the next one; None and empty inherit."""

    arguments: Payloads
    workflow_type: str = ""
    task_queue: str = ""
    run_timeout_ms: int | None = None
    task_timeout_ms: int | None = None
    retry_policy: Mapping[str, Any] | None = None
    memo: Mapping[str, Payload] | None = None
    search_attributes: Mapping[str, Payload] | None = None
    headers: Headers = field(default_factory=dict)
    backoff_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """The answer to a query: a result or a failure."""

    query_id: str
    result: Payload | None = None
    failure: Failure | None = None


TerminalCommand = CompleteWorkflow | FailWorkflow | CancelWorkflow | ContinueAsNew

Command = (
    StartTimer
    | CancelTimer
    | ScheduleActivity
    | ScheduleLocalActivity
    | CancelActivity
    | StartChild
    | CancelChild
    | SignalExternal
    | CancelSignal
    | CancelExternal
    | SetPatchMarker
    | UpsertMemo
    | UpsertSearchAttributes
    | TerminalCommand
    | QueryResult
)
