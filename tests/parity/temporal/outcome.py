"""Results and failures as plain data that two libraries can agree on."""

import dataclasses
import datetime as dt
import enum
from typing import Any

_SAID: dict[str, tuple[str, ...]] = {
    "ApplicationError": ("type", "non_retryable", "details"),
    "ActivityError": ("activity_type", "activity_id", "retry_state"),
    "ChildWorkflowError": ("workflow_id", "workflow_type", "namespace", "retry_state"),
    "TimeoutError": ("type", "last_heartbeat_details"),
    "CancelledError": ("details",),
    "TerminatedError": ("details",),
    "ServerError": ("non_retryable",),
    "WorkflowAlreadyStartedError": ("workflow_id", "workflow_type"),
    "WorkflowQueryRejectedError": ("status",),
    "RPCError": ("status",),
}


def describe_error(error: BaseException) -> dict[str, Any]:
    """Describe an exception: type, text, the fields of its kind, and its causes."""
    kind = type(error).__name__
    said: dict[str, Any] = {"error": kind, "message": str(error)}
    for name in _SAID.get(kind, ()):
        if hasattr(error, name):
            said[name] = plain(getattr(error, name))
    cause = getattr(error, "cause", None) or error.__cause__
    if isinstance(cause, BaseException):
        said["cause"] = describe_error(cause)
    return said


def plain(value: Any) -> Any:
    """Turn a value into JSON's types; enumerations and statuses by their names."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, BaseException):
        return describe_error(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    return value
