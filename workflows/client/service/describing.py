"""What is known of a run at one moment, in JSON for people and programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from workflows.client.service.outcomes import find_run
from workflows.engine.activity_task import ActivityTask
from workflows.engine.states import JobState
from workflows.store import JobRecord, PendingWork, RunRecord, RunRef, Store

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingActivity:
    """An activity that has not ended. Times are ms; payloads and failures JSON.

    `state`: scheduled (waits for a worker or its next attempt), started, or
    cancel_requested. `next_attempt_at`: when it waits for a retry.
    """

    activity_id: str
    type: str
    queue: str
    state: Literal["scheduled", "started", "cancel_requested"]
    attempt: int
    maximum_attempts: int
    scheduled_at: int
    started_at: int | None
    next_attempt_at: int | None
    heartbeat_at: int | None
    heartbeat_details: Sequence[Json]
    last_failure: Json | None
    worker: str | None
    detached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingTimer:
    """A timer that has not fired."""

    timer_id: str
    due_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingTask:
    """The run's workflow task. `attempt` above 1: it failed before."""

    state: Literal["scheduled", "started"]
    attempt: int
    scheduled_at: int
    due_at: int | None
    started_at: int | None
    worker: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDescription:
    """A run with all that it waits for. `failure`: of its newest failed task."""

    run: RunRecord
    memo: Json = field(default_factory=dict)
    search_attributes: Json = field(default_factory=dict)
    activities: tuple[PendingActivity, ...] = ()
    timers: tuple[PendingTimer, ...] = ()
    children: tuple[RunRecord, ...] = ()
    task: PendingTask | None = None
    failure: Json | None = None
    now: int = 0


def describe_run(store: Store, ref: RunRef) -> RunDescription:
    """Return the description of a run. NotFoundError."""
    run = find_run(store, ref)
    work = store.pending_work(run.run_id)
    memo, search = shown_info(run)
    failure = msgspec.json.decode(run.failure) if run.failure else None
    if work is None:
        work = PendingWork(task=None, activities=(), timers={}, children=())
    return RunDescription(
        run=run,
        memo=memo,
        search_attributes=search,
        activities=tuple(_activity(record) for record in work.activities),
        timers=tuple(
            PendingTimer(timer_id=key, due_at=due) for key, due in work.timers.items()
        ),
        children=work.children,
        task=_task(work.task),
        failure=failure,
        now=store.now(),
    )


def shown_info(run: RunRecord) -> tuple[Json, Json]:
    """Return memo and search attributes: payloads by name."""
    info = msgspec.json.decode(run.info) if run.info else {}
    return info.get("memo", {}), info.get("searchAttributes", {})


def _activity(record: JobRecord) -> PendingActivity:
    task = ActivityTask.from_json(record.payload)
    active = record.state is JobState.ACTIVE
    state: Literal["scheduled", "started"] = "started" if active else "scheduled"
    details = msgspec.json.decode(record.details) if record.details else []
    return PendingActivity(
        activity_id=task.activity_id,
        type=task.activity_type,
        queue=record.queue,
        state="cancel_requested" if record.cancel_requested else state,
        attempt=record.attempts_made + 1,
        maximum_attempts=int(task.retry_policy.get("maximumAttempts") or 0),
        scheduled_at=record.created_at,
        started_at=record.started_at if active else None,
        next_attempt_at=record.run_at,
        heartbeat_at=record.beat_at,
        heartbeat_details=details,
        last_failure=msgspec.json.decode(record.failure) if record.failure else None,
        worker=record.owner if active else None,
        detached=record.detached,
    )


def _task(record: JobRecord | None) -> PendingTask | None:
    if record is None:
        return None
    active = record.state is JobState.ACTIVE
    return PendingTask(
        state="started" if active else "scheduled",
        attempt=record.attempts_made + 1,
        scheduled_at=record.created_at,
        due_at=record.run_at,
        started_at=record.started_at if active else None,
        worker=record.owner if active else None,
    )
