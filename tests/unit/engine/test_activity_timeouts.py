"""Retries and timeouts of activities, and the limits of runs."""

from typing import Any

import pytest

from workflows.engine.activity_options import scheduled_timeouts
from workflows.engine.activity_retry import Again, Final, next_attempt
from workflows.engine.commands import ScheduleActivity
from workflows.engine.failure_json import timeout_failure
from workflows.engine.limits import Limits
from workflows.engine.retry_policy import Policy, policy_json, read_policy
from workflows.engine.timeouts import (
    GIVEN_UP,
    ActivityTimeouts,
    ActivityTimes,
    deadlines,
    on_failure,
    on_timeout,
)
from workflows.exceptions import InvalidArgumentError

BROKEN = {"message": "no", "applicationFailureInfo": {"type": "Broken"}}
TIMES = ActivityTimes(scheduled_at=1000, attempt_at=1000, started_at=1500)


def decide(failure: dict[str, Any] = BROKEN, **options: Any) -> Again | Final:
    known: dict[str, Any] = {"policy": Policy(), "attempt": 1, "now": 0}
    chosen = {**known, **options}
    return next_attempt(chosen.pop("policy"), failure, **chosen)


def application(**info: Any) -> dict[str, Any]:
    return {"message": "no", "applicationFailureInfo": info}


@pytest.mark.parametrize(
    ("options", "then"),
    [
        ({}, Again(1000)),
        ({"attempt": 3}, Again(4000)),
        ({"attempt": 5000}, Again(100_000)),
        ({"policy": None}, Final("RETRY_STATE_RETRY_POLICY_NOT_SET")),
        ({"deadline": 999}, Final("RETRY_STATE_TIMEOUT")),
        ({"deadline": 1000}, Again(1000)),
        ({"cancel_requested": True}, Final("RETRY_STATE_CANCEL_REQUESTED")),
        (
            {"policy": Policy(maximum_attempts=2), "attempt": 2},
            Final("RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED"),
        ),
        (
            {"failure": application(nonRetryable=True)},
            Final("RETRY_STATE_NON_RETRYABLE_FAILURE"),
        ),
        (
            {"policy": Policy(fatal=frozenset({"Broken"}))},
            Final("RETRY_STATE_NON_RETRYABLE_FAILURE"),
        ),
        ({"failure": application(nextRetryDelay="7s")}, Again(7000)),
        ({"failure": application(nextRetryDelay="0s")}, Again(0)),
        ({"failure": timeout_failure("START_TO_CLOSE")}, Again(1000)),
        (
            {
                "failure": timeout_failure("HEARTBEAT"),
                "policy": Policy(fatal=frozenset({"TemporalTimeout:Heartbeat"})),
            },
            Final("RETRY_STATE_NON_RETRYABLE_FAILURE"),
        ),
    ],
)
def test_a_failed_attempt_is_decided_in_temporals_order(
    options: dict[str, Any], then: Again | Final
) -> None:
    assert decide(**options) == then


def test_the_reasons_rank_as_in_temporal() -> None:
    policy = Policy(maximum_attempts=1, fatal=frozenset({"Broken"}))
    everything: dict[str, Any] = {"policy": policy, "deadline": 0}
    assert decide(**everything) == Final("RETRY_STATE_NON_RETRYABLE_FAILURE")
    assert decide(**everything, cancel_requested=True) == Final(
        "RETRY_STATE_CANCEL_REQUESTED"
    )
    last: dict[str, Any] = {"policy": Policy(maximum_attempts=1), "deadline": 0}
    assert decide(**last) == Final("RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED")


def test_a_policy_shows_its_defaults() -> None:
    assert policy_json({"initialInterval": "0.050s"}) == {
        "initialInterval": "0.050s",
        "backoffCoefficient": 2.0,
        "maximumInterval": "5s",
    }
    assert read_policy(None) == Policy()


# -- timeouts --------------------------------------------------------------------------


def test_a_waiting_activity_is_overdue_by_its_queue_time() -> None:
    spans = ActivityTimeouts(schedule_to_start=500, start_to_close=9, heartbeat=9)
    times = ActivityTimes(scheduled_at=0, attempt_at=2000)
    assert deadlines(spans, times) == [(2500, "SCHEDULE_TO_START")]


def test_a_running_activity_is_overdue_by_the_first_of_three() -> None:
    spans = ActivityTimeouts(
        schedule_to_close=5000, schedule_to_start=1, start_to_close=4000, heartbeat=300
    )
    assert deadlines(spans, TIMES) == [
        (1800, "HEARTBEAT"),
        (5500, "START_TO_CLOSE"),
        (6000, "SCHEDULE_TO_CLOSE"),
    ]


