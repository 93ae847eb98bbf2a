"""The first event of a run: of a client's start, of a child, of a next run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workflows.engine.events import EventType
from workflows.engine.history import Event, encode_event
from workflows.engine.outgoing import execution, indexed, set_fields, task_queue
from workflows.engine.proto_json import payloads, span, span_ms, timestamp, timestamp_ms
from workflows.engine.retry_policy import policy_json
from workflows.engine.run_timeouts import fitted

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """What a client asks for. Spans in ms; `retry_policy`: JSON, None: no retries."""

    workflow_type: str
    task_queue: str
    arguments: Sequence[Json] = ()
    headers: Json = field(default_factory=dict)
    execution_timeout_ms: int | None = None
    run_timeout_ms: int | None = None
    task_timeout_ms: int | None = None
    retry_policy: Json | None = None
    cron_schedule: str = ""
    memo: Json = field(default_factory=dict)
    search_attributes: Json = field(default_factory=dict)
    priority: int = 0
    delay_ms: int = 0
    identity: str = ""
    summary: Json | None = None
    details: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRunEvent:
    """A run to create: its first event and what the store must know of it.

    `deadline_at`: when it is overdue (None: never). `attributes` are the event's.
    """

    run_id: str
    workflow_type: str
    task_queue: str
    event: bytes
    attributes: Json
    delay_ms: int
    deadline_at: int | None


def start_event(
    options: StartOptions, *, workflow_id: str, run_id: str, at: int
) -> NewRunEvent:
    """Return the first event of a run that a client starts at `at` (ms)."""
    found: dict[str, Any] = {
        "workflowType": {"name": options.workflow_type},
        "taskQueue": task_queue(options.task_queue),
    }
    policy = options.retry_policy
    set_fields(
        found,
        input=payloads(options.arguments) if options.arguments else None,
        retryPolicy=policy_json(policy) if policy is not None else None,
        cronSchedule=options.cron_schedule,
        memo={"fields": dict(options.memo)} if options.memo else None,
        searchAttributes=indexed(options.search_attributes),
        header={"fields": dict(options.headers)} if options.headers else None,
        identity=options.identity,
    )
    found["priority"] = {"priorityKey": options.priority} if options.priority else {}
    found |= timeouts(
        options.execution_timeout_ms,
        options.run_timeout_ms,
        options.task_timeout_ms,
        expires_at=None,
        at=at,
    )
    found |= _identity_of(workflow_id, run_id, run_id)
    metadata = {"summary": options.summary, "details": options.details}
    kept = {name: value for name, value in metadata.items() if value is not None}
    extra = {"userMetadata": kept} if kept else {}
    return finish(found, run_id=run_id, at=at, delay_ms=options.delay_ms, extra=extra)


def child_start_event(  # noqa: PLR0913 - a child's facts, named
    initiated: Json,
    parent: Json,
    *,
    parent_workflow_id: str,
    parent_run_id: str,
    initiated_id: int,
    run_id: str,
    at: int,
    extra: Json | None = None,
    namespace: str = "",
) -> NewRunEvent:
    """Return the first event of a child.

    `initiated`: the attributes of START_CHILD_WORKFLOW_EXECUTION_INITIATED; `extra`:
    what stands beside them. `parent`: those of the parent's own first event.
    """
    names = (
        *("workflowType", "taskQueue", "input", "retryPolicy", "cronSchedule", "memo"),
        *("searchAttributes", "header", "priority"),
    )
    found = {name: initiated[name] for name in names if name in initiated}
    whose = execution(parent_workflow_id, parent_run_id)
    found |= {
        "parentWorkflowExecution": whose,
        "parentInitiatedEventId": str(initiated_id),
        "rootWorkflowExecution": parent.get("rootWorkflowExecution", whose),
    }
    set_fields(found, parentWorkflowNamespace=namespace)
    found |= timeouts(
        span_ms(initiated.get("workflowExecutionTimeout")),
        span_ms(initiated.get("workflowRunTimeout")),
        span_ms(initiated.get("workflowTaskTimeout")),
        expires_at=None,
        at=at,
    )
    found.setdefault("workflowRunTimeout", span(0))
    found |= _identity_of(initiated["workflowId"], run_id, run_id)
    return finish(found, run_id=run_id, at=at, delay_ms=0, extra=dict(extra or {}))


def _identity_of(workflow_id: str, run_id: str, first_run_id: str) -> dict[str, Any]:
    return {
        "workflowId": workflow_id,
        "originalExecutionRunId": run_id,
        "firstExecutionRunId": first_run_id,
        "attempt": 1,
    }


def timeouts(
    whole_ms: int | None,
    run_ms: int | None,
    task_ms: int | None,
    *,
    expires_at: int | None,
    at: int,
) -> dict[str, Any]:
    """Return the timeouts of a first event; none is longer than the one around it.

    `expires_at`: when the chain of runs is over; None: it begins here.
    """
    run_ms, task_ms = fitted(whole_ms, run_ms, task_ms)
    found: dict[str, Any] = {}
    if whole_ms is not None:
        expires_at = at + whole_ms if expires_at is None else expires_at
        found["workflowExecutionTimeout"] = span(whole_ms)
        found["workflowExecutionExpirationTime"] = timestamp(expires_at)
    if run_ms is not None:
        found["workflowRunTimeout"] = span(run_ms)
    found["workflowTaskTimeout"] = span(task_ms)
    return found


def finish(
    attributes: dict[str, Any],
    *,
    run_id: str,
    at: int,
    delay_ms: int,
    extra: dict[str, Any] | None = None,
) -> NewRunEvent:
    """Make the event of its attributes; the run may take its time after the delay."""
    if delay_ms or "continuedExecutionRunId" not in attributes:
        attributes["firstWorkflowTaskBackoff"] = span(delay_ms)
    event = Event(EventType.WORKFLOW_EXECUTION_STARTED, at, attributes, extra or {})
    return NewRunEvent(
        run_id=run_id,
        workflow_type=attributes["workflowType"]["name"],
        task_queue=attributes["taskQueue"]["name"],
        event=encode_event(event),
        attributes=attributes,
        delay_ms=delay_ms,
        deadline_at=deadline_of(attributes, at),
    )


def deadline_of(started: Json, at: int) -> int | None:
    """Return when a run that started at `at` is overdue; None: never."""
    run_ms, expires_at = span_ms(started.get("workflowRunTimeout")), expiry_of(started)
    delay = span_ms(started.get("firstWorkflowTaskBackoff")) or 0
    ends = [at + delay + run_ms] if run_ms is not None else []
    return min([*ends, *([expires_at] if expires_at is not None else [])], default=None)


def expiry_of(started: Json) -> int | None:
    """Return when the chain that a run belongs to is over; None: never."""
    text = started.get("workflowExecutionExpirationTime")
    return timestamp_ms(text) if text else None
