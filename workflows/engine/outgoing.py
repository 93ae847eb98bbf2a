"""Commands on their way into the history: the event that each of them becomes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workflows.engine import commands as c
from workflows.engine.activity_options import scheduled_timeouts
from workflows.engine.events import EventType as E
from workflows.engine.local_activities import LocalOutcome
from workflows.engine.machines import Child, Machine
from workflows.engine.markers import local_attributes, patch_attributes
from workflows.engine.proto_json import payloads, span
from workflows.engine.retry_policy import policy_json
from workflows.engine.run_timeouts import fitted

Json = dict[str, Any]
CLOSE_POLICY, REUSE_POLICY = "PARENT_CLOSE_POLICY_", "WORKFLOW_ID_REUSE_POLICY_"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalEnd:
    """The engine's own command: record the end of a local activity."""

    command: c.ScheduleLocalActivity
    outcome: LocalOutcome


Recordable = c.Command | LocalEnd


@dataclass(slots=True)
class Outgoing:
    """A command that waits for its event.

    `machine` gets the event's id (of a cancel command: it is what shall end).
    `dropped`: it was taken back before it was recorded. `derived`: the engine added it
    by itself.
    """

    type: E
    command: Recordable
    machine: Machine | None = None
    target: Machine | None = None
    dropped: bool = False
    derived: bool = False

    def attributes(self, run_timeout_ms: int | None = None) -> Json:
        """Return the attributes of its event, without workflowTaskCompletedEventId."""
        if self.type is E.ACTIVITY_TASK_SCHEDULED:
            assert isinstance(self.command, c.ScheduleActivity)  # noqa: S101
            return _activity(self.command, run_timeout_ms)
        return ATTRIBUTES[self.type](self)

    def extra(self) -> Json:
        """Return what stands beside the attributes of its event."""
        metadata = {}
        if isinstance(self.command, c.StartChild):
            metadata["summary"] = self.command.static_summary
            metadata["details"] = self.command.static_details
        elif isinstance(self.command, c.StartTimer | c.ScheduleActivity):
            metadata["summary"] = self.command.summary
        found = {name: value for name, value in metadata.items() if value is not None}
        return {"userMetadata": found} if found else {}


EVENTS: Mapping[type[Recordable], E] = {
    c.StartTimer: E.TIMER_STARTED,
    c.CancelTimer: E.TIMER_CANCELED,
    c.ScheduleActivity: E.ACTIVITY_TASK_SCHEDULED,
    c.CancelActivity: E.ACTIVITY_TASK_CANCEL_REQUESTED,
    c.StartChild: E.START_CHILD_WORKFLOW_EXECUTION_INITIATED,
    c.CancelChild: E.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
    c.SignalExternal: E.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
    c.CancelExternal: E.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
    c.SetPatchMarker: E.MARKER_RECORDED,
    LocalEnd: E.MARKER_RECORDED,
    c.UpsertMemo: E.WORKFLOW_PROPERTIES_MODIFIED,
    c.UpsertSearchAttributes: E.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
    c.CompleteWorkflow: E.WORKFLOW_EXECUTION_COMPLETED,
    c.FailWorkflow: E.WORKFLOW_EXECUTION_FAILED,
    c.CancelWorkflow: E.WORKFLOW_EXECUTION_CANCELED,
    c.ContinueAsNew: E.WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
}


def timer_id(seq: int) -> str:
    """Return the id that a timer has in the history."""
    return str(seq)


def task_queue(name: str) -> Json:
    """Return a task queue."""
    return {"name": name, "kind": "TASK_QUEUE_KIND_NORMAL"}


def set_spans(into: Json, **spans: int | None) -> None:
    """Set those spans (ms) that are given."""
    into.update({name: span(ms) for name, ms in spans.items() if ms is not None})


def set_fields(into: Json, **fields: Any) -> None:
    """Set those fields that are not empty."""
    into.update({name: value for name, value in fields.items() if value})


def _activity(command: c.ScheduleActivity, run_timeout_ms: int | None) -> Json:
    found: Json = {
        "activityId": command.activity_id,
        "activityType": {"name": command.activity_type},
        "taskQueue": task_queue(command.task_queue),
        "header": {"fields": dict(command.headers)} if command.headers else {},
    }
    set_fields(found, input=payloads(command.arguments) if command.arguments else None)
    set_spans(found, **scheduled_timeouts(command, run_timeout_ms))
    found["retryPolicy"] = policy_json(command.retry_policy)
    found["priority"] = {"priorityKey": command.priority} if command.priority else {}
    return found


def _activity_cancel(out: Outgoing) -> Json:
    return {"scheduledEventId": str(_target(out).event_id)}


def _timer(out: Outgoing) -> Json:
    assert isinstance(out.command, c.StartTimer)  # noqa: S101 - by EVENTS
    return {
        "timerId": timer_id(out.command.seq),
        "startToFireTimeout": span(out.command.duration_ms),
    }


