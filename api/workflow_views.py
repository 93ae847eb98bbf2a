"""What the API shows of workflows. Payloads are shown as the values that they hold."""

from collections.abc import Mapping, Sequence
from typing import Any

from api import schemas
from workflows.client.service import (
    HistoryPage,
    PendingActivity,
    RunDescription,
    RunOutcome,
    Wait,
    shown_info,
)
from workflows.engine.history import to_temporal_json
from workflows.engine.proto_json import payload_list
from workflows.runtime.codec import SyncConverter
from workflows.store import RunRecord

Json = Mapping[str, Any]


def value(converter: SyncConverter, payload: Json | None) -> Any:
    """Show a payload: its value, or as it is if it is no JSON."""
    if payload is None:
        return None
    try:
        opened = converter.open(payload)
        found = converter.decode([opened])[0]
    except Exception:  # noqa: BLE001 - a codec or an encoding of somebody else's
        return payload
    return payload if isinstance(found, bytes) else found


def values(converter: SyncConverter, payloads: Sequence[Json]) -> list[Any]:
    """Show several payloads."""
    return [value(converter, each) for each in payloads]


def summary(converter: SyncConverter, run: RunRecord) -> schemas.WorkflowSummary:
    """Show a run."""
    return schemas.WorkflowSummary(**_summary(converter, run))


def _summary(converter: SyncConverter, run: RunRecord) -> dict[str, Any]:
    memo, search = shown_info(run)
    parent = run.parent
    return {
        "workflow_id": run.workflow_id,
        "run_id": run.run_id,
        "first_run_id": run.first_run_id,
        "next_run_id": run.next_run_id,
        "type": run.type,
        "task_queue": run.task_queue,
        "status": run.status.value,
        "started_at": run.started_at,
        "closed_at": run.closed_at,
        "history_length": run.length,
        "history_bytes": run.size,
        "cancel_requested": run.cancel_requested,
        "failing": bool(run.failure),
        "priority": run.priority,
        "parent": (
            schemas.RunName(workflow_id=parent.workflow_id, run_id=parent.run_id)
            if parent
            else None
        ),
        "memo": {name: value(converter, each) for name, each in memo.items()},
        "search_attributes": {
            name: value(converter, each) for name, each in search.items()
        },
    }


def detail(
    converter: SyncConverter, found: RunDescription, waits: Sequence[Wait]
) -> schemas.WorkflowDetail:
    """Show a run with what it waits for."""
    task = found.task
    return schemas.WorkflowDetail(
        **_summary(converter, found.run),
        deadline_at=found.run.deadline_at,
        pending_activities=[_activity(converter, each) for each in found.activities],
        pending_timers=[
            schemas.PendingTimerView(timer_id=each.timer_id, due_at=each.due_at)
            for each in found.timers
        ],
        pending_children=[summary(converter, child) for child in found.children],
        pending_task=(
            schemas.PendingTaskView.model_validate(task, from_attributes=True)
            if task
            else None
        ),
        failure=found.failure,
        waits_for=[
            schemas.WaitView.model_validate(each, from_attributes=True)
            for each in waits
        ],
    )


def _activity(
    converter: SyncConverter, one: PendingActivity
) -> schemas.PendingActivityView:
    return schemas.PendingActivityView(
        activity_id=one.activity_id,
        type=one.type,
        queue_name=one.queue,
        state=one.state,
        attempt=one.attempt,
        maximum_attempts=one.maximum_attempts,
        scheduled_at=one.scheduled_at,
        started_at=one.started_at,
        next_attempt_at=one.next_attempt_at,
        heartbeat_at=one.heartbeat_at,
        heartbeat_details=values(converter, one.heartbeat_details),
        last_failure=one.last_failure,
        worker=one.worker,
        completed_elsewhere=one.detached,
    )


def history(workflow_id: str, page: HistoryPage) -> schemas.HistoryView:
    """Show a page of events."""
    return schemas.HistoryView(
        workflow_id=workflow_id,
        run_id=page.run_id,
        events=to_temporal_json(page.events, page.start)["events"],
        next_id=page.next_start,
    )


def result(converter: SyncConverter, outcome: RunOutcome) -> schemas.ResultView:
    """Show the end of a run."""
    said = outcome.attributes
    return schemas.ResultView(
        workflow_id=outcome.workflow_id,
        run_id=outcome.run_id,
        status=outcome.status.value,
        result=value(converter, outcome.result),
        failure=outcome.failure,
        reason=said.get("reason"),
        details=values(converter, payload_list(said.get("details"))),
        next_run_id=outcome.next_run_id,
    )
