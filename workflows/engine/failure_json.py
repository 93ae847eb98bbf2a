"""Failures in the JSON of Temporal's Failure, as the engine itself makes them.

What a workflow's or an activity's code raised is made by the converter and passed
through untouched; these are the frames around it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from workflows.engine.proto_json import payloads

Json = Mapping[str, Any]
TimeoutKind = Literal[
    "START_TO_CLOSE", "SCHEDULE_TO_START", "SCHEDULE_TO_CLOSE", "HEARTBEAT"
]
RetryState = Literal[
    "IN_PROGRESS",
    "NON_RETRYABLE_FAILURE",
    "TIMEOUT",
    "MAXIMUM_ATTEMPTS_REACHED",
    "RETRY_POLICY_NOT_SET",
    "INTERNAL_SERVER_ERROR",
    "CANCEL_REQUESTED",
]
NOT_FOUND = "ExternalWorkflowExecutionNotFound"


def retry_state(name: RetryState) -> str:
    """Return the name that Temporal's JSON has for it."""
    return f"RETRY_STATE_{name}"


def cancelled_failure(details: Json | None = None, message: str = "") -> Json:
    """Return a CanceledFailure; `details` is a Payloads."""
    info = {"details": details} if details else {}
    failure: dict[str, Any] = {"canceledFailureInfo": info}
    return {"message": message, **failure} if message else failure


def application_failure(
    message: str, type_name: str, *, non_retryable: bool = False
) -> Json:
    """Return an ApplicationFailure."""
    info: dict[str, Any] = {"type": type_name}
    if non_retryable:
        info["nonRetryable"] = True
    return {"message": message, "applicationFailureInfo": info}


def timeout_failure(
    kind: TimeoutKind,
    *,
    message: str = "",
    heartbeat: Sequence[Json] = (),
    cause: Json | None = None,
) -> Json:
    """Return a TimeoutFailure with the last heartbeat details and the last failure."""
    info: dict[str, Any] = {"timeoutType": f"TIMEOUT_TYPE_{kind}"}
    if heartbeat:
        info["lastHeartbeatDetails"] = payloads(heartbeat)
    words = "".join(part.title() for part in kind.split("_"))
    failure: dict[str, Any] = {
        "message": message or f"activity {words} timeout",
        "source": "Server",
        "timeoutFailureInfo": info,
    }
    return {**failure, "cause": cause} if cause else failure


def activity_failure(
    message: str,
    *,
    activity_id: str,
    activity_type: str,
    scheduled_id: int = 0,
    started_id: int = 0,
    identity: str = "",
    retry: str = "",
    cause: Json | None = None,
) -> Json:
    """Return an ActivityFailure; `retry` is a whole name (`RETRY_STATE_…`)."""
    info: dict[str, Any] = {
        "activityType": {"name": activity_type},
        "activityId": activity_id,
    }
    _set_ids(info, scheduledEventId=scheduled_id, startedEventId=started_id)
    if identity:
        info["identity"] = identity
    if retry:
        info["retryState"] = retry
    return _framed(message, {"activityFailureInfo": info}, cause)


def child_failure(  # noqa: PLR0913 - the fields of Temporal's
    message: str,
    *,
    workflow_id: str,
    workflow_type: str,
    run_id: str = "",
    namespace: str = "",
    initiated_id: int = 0,
    started_id: int = 0,
    retry: str = "",
    cause: Json | None = None,
) -> Json:
    """Return a ChildWorkflowExecutionFailure."""
    execution = {"workflowId": workflow_id}
    if run_id:
        execution["runId"] = run_id
    info: dict[str, Any] = {
        "workflowExecution": execution,
        "workflowType": {"name": workflow_type},
    }
    if namespace:
        info["namespace"] = namespace
    _set_ids(info, initiatedEventId=initiated_id, startedEventId=started_id)
    if retry:
        info["retryState"] = retry
    return _framed(message, {"childWorkflowExecutionFailureInfo": info}, cause)


def _set_ids(info: dict[str, Any], **ids: int) -> None:
    info.update({name: str(number) for name, number in ids.items() if number})


def _framed(message: str, info: dict[str, Any], cause: Json | None) -> Json:
    failure = {"message": message, **info}
    return {**failure, "cause": cause} if cause else failure
