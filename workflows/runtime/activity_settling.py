"""How an activity's attempt is settled: ended with an outcome for its run, or retried.

The decision is the engine's; here it becomes one fenced settlement.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from workflows.engine import inbox
from workflows.engine.activity_retry import Again
from workflows.engine.activity_task import ActivityTask
from workflows.engine.failure_json import TimeoutKind, retry_state
from workflows.engine.proto_json import payload_list
from workflows.engine.retry_policy import Policy, read_policy
from workflows.engine.states import DeadReason
from workflows.engine.timeouts import (
    ActivityTimeouts,
    ActivityTimes,
    deadlines,
    on_failure,
    on_timeout,
)
from workflows.runtime.activity_run import (
    CompletesElsewhere,
    Failing,
    Outcome,
    Succeeded,
    WasCancelled,
)
from workflows.runtime.effects import entry
from workflows.store import (
    Bury,
    Cancel,
    Complete,
    Deadlines,
    Detach,
    JobRecord,
    LeasedJob,
    Retry,
    Settlement,
)

Json = Mapping[str, Any]
CANCEL_REQUESTED = retry_state("CANCEL_REQUESTED")


def settlement_of(
    task: ActivityTask,
    job: LeasedJob,
    outcome: Outcome,
    *,
    identity: str,
    now: int,
    asked_to_cancel: Callable[[], bool] = bool,
) -> Settlement:
    """Return the settlement of an attempt that ended at `now` (store time, ms).

    `asked_to_cancel` tells of the activity's record (by default: no); asked only of a
    final failure, whose retry state it is.
    """
    if isinstance(outcome, CompletesElsewhere):
        return Detach(job_id=job.id, token=job.token)
    if isinstance(outcome, Failing):
        failed = task, job, outcome.failure
        return _failed(*failed, asked_to_cancel, identity=identity, now=now)
    said = entry(ended_entry(task, job, outcome, identity=identity))
    kind = Complete if isinstance(outcome, Succeeded) else Cancel
    return kind(job_id=job.id, token=job.token, outcome=said)


def ended_entry(
    task: ActivityTask,
    job: LeasedJob,
    outcome: Succeeded | WasCancelled,
    *,
    identity: str,
) -> inbox.Entry:
    """Return what the run hears of an activity that returned or was cancelled."""
    start = start_of(job, identity)
    if isinstance(outcome, Succeeded):
        return inbox.activity_completed(
            task.scheduled_event_id, start, outcome.result, identity=identity
        )
    details = outcome.failure.get("canceledFailureInfo", {}).get("details")
    return inbox.activity_cancelled(
        task.scheduled_event_id, start, payload_list(details), identity=identity
    )


def start_of(job: LeasedJob, identity: str) -> inbox.Start:
    """Return the start of the attempt, for the history."""
    return inbox.Start(
        at=job.started_at,
        attempt=job.attempt,
        identity=identity,
        last_failure=msgspec.json.decode(job.failure) if job.failure else None,
    )


def _failed(
    task: ActivityTask,
    job: LeasedJob,
    failure: Json,
    asked_to_cancel: Callable[[], bool],
    *,
    identity: str,
    now: int,
) -> Settlement:
    times = _times(job, started_at=job.started_at, attempt=job.attempt, beat_at=None)
    spans, policy = _spans(job.deadlines), read_policy(task.retry_policy)
    then = on_failure(failure, spans, times, policy, now=now)
    start, scheduled = start_of(job, identity), task.scheduled_event_id
    if isinstance(then, Again):
        final = inbox.activity_failed(scheduled, start, failure, CANCEL_REQUESTED)
        return Retry(
            job_id=job.id,
            token=job.token,
            failure=msgspec.json.encode(failure),
            delay_ms=then.delay_ms,
            outcome=entry(final),
        )
    state = CANCEL_REQUESTED if asked_to_cancel() else then.retry_state
    said = inbox.activity_failed(scheduled, start, failure, state)
    return Bury(
        job_id=job.id,
        token=job.token,
        failure=msgspec.json.encode(failure),
        reason=DeadReason.EXHAUSTED,
        outcome=entry(said),
    )


# -- timeouts --------------------------------------------------------------------------


def overdue_settlement(record: JobRecord, token: str, *, now: int) -> Settlement | None:
    """Return the settlement of an activity past a deadline; None if it is past none."""
    spans, times = _spans(record.deadlines), _record_times(record, token)
    due = deadlines(spans, times)
    if not due or due[0][0] > now:
        return None
    return _timed_out(record, token, due[0][1], now=now)


def lost_settlement(record: JobRecord, token: str, *, now: int) -> Settlement:
    """Return the settlement of an activity whose worker died.

    The attempt is spent, as if its heartbeat had stopped, or else its time had run out.
    """
    has_heartbeat = record.deadlines is not None and record.deadlines.heartbeat_ms
    kind: TimeoutKind = "HEARTBEAT" if has_heartbeat else "START_TO_CLOSE"
    return _timed_out(record, token, kind, now=now)


def _timed_out(
    record: JobRecord, token: str, kind: TimeoutKind, *, now: int
) -> Settlement:
    task = ActivityTask.from_json(record.payload)
    spans, times = _spans(record.deadlines), _record_times(record, token)
    policy: Policy = read_policy(task.retry_policy)
    came = on_timeout(kind, spans, times, policy, now=now)
    failure = msgspec.json.encode(came.failure)
    start = _record_start(record) if token else None
    scheduled = task.scheduled_event_id
    if isinstance(came.then, Again):
        final = inbox.activity_timed_out(
            scheduled, start, came.failure, CANCEL_REQUESTED
        )
        return Retry(
            job_id=record.id,
            token=token,
            failure=failure,
            delay_ms=came.then.delay_ms,
            outcome=entry(final),
        )
    said = inbox.activity_timed_out(
        scheduled, start, came.failure, came.then.retry_state
    )
    return Bury(
        job_id=record.id,
        token=token,
        failure=failure,
        reason=DeadReason.TIMEOUT,
        outcome=entry(said),
    )


def _record_times(record: JobRecord, token: str) -> ActivityTimes:
    return _times(
        record,
        started_at=record.started_at if token else None,
        attempt=record.attempts_made + 1,
        beat_at=record.beat_at,
        cancel_requested=record.cancel_requested,
    )


def _times(
    job: LeasedJob | JobRecord,
    *,
    started_at: int | None,
    attempt: int,
    beat_at: int | None,
    cancel_requested: bool = False,
) -> ActivityTimes:
    return ActivityTimes(
        scheduled_at=job.created_at,
        attempt_at=job.ready_at,
        started_at=started_at,
        beat_at=beat_at,
        attempt=attempt,
        cancel_requested=cancel_requested,
        last_failure=msgspec.json.decode(job.failure) if job.failure else None,
        heartbeat=msgspec.json.decode(job.details) if job.details else (),
    )


def _spans(given: Deadlines | None) -> ActivityTimeouts:
    spans = given or Deadlines()
    return ActivityTimeouts(
        schedule_to_close=spans.schedule_to_close_ms,
        schedule_to_start=spans.schedule_to_start_ms,
        start_to_close=spans.start_to_close_ms,
        heartbeat=spans.heartbeat_ms,
    )


def _record_start(record: JobRecord) -> inbox.Start:
    return inbox.Start(
        at=record.started_at or record.created_at,
        attempt=record.attempts_made + 1,
        identity=record.owner or "",
        last_failure=msgspec.json.decode(record.failure) if record.failure else None,
    )
