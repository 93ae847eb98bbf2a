"""Runs to create, as the store takes them: of a start, a child, a next run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from workflows.engine.starting import NewRunEvent, child_start_event
from workflows.store import InboxEntry, NewRun, Parent

DEFAULT_PRIORITY = 3  # Temporal's middle: smaller is more urgent


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """The run that decides. `started`: attributes of its first event, of `began_at`.

    `new_run_id` makes ids of runs.
    """

    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    namespace: str
    started: Mapping[str, Any]
    began_at: int
    new_run_id: Callable[[], str]


def task_type(workflow_type: str) -> str:
    """Return the job type of a workflow type's tasks."""
    return f"workflow/{workflow_type}"


def run_info(
    started: Mapping[str, Any],
    memo: Mapping[str, Any],
    search_attributes: Mapping[str, Any],
) -> bytes:
    """Return what readers and a closing parent see of a run without its history."""
    info = {
        "memo": memo,
        "searchAttributes": search_attributes,
        "parentClosePolicy": started.get("parentClosePolicy", ""),
    }
    return msgspec.json.encode({name: each for name, each in info.items() if each})


def new_run(
    made: NewRunEvent,
    *,
    workflow_id: str,
    parent: Parent | None = None,
    parent_close_policy: str = "",
    inbox: tuple[InboxEntry, ...] = (),
) -> NewRun:
    """Return the record of a run whose first event is made."""
    said = made.attributes
    shown = {"parentClosePolicy": parent_close_policy}
    return NewRun(
        workflow_id=workflow_id,
        run_id=made.run_id,
        type=made.workflow_type,
        task_queue=made.task_queue,
        task_type=task_type(made.workflow_type),
        started=made.event,
        first_run_id=said.get("firstExecutionRunId", ""),
        info=run_info(
            shown,
            said.get("memo", {}).get("fields", {}),
            said.get("searchAttributes", {}).get("indexedFields", {}),
        ),
        delay_ms=made.delay_ms,
        deadline_at=made.deadline_at,
        priority=said.get("priority", {}).get("priorityKey") or DEFAULT_PRIORITY,
        parent=parent,
        inbox=inbox,
    )


def child_run(
    facts: RunFacts,
    initiated: Mapping[str, Any],
    initiated_id: int,
    policy: str,
    at: int,
) -> NewRun:
    """Return the record of a child that this run starts.

    `initiated`: the attributes of its START_CHILD_WORKFLOW_EXECUTION_INITIATED.
    """
    made = child_start_event(
        initiated,
        facts.started,
        parent_workflow_id=facts.workflow_id,
        parent_run_id=facts.run_id,
        initiated_id=initiated_id,
        run_id=facts.new_run_id(),
        at=at,
        namespace=facts.namespace,
    )
    return new_run(
        made,
        workflow_id=initiated["workflowId"],
        parent=Parent(workflow_id=facts.workflow_id, run_id=facts.run_id),
        parent_close_policy=policy,
    )