def test_a_beat_moves_the_heartbeat_deadline() -> None:
    spans = ActivityTimeouts(heartbeat=300)
    times = ActivityTimes(scheduled_at=0, attempt_at=0, started_at=0, beat_at=900)
    assert deadlines(spans, times) == [(1200, "HEARTBEAT")]


def test_a_start_to_close_timeout_is_retried() -> None:
    out = on_timeout("START_TO_CLOSE", ActivityTimeouts(), TIMES, Policy(), now=1600)
    assert out.then == Again(1000)
    assert out.failure["message"] == "activity StartToClose timeout"


def test_a_heartbeat_timeout_carries_the_last_details() -> None:
    times = ActivityTimes(
        scheduled_at=0, attempt_at=0, started_at=0, heartbeat=[{"data": "x"}]
    )
    out = on_timeout("HEARTBEAT", ActivityTimeouts(), times, Policy(), now=5)
    info = out.failure["timeoutFailureInfo"]
    assert info["timeoutType"] == "TIMEOUT_TYPE_HEARTBEAT"
    assert info["lastHeartbeatDetails"] == {"payloads": [{"data": "x"}]}


@pytest.mark.parametrize("kind", ["SCHEDULE_TO_START", "SCHEDULE_TO_CLOSE"])
def test_waiting_too_long_is_final(kind: Any) -> None:
    out = on_timeout(kind, ActivityTimeouts(), TIMES, Policy(), now=5000)
    assert out.then == Final("RETRY_STATE_TIMEOUT")
    info = out.failure["timeoutFailureInfo"]
    assert info["timeoutType"] == f"TIMEOUT_TYPE_{kind}"


def test_an_attempt_that_leaves_no_time_for_the_next_ends_the_whole() -> None:
    spans = ActivityTimeouts(schedule_to_close=1300)
    before = timeout_failure("START_TO_CLOSE")
    times = ActivityTimes(
        scheduled_at=0, attempt_at=0, started_at=0, attempt=2, last_failure=before
    )
    out = on_timeout("START_TO_CLOSE", spans, times, Policy(), now=1200)
    assert out.then == Final("RETRY_STATE_TIMEOUT")
    assert out.failure["message"] == GIVEN_UP
    assert out.failure["cause"] == before


def test_a_failure_that_leaves_no_time_for_a_retry_stays_itself() -> None:
    spans = ActivityTimeouts(schedule_to_close=1300)
    then = on_failure(BROKEN, spans, TIMES, Policy(), now=2000)
    assert then == Final("RETRY_STATE_TIMEOUT")


@pytest.mark.parametrize(
    ("given", "run", "filled"),
    [
        ({"schedule_to_close_ms": 600}, None, ("0.6", "0.6", "0.6", "0")),
        ({"start_to_close_ms": 500}, None, ("0", "0", "0.5", "0")),
        ({"start_to_close_ms": 500}, 300, ("0.3", "0.3", "0.3", "0")),
        (
            {"start_to_close_ms": 500, "heartbeat_ms": 900},
            None,
            ("0", "0", "0.5", "0.5"),
        ),
    ],
)
def test_missing_timeouts_are_filled_in(
    given: dict[str, int], run: int | None, filled: tuple[str, ...]
) -> None:
    command = ScheduleActivity(
        seq=1,
        activity_id="1",
        activity_type="a",
        task_queue="q",
        arguments=(),
        **given,  # type: ignore[arg-type]
    )
    found = scheduled_timeouts(command, run)
    names = ("scheduleToClose", "scheduleToStart", "startToClose", "heartbeat")
    assert tuple(found[f"{name}Timeout"] for name in names) == tuple(
        int(float(text) * 1000) for text in filled
    )


# -- limits ----------------------------------------------------------------------------


def test_limits_name_what_is_exceeded() -> None:
    limits = Limits(max_events=10, max_bytes=100, max_pending=2, max_id=3)
    assert limits.exceeded(10, 100) == ""
    assert limits.exceeded(11, 0) == "the history has 11 events; at most 10"
    assert limits.exceeded(0, 101) == "the history has 101 bytes; at most 100"
    limits.check_pending("activities", 2)
    with pytest.raises(InvalidArgumentError, match="3 activities would be pending"):
        limits.check_pending("activities", 3)
    limits.check_id("workflow id", "abc")
    with pytest.raises(InvalidArgumentError, match="workflow id has 4 characters"):
        limits.check_id("workflow id", "abcd")
    with pytest.raises(InvalidArgumentError, match="workflow id is empty"):
        limits.check_id("workflow id", "")


def test_a_long_history_is_warned_of_before_it_ends() -> None:
    assert not Limits().warns(10_239, 0)
    assert Limits().warns(10_240, 0)
    assert Limits().suggests_continue_as_new(0, 4 * 1024 * 1024)
