"""What workflow code may know about its run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from workflows.common import Priority, RetryPolicy, span_from_json
from workflows.engine.activation import Payload
from workflows.engine.instance.context import current
from workflows.engine.instance.core import Core
from workflows.engine.instance.spans import moment

Json = Mapping[str, Any]
DEFAULT_TASK_TIMEOUT = timedelta(seconds=10)


@dataclass(frozen=True)
class ParentInfo:
    """The workflow that started this one."""

    namespace: str
    run_id: str
    workflow_id: str


@dataclass(frozen=True)
class RootInfo:
    """The workflow at the top of the tree that this one belongs to."""

    run_id: str
    workflow_id: str


@dataclass(frozen=True)
class Info:
    """About the run; names and meaning are Temporal's.

    `start_time` is when the run began to work, `workflow_start_time` when its start was
    recorded; here they are the same moment.
    """

    attempt: int
    continued_run_id: str | None
    cron_schedule: str | None
    execution_timeout: timedelta | None
    first_execution_run_id: str
    headers: Mapping[str, Any]
    namespace: str
    original_execution_run_id: str
    parent: ParentInfo | None
    root: RootInfo | None
    priority: Priority
    raw_memo: Mapping[str, Any]
    retry_policy: RetryPolicy | None
    run_id: str
    run_timeout: timedelta | None
    search_attributes: Mapping[str, Sequence[Any]] = field(repr=False)
    start_time: datetime
    task_queue: str
    task_timeout: timedelta
    workflow_id: str
    workflow_start_time: datetime
    workflow_type: str

    def get_current_history_length(self) -> int:
        """Return the number of events; may grow with each workflow task."""
        return current().core.activation.history_length

    def get_current_history_size(self) -> int:
        """Return the bytes of the history; may grow with each workflow task."""
        return current().core.activation.history_size

    def is_continue_as_new_suggested(self) -> bool:
        """Return whether the history is so long that a new run is advisable."""
        return current().core.activation.continue_as_new_suggested


def read_info(
    core: Core, memo: Mapping[str, Payload], search: Mapping[str, Payload]
) -> Info:
    """Return the info of a run from its first event and its current attributes."""
    start, given = core.start, core.start.attributes
    conversion = core.conversion
    at = moment(start.started_at)
    policy = given.get("retryPolicy")
    return Info(
        attempt=int(given.get("attempt", 1)),
        continued_run_id=given.get("continuedExecutionRunId") or None,
        cron_schedule=given.get("cronSchedule") or None,
        execution_timeout=_span(given.get("workflowExecutionTimeout")),
        first_execution_run_id=given.get("firstExecutionRunId") or start.run_id,
        headers={
            key: conversion.raw_payload(value) for key, value in start.headers.items()
        },
        namespace=core.namespace,
        original_execution_run_id=given.get("originalExecutionRunId") or start.run_id,
        parent=_parent(core, given),
        root=_root(given),
        priority=_priority(given.get("priority") or {}),
        raw_memo={key: conversion.raw_payload(value) for key, value in memo.items()},
        retry_policy=RetryPolicy.from_json(policy) if policy else None,
        run_id=start.run_id,
        run_timeout=_span(given.get("workflowRunTimeout")),
        search_attributes={
            key: _values(conversion.from_payloads((value,))[0])
            for key, value in search.items()
        },
        start_time=at,
        task_queue=core.task_queue,
        task_timeout=_span(given.get("workflowTaskTimeout")) or DEFAULT_TASK_TIMEOUT,
        workflow_id=start.workflow_id,
        workflow_start_time=at,
        workflow_type=start.workflow_type,
    )


def _parent(core: Core, given: Json) -> ParentInfo | None:
    execution = given.get("parentWorkflowExecution")
    if not execution:
        return None
    namespace = given.get("parentWorkflowNamespace") or core.namespace
    return ParentInfo(namespace, execution.get("runId", ""), execution["workflowId"])


def _root(given: Json) -> RootInfo | None:
    execution = given.get("rootWorkflowExecution")
    if not execution:
        return None
    return RootInfo(execution.get("runId", ""), execution["workflowId"])


def _priority(form: Json) -> Priority:
    return Priority(
        priority_key=form.get("priorityKey") or None,
        fairness_key=form.get("fairnessKey") or None,
        fairness_weight=form.get("fairnessWeight") or None,
    )


def _span(text: str | None) -> timedelta | None:
    return (span_from_json(text) or None) if text else None


def _values(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
