"""Exceptions to failures and back, with their chain of causes.

A failure is the JSON form of Temporal's Failure message: `message`, `stackTrace`,
`cause` and one `…FailureInfo` that says what kind it is.
"""

import builtins
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any, TypeVar

from workflows.common import span_from_json, span_to_json
from workflows.converter.payload import (
    PayloadConverter,
    payload_from_json,
    payload_to_json,
)
from workflows.engine.failure import MAX_CAUSES, encodable, stack_of, text_of
from workflows.exceptions import (
    ActivityError,
    ApplicationError,
    ApplicationErrorCategory,
    CancelledError,
    ChildWorkflowError,
    FailureError,
    RetryState,
    ServerError,
    TerminatedError,
    TimeoutError,  # noqa: A004 - Temporal's
    TimeoutType,
)

Json = dict[str, Any]
E = TypeVar("E", bound=IntEnum)


class FailureConverter(ABC):
    """Turns exceptions into failures and back."""

    @abstractmethod
    def to_failure(
        self,
        exception: BaseException,
        payload_converter: PayloadConverter,
        failure: Json,
    ) -> None:
        """Fill the empty `failure` with what the exception is."""

    @abstractmethod
    def from_failure(
        self, failure: Mapping[str, Any], payload_converter: PayloadConverter
    ) -> BaseException:
        """Return the exception that a failure stands for."""


class DefaultFailureConverter(FailureConverter):
    """Temporal's rules: any exception that is no FailureError becomes an
    ApplicationError whose type is its class name; causes follow `__cause__` only
    (`raise … from`), as its SDK really does.
    """

    def to_failure(
        self,
        exception: BaseException,
        payload_converter: PayloadConverter,
        failure: Json,
    ) -> None:
        """See base class. A failure that came from a history goes back as it was."""
        error: BaseException | None = exception
        for _ in range(MAX_CAUSES + 1):
            if error is None:
                return
            recorded = error.failure if isinstance(error, FailureError) else None
            if recorded is not None:
                failure.update(recorded)
                return
            failure.update(_form(error, payload_converter))
            error = error.__cause__
            if error is not None:
                failure["cause"] = failure = {}

    def from_failure(
        self, failure: Mapping[str, Any], payload_converter: PayloadConverter
    ) -> BaseException:
        """See base class."""
        error = _error(failure, payload_converter)
        error._failure = failure  # noqa: SLF001 - so that it goes back as it came
        cause = failure.get("cause")
        if cause:
            error.__cause__ = self.from_failure(cause, payload_converter)
        return error


# -- exceptions to failures ------------------------------------------------------------


def _form(error: BaseException, converter: PayloadConverter) -> Json:
    """Return the failure of one exception, without its cause."""
    if not isinstance(error, FailureError):
        message = text_of(error)
        info: Json = {"type": type(error).__name__}
        kind = "applicationFailureInfo"
    else:
        message = error.message
        kind, info = _info(error, converter)
    form: Json = {"message": encodable(message)} if message else {}
    stack = stack_of(error)
    if stack:
        form["stackTrace"] = stack
    if kind:
        form[kind] = info
    return form


def _info(error: FailureError, converter: PayloadConverter) -> tuple[str, Json]:
    for kind, (name, make) in _INFOS.items():
        if isinstance(error, kind):
            pairs = make(error, converter).items()
            return name, {key: value for key, value in pairs if value or value is False}
    return "", {}


def _application(error: ApplicationError, converter: PayloadConverter) -> Json:
    return {
        "type": error.type and encodable(error.type),
        "nonRetryable": error.non_retryable or None,
        "details": _payloads(error.details, converter),
        "nextRetryDelay": _span(error.next_retry_delay),
        "category": error.category
        and f"APPLICATION_ERROR_CATEGORY_{error.category.name}",
    }


def _timeout(error: TimeoutError, converter: PayloadConverter) -> Json:
    return {
        "timeoutType": _name("TIMEOUT_TYPE", error.type),
        "lastHeartbeatDetails": _payloads(error.last_heartbeat_details, converter),
    }


def _cancelled(error: CancelledError, converter: PayloadConverter) -> Json:
    return {"details": _payloads(error.details, converter)}


def _terminated(error: TerminatedError, converter: PayloadConverter) -> Json:  # noqa: ARG001
    return {}


def _server(error: ServerError, converter: PayloadConverter) -> Json:  # noqa: ARG001
    return {"nonRetryable": error.non_retryable or None}


def _activity(error: ActivityError, converter: PayloadConverter) -> Json:  # noqa: ARG001
    return {
        "scheduledEventId": _int64(error.scheduled_event_id),
        "startedEventId": _int64(error.started_event_id),
        "identity": error.identity,
        "activityType": {"name": error.activity_type},
        "activityId": error.activity_id,
        "retryState": _name("RETRY_STATE", error.retry_state),
    }


def _child(error: ChildWorkflowError, converter: PayloadConverter) -> Json:  # noqa: ARG001
    return {
        "namespace": error.namespace,
        "workflowExecution": {"workflowId": error.workflow_id, "runId": error.run_id},
        "workflowType": {"name": error.workflow_type},
        "initiatedEventId": _int64(error.initiated_event_id),
        "startedEventId": _int64(error.started_event_id),
        "retryState": _name("RETRY_STATE", error.retry_state),
    }


