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

    `new_run_id` makes ids of runs. `parent_close_policy`: its own, as a child.
    """

    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    namespace: str
    started: Mapping[str, Any]
    began_at: int
    new_run_id: Callable[[], str]
    parent_close_policy: str = ""


def task_type(workflow_type: str) -> str:
    """Return the job type of a workflow type's tasks."""
    return f"workflow/{workflow_type}"


def run_info(
    parent_close_policy: str,
    memo: Mapping[str, Any],
    search_attributes: Mapping[str, Any],
) -> bytes:
    """Return what readers and a closing parent see of a run without its history."""
    info = {
        "memo": memo,
        "searchAttributes": search_attributes,
        "parentClosePolicy": parent_close_policy,
    }
    return msgspec.json.encode({name: each for name, each in info.items() if each})


def close_policy(info: bytes) -> str:
    """Return what the close of its parent does to the run with this info."""
    policy: str = msgspec.json.decode(info).get("parentClosePolicy", "") if info else ""
    return policy


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
    return NewRun(
        workflow_id=workflow_id,
        run_id=made.run_id,
        type=made.workflow_type,
        task_queue=made.task_queue,
        task_type=task_type(made.workflow_type),
        started=made.event,
        first_run_id=said.get("firstExecutionRunId", ""),
        info=run_info(
            parent_close_policy,
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
