"""Is a failed activity or workflow tried again? Temporal's order of reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflows.engine.failure_json import RetryState, retry_state
from workflows.engine.proto_json import span_ms
from workflows.engine.retry_policy import Policy

TIMEOUT_TYPE = "TIMEOUT_TYPE_"
RETRYABLE_TIMEOUTS = {"START_TO_CLOSE": "StartToClose", "HEARTBEAT": "Heartbeat"}


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after `delay_ms`."""

    delay_ms: int


@dataclass(frozen=True, slots=True)
class Final:
    """It ends here; `retry_state` is the whole name (`RETRY_STATE_…`)."""

    retry_state: str


def next_attempt(
    policy: Policy | None,
    failure: Mapping[str, Any],
    *,
    attempt: int,
    now: int,
    deadline: int | None = None,
    cancel_requested: bool = False,
) -> Again | Final:
    """Decide after failed attempt number `attempt` (from 1).

    `policy` None: there are no retries (a workflow without one). `deadline`: of all
    attempts together (schedule_to_close; a workflow's execution timeout); times in ms.
    """
    if cancel_requested:
        return _final("CANCEL_REQUESTED")
    if policy is None:
        return _final("RETRY_POLICY_NOT_SET")
    if not is_retryable(failure, policy):
        return _final("NON_RETRYABLE_FAILURE")
    if 0 < policy.maximum_attempts <= attempt:
        return _final("MAXIMUM_ATTEMPTS_REACHED")
    delay = _asked_delay(failure)
    delay = policy.delay_ms(attempt) if delay is None else delay
    if deadline is not None and now + delay > deadline:
        return _final("TIMEOUT")
    return Again(delay)


def is_retryable(failure: Mapping[str, Any], policy: Policy) -> bool:
    """Return whether a failure may go away by itself.

    A policy names timeouts as `TemporalTimeout:StartToClose`.
    """
    if "terminatedFailureInfo" in failure or "canceledFailureInfo" in failure:
        return False
    timeout = failure.get("timeoutFailureInfo")
    if timeout is not None:
        kind = timeout.get("timeoutType", "").removeprefix(TIMEOUT_TYPE)
        name = RETRYABLE_TIMEOUTS.get(kind)
        return name is not None and f"TemporalTimeout:{name}" not in policy.fatal
    if failure.get("serverFailureInfo", {}).get("nonRetryable"):
        return False
    info = failure.get("applicationFailureInfo")
    if info is None:
        return True
    return not info.get("nonRetryable") and info.get("type") not in policy.fatal


def _asked_delay(failure: Mapping[str, Any]) -> int | None:
    """Return the delay that the code itself asked for (`next_retry_delay`)."""
    text = failure.get("applicationFailureInfo", {}).get("nextRetryDelay")
    return (span_ms(text) or 0) if text is not None else None


def _final(name: RetryState) -> Final:
    return Final(retry_state(name))