_INFOS: dict[type[FailureError], tuple[str, Callable[[Any, PayloadConverter], Json]]]
_INFOS = {
    ApplicationError: ("applicationFailureInfo", _application),
    TimeoutError: ("timeoutFailureInfo", _timeout),
    CancelledError: ("canceledFailureInfo", _cancelled),
    TerminatedError: ("terminatedFailureInfo", _terminated),
    ServerError: ("serverFailureInfo", _server),
    ActivityError: ("activityFailureInfo", _activity),
    ChildWorkflowError: ("childWorkflowExecutionFailureInfo", _child),
}


def _payloads(values: Sequence[Any], converter: PayloadConverter) -> Json | None:
    if not values:
        return None
    return {"payloads": [payload_to_json(p) for p in converter.to_payloads(values)]}


def _name(prefix: str, value: IntEnum | None) -> str | None:
    return f"{prefix}_{value.name}" if value else None


def _int64(value: int) -> str | None:
    return str(value) if value else None


def _span(delay: timedelta | None) -> str | None:
    return None if delay is None else span_to_json(delay)


# -- failures to exceptions ---------------------------------------------------------


def _error(failure: Mapping[str, Any], converter: PayloadConverter) -> FailureError:
    for kind, (name, _) in _INFOS.items():
        info = failure.get(name)
        if info is not None:
            return _MAKERS[kind](failure.get("message", ""), info, converter)
    return FailureError(failure.get("message") or "Failure error")


def _make_application(
    message: str, info: Mapping[str, Any], converter: PayloadConverter
) -> FailureError:
    delay, category = info.get("nextRetryDelay"), info.get("category", "UNSPECIFIED")
    return ApplicationError(
        message or "Application error",
        *_values(info.get("details"), converter),
        type=info.get("type"),
        non_retryable=bool(info.get("nonRetryable")),
        next_retry_delay=span_from_json(delay) if delay else None,
        category=ApplicationErrorCategory[category.rpartition("CATEGORY_")[2]],
    )


def _make_timeout(
    message: str, info: Mapping[str, Any], converter: PayloadConverter
) -> FailureError:
    return TimeoutError(
        message or "Timeout",
        type=_member(TimeoutType, "TIMEOUT_TYPE_", info.get("timeoutType")),
        last_heartbeat_details=_values(info.get("lastHeartbeatDetails"), converter),
    )


def _make_cancelled(
    message: str, info: Mapping[str, Any], converter: PayloadConverter
) -> FailureError:
    return CancelledError(
        message or "Cancelled", *_values(info.get("details"), converter)
    )


def _make_terminated(
    message: str,
    info: Mapping[str, Any],  # noqa: ARG001
    converter: PayloadConverter,  # noqa: ARG001
) -> FailureError:
    return TerminatedError(message or "Terminated")


def _make_server(
    message: str,
    info: Mapping[str, Any],
    converter: PayloadConverter,  # noqa: ARG001
) -> FailureError:
    return ServerError(
        message or "Server error", non_retryable=bool(info.get("nonRetryable"))
    )


def _make_activity(
    message: str,
    info: Mapping[str, Any],
    converter: PayloadConverter,  # noqa: ARG001
) -> FailureError:
    return ActivityError(
        message or "Activity error",
        scheduled_event_id=int(info.get("scheduledEventId", 0)),
        started_event_id=int(info.get("startedEventId", 0)),
        identity=info.get("identity", ""),
        activity_type=(info.get("activityType") or {}).get("name", ""),
        activity_id=info.get("activityId", ""),
        retry_state=_member(RetryState, "RETRY_STATE_", info.get("retryState")),
    )


def _make_child(
    message: str,
    info: Mapping[str, Any],
    converter: PayloadConverter,  # noqa: ARG001
) -> FailureError:
    execution = info.get("workflowExecution") or {}
    return ChildWorkflowError(
        message or "Child workflow error",
        namespace=info.get("namespace", ""),
        workflow_id=execution.get("workflowId", ""),
        run_id=execution.get("runId", ""),
        workflow_type=(info.get("workflowType") or {}).get("name", ""),
        initiated_event_id=int(info.get("initiatedEventId", 0)),
        started_event_id=int(info.get("startedEventId", 0)),
        retry_state=_member(RetryState, "RETRY_STATE_", info.get("retryState")),
    )


_MAKERS: dict[
    type[FailureError],
    Callable[[str, Mapping[str, Any], PayloadConverter], FailureError],
] = {
    ApplicationError: _make_application,
    TimeoutError: _make_timeout,
    CancelledError: _make_cancelled,
    TerminatedError: _make_terminated,
    ServerError: _make_server,
    ActivityError: _make_activity,
    ChildWorkflowError: _make_child,
}


def _values(
    form: Mapping[str, Any] | None, converter: PayloadConverter
) -> Sequence[Any]:
    payloads = (form or {}).get("payloads") or ()
    return converter.from_payloads([payload_from_json(each) for each in payloads])


def _member(kind: builtins.type[E], prefix: str, name: str | None) -> E | None:
    return kind.__members__.get(name.removeprefix(prefix)) if name else None