def _timer_cancel(out: Outgoing) -> Json:
    timer = _target(out)
    return {"timerId": timer_id(timer.seq), "startedEventId": str(timer.event_id)}


def _child(out: Outgoing) -> Json:
    command = out.command
    assert isinstance(command, c.StartChild)  # noqa: S101 - by EVENTS
    found: Json = {
        "workflowId": command.workflow_id,
        "workflowType": {"name": command.workflow_type},
        "taskQueue": task_queue(command.task_queue),
        "header": {"fields": dict(command.headers)} if command.headers else {},
        "parentClosePolicy": CLOSE_POLICY + command.parent_close_policy.upper(),
        "workflowIdReusePolicy": REUSE_POLICY + command.id_reuse_policy.upper(),
    }
    whole_ms = command.execution_timeout_ms
    run_ms, task_ms = fitted(whole_ms, command.run_timeout_ms, command.task_timeout_ms)
    set_spans(
        found,
        workflowExecutionTimeout=whole_ms,
        workflowRunTimeout=run_ms or 0,
        workflowTaskTimeout=task_ms,
    )
    policy = command.retry_policy
    set_fields(
        found,
        input=payloads(command.arguments) if command.arguments else None,
        retryPolicy=policy_json(policy) if policy is not None else None,
        cronSchedule=command.cron_schedule,
        memo={"fields": dict(command.memo)} if command.memo else None,
        searchAttributes=indexed(command.search_attributes),
    )
    found["priority"] = {"priorityKey": command.priority} if command.priority else {}
    return found


def indexed(attributes: Mapping[str, Any]) -> Json | None:
    """Return SearchAttributes; None if there are none."""
    return {"indexedFields": dict(attributes)} if attributes else None


def execution(workflow_id: str, run_id: str = "") -> Json:
    """Return a WorkflowExecution."""
    return {"workflowId": workflow_id, **({"runId": run_id} if run_id else {})}


def _cancel_workflow(out: Outgoing) -> Json:
    command = out.command
    if isinstance(command, c.CancelExternal):
        whom = execution(command.workflow_id, command.run_id)
        found: Json = {"workflowExecution": whom}
    else:
        assert isinstance(command, c.CancelChild)  # noqa: S101 - by EVENTS
        child = out.target
        assert isinstance(child, Child)  # noqa: S101 - by Pending
        assert child.command is not None  # noqa: S101
        whom = execution(child.command.workflow_id, child.run_id)
        found = {"workflowExecution": whom, "childWorkflowOnly": True}
    set_fields(found, reason=command.reason)
    return found


def _signal(out: Outgoing) -> Json:
    command = out.command
    assert isinstance(command, c.SignalExternal)  # noqa: S101 - by EVENTS
    child = command.child_workflow_id
    whom = execution(child or command.workflow_id, command.run_id)
    found: Json = {"workflowExecution": whom, "signalName": command.name}
    set_fields(
        found,
        input=payloads(command.arguments) if command.arguments else None,
        header={"fields": dict(command.headers)} if command.headers else None,
        childWorkflowOnly=bool(child),
    )
    return found


def _marker(out: Outgoing) -> Json:
    command = out.command
    if isinstance(command, LocalEnd):
        return local_attributes(command.command, command.outcome)
    assert isinstance(command, c.SetPatchMarker)  # noqa: S101 - by EVENTS
    return patch_attributes(command.patch_id, deprecated=command.deprecated)


def _memo(out: Outgoing) -> Json:
    assert isinstance(out.command, c.UpsertMemo)  # noqa: S101 - by EVENTS
    return {"upsertedMemo": {"fields": dict(out.command.fields)}}


def _search_attributes(out: Outgoing) -> Json:
    assert isinstance(out.command, c.UpsertSearchAttributes)  # noqa: S101 - by EVENTS
    return {"searchAttributes": {"indexedFields": dict(out.command.attributes)}}


def _nothing(out: Outgoing) -> Json:  # noqa: ARG001 - what closes a run: see close.py
    return {}


def _target(out: Outgoing) -> Machine:
    assert out.target is not None  # noqa: S101 - a cancel command has one
    return out.target


ATTRIBUTES: Mapping[E, Callable[[Outgoing], Json]] = {
    E.TIMER_STARTED: _timer,
    E.TIMER_CANCELED: _timer_cancel,
    E.ACTIVITY_TASK_CANCEL_REQUESTED: _activity_cancel,
    E.START_CHILD_WORKFLOW_EXECUTION_INITIATED: _child,
    E.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: _cancel_workflow,
    E.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: _signal,
    E.MARKER_RECORDED: _marker,
    E.WORKFLOW_PROPERTIES_MODIFIED: _memo,
    E.UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: _search_attributes,
    E.WORKFLOW_EXECUTION_COMPLETED: _nothing,
    E.WORKFLOW_EXECUTION_FAILED: _nothing,
    E.WORKFLOW_EXECUTION_CANCELED: _nothing,
    E.WORKFLOW_EXECUTION_CONTINUED_AS_NEW: _nothing,
}
