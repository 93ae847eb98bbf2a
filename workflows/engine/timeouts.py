"""The four timeouts of an activity: which is over, and what follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows.engine.activity_retry import Again, Final, next_attempt
from workflows.engine.failure_json import (
    Json,
    TimeoutKind,
    retry_state,
    timeout_failure,
)
from workflows.engine.proto_json import span_ms
from workflows.engine.retry_policy import Policy, read_policy

GIVEN_UP = (
    "Not enough time to schedule next retry before activity ScheduleToClose timeout,"
    " giving up retrying"
)
TIMED_OUT = retry_state("TIMEOUT")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityTimeouts:
    """Spans in ms; None: there is none."""

    schedule_to_close: int | None = None
    schedule_to_start: int | None = None
    start_to_close: int | None = None
    heartbeat: int | None = None

    @staticmethod
    def read(scheduled: Mapping[str, Any]) -> "ActivityTimeouts":
        """Read those of ACTIVITY_TASK_SCHEDULED's attributes."""
        return ActivityTimeouts(
            schedule_to_close=span_ms(scheduled.get("scheduleToCloseTimeout")),
            schedule_to_start=span_ms(scheduled.get("scheduleToStartTimeout")),
            start_to_close=span_ms(scheduled.get("startToCloseTimeout")),
            heartbeat=span_ms(scheduled.get("heartbeatTimeout")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityTimes:
    """Where an activity stands; times in ms.

    `scheduled_at`: first of all. `attempt_at`: when this attempt could be taken (of a
    retry: after its delay). `started_at`, `beat_at`: of this attempt; None: not yet.
    """

    scheduled_at: int
    attempt_at: int
    started_at: int | None = None
    beat_at: int | None = None
    attempt: int = 1
    cancel_requested: bool = False
    last_failure: Json | None = None
    heartbeat: Sequence[Json] = ()  # its last details


def deadlines(
    spans: ActivityTimeouts, times: ActivityTimes
) -> list[tuple[int, TimeoutKind]]:
    """Return the moments at which it is overdue, the first one first.

    Of two at the same moment schedule_to_close counts.
    """
    started = times.started_at
    found: list[tuple[int | None, int | None, TimeoutKind]] = [
        (times.scheduled_at, spans.schedule_to_close, "SCHEDULE_TO_CLOSE"),
    ]
    if started is None:
        found.append((times.attempt_at, spans.schedule_to_start, "SCHEDULE_TO_START"))
    else:
        beat = times.beat_at if times.beat_at is not None else started
        found += [
            (started, spans.start_to_close, "START_TO_CLOSE"),
            (beat, spans.heartbeat, "HEARTBEAT"),
        ]
    due = [
        (since + span, kind)
        for since, span, kind in found
        if since is not None and span is not None
    ]
    return sorted(due, key=lambda one: one[0])


@dataclass(frozen=True, slots=True)
class TimedOut:
    """What follows a timeout: `failure` of this attempt, or of all if it is Final."""

    failure: Json
    then: Again | Final


def on_timeout(
    kind: TimeoutKind,
    spans: ActivityTimeouts,
    times: ActivityTimes,
    policy: Policy,
    *,
    now: int,
) -> TimedOut:
    """Decide what an overdue activity comes to, at `now` (ms).

    Waiting too long for a worker, or altogether, is final. The other two end one
    attempt; if no time is left for the next, the whole has timed out. The failure of
    the attempt before is the cause of what is about all attempts.
    """
    cause = times.last_failure
    if kind == "SCHEDULE_TO_START":
        return TimedOut(timeout_failure(kind, cause=cause), Final(TIMED_OUT))
    if kind == "SCHEDULE_TO_CLOSE":
        return _gave_up(times)
    failure = timeout_failure(kind, heartbeat=times.heartbeat)
    then = next_attempt(
        policy,
        failure,
        attempt=times.attempt,
        now=now,
        deadline=whole_deadline(spans, times),
        cancel_requested=times.cancel_requested,
    )
    if then == Final(TIMED_OUT):
        return _gave_up(times)
    return TimedOut(failure, then)


def on_failure(
    failure: Json,
    spans: ActivityTimeouts,
    times: ActivityTimes,
    policy: Policy,
    *,
    now: int,
) -> Again | Final:
    """Decide what an attempt that failed at `now` (ms) comes to."""
    return next_attempt(
        policy,
        failure,
        attempt=times.attempt,
        now=now,
        deadline=whole_deadline(spans, times),
        cancel_requested=times.cancel_requested,
    )


def whole_deadline(spans: ActivityTimeouts, times: ActivityTimes) -> int | None:
    """Return when schedule_to_close is over; None: never."""
    if spans.schedule_to_close is None:
        return None
    return times.scheduled_at + spans.schedule_to_close


def _gave_up(times: ActivityTimes) -> TimedOut:
    failure = timeout_failure(
        "SCHEDULE_TO_CLOSE",
        message=GIVEN_UP,
        heartbeat=times.heartbeat,
        cause=times.last_failure,
    )
    return TimedOut(failure, Final(TIMED_OUT))


def read_activity(scheduled: Mapping[str, Any]) -> tuple[ActivityTimeouts, Policy]:
    """Return what ACTIVITY_TASK_SCHEDULED says of timeouts and retries."""
    return ActivityTimeouts.read(scheduled), read_policy(scheduled.get("retryPolicy"))
