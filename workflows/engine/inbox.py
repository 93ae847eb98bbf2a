"""Inbox entries: what happened to a run and is not in its history yet.

An entry is a kind (the store's word for it) and JSON: the event that it becomes when a
workflow task drains it, and of an activity its start, which Temporal writes only then.
Entries name what they are about by event ids that the sender knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from workflows.engine.events import EventType as E
from workflows.engine.proto_json import json_payload, payloads
from workflows.exceptions import InvalidArgumentError

Json = Mapping[str, Any]
SIGNAL, CANCEL = "signal", "cancel"  # the two kinds that the store knows


@dataclass(frozen=True, slots=True)
class Entry:
    """What goes into an inbox."""

    kind: str
    data: bytes


class Item(Protocol):
    """An entry as it lies in an inbox: its number there and its time (ms)."""

    @property
    def seq(self) -> int:
        """From 1; 0 if it never lay there (the outcome of an inline activity)."""

    @property
    def at(self) -> int:
        """When it came."""

    @property
    def data(self) -> bytes:
        """As in Entry."""


class Start(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The start of an activity's last attempt, for ACTIVITY_TASK_STARTED."""

    at: int
    attempt: int = 1
    identity: str = ""
    last_failure: dict[str, Any] | None = None


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The content of an entry."""

    type: E
    attributes: dict[str, Any]
    start: Start | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that an entry speaks of."""

    workflow_id: str
    run_id: str = ""
    workflow_type: str = ""
    namespace: str = ""


_decoder = msgspec.json.Decoder(Said)


def read_entry(data: bytes) -> Said:
    """Return the content of an entry.

    Raises:
        InvalidArgumentError: it is something else.
    """
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        msg = f"not an inbox entry: {error}"
        raise InvalidArgumentError(msg) from None


# -- from clients and other runs -------------------------------------------------------


def signal(
    name: str,
    arguments: Sequence[Json] = (),
    *,
    headers: Json | None = None,
    identity: str = "",
    request_id: str = "",
    sender: Run | None = None,
) -> Entry:
    """A signal; `sender`: the run that sent it."""
    return _entry(
        SIGNAL,
        E.WORKFLOW_EXECUTION_SIGNALED,
        signalName=name,
        input=payloads(arguments) if arguments else None,
        identity=identity,
        header={"fields": headers} if headers else None,
        externalWorkflowExecution=_execution(sender),
        requestId=request_id,
    )


def cancel(
    reason: str = "",
    *,
    identity: str = "",
    sender: Run | None = None,
    initiated_id: int = 0,
) -> Entry:
    """A request to cancel; `sender` and `initiated_id`: another run asked."""
    return _entry(
        CANCEL,
        E.WORKFLOW_EXECUTION_CANCEL_REQUESTED,
        cause=reason,
        externalInitiatedEventId=_id(initiated_id),
        externalWorkflowExecution=_execution(sender),
        identity=identity,
    )


# -- timers and activities -------------------------------------------------------------


def timer_fired(timer_id: str, started_id: int) -> Entry:
    """A timer is due; `started_id`: the id of its TIMER_STARTED."""
    return _entry(
        "timer_fired", E.TIMER_FIRED, timerId=timer_id, startedEventId=_id(started_id)
    )


def activity_completed(
    scheduled_id: int, start: Start, result: Json | None, *, identity: str = ""
) -> Entry:
    """An activity returned; None: it gave no payload."""
    return _entry(
        "activity_completed",
        E.ACTIVITY_TASK_COMPLETED,
        start,
        result=payloads([result]) if result is not None else None,
        scheduledEventId=_id(scheduled_id),
        identity=identity or start.identity,
    )


def activity_failed(
    scheduled_id: int, start: Start, failure: Json, retry: str, *, identity: str = ""
) -> Entry:
    """An activity failed for good; `retry` is a whole name (`RETRY_STATE_…`)."""
    return _entry(
        "activity_failed",
        E.ACTIVITY_TASK_FAILED,
        start,
        failure=failure,
        scheduledEventId=_id(scheduled_id),
        identity=identity or start.identity,
        retryState=retry,
    )


def activity_timed_out(
    scheduled_id: int, start: Start | None, failure: Json, retry: str
) -> Entry:
    """An activity ran out of time for good; `start` None: no attempt ever started."""
    return _entry(
        "activity_timed_out",
        E.ACTIVITY_TASK_TIMED_OUT,
        start,
        failure=failure,
        scheduledEventId=_id(scheduled_id),
        retryState=retry,
    )


def activity_cancelled(
    scheduled_id: int,
    start: Start | None = None,
    details: Sequence[Json] = (),
    *,
    identity: str = "",
) -> Entry:
    """An activity ended by its cancellation; `start` None: no attempt ran just then."""
    if start is None and not details:
        details = [json_payload("ACTIVITY_ID_NOT_STARTED")]
    return _entry(
        "activity_cancelled",
        E.ACTIVITY_TASK_CANCELED,
        start,
        details=payloads(details) if details else None,
        scheduledEventId=_id(scheduled_id),
        identity=identity or (start.identity if start else ""),
    )


# -- children --------------------------------------------------------------------------


def child_started(initiated_id: int, child: Run) -> Entry:
    """A child runs."""
    kind = E.CHILD_WORKFLOW_EXECUTION_STARTED
    return _child("child_started", kind, initiated_id, child, header={})


def child_start_failed(initiated_id: int, child: Run) -> Entry:
    """A child's workflow id is taken."""
    return _entry(
        "child_start_failed",
        E.START_CHILD_WORKFLOW_EXECUTION_FAILED,
        workflowId=child.workflow_id,
        workflowType={"name": child.workflow_type},
        cause="START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS",
        namespace=child.namespace,
        initiatedEventId=_id(initiated_id),
    )


def child_completed(initiated_id: int, child: Run, result: Json | None) -> Entry:
    """A child returned; `child.run_id` is its last run."""
    return _child(
        "child_completed",
        E.CHILD_WORKFLOW_EXECUTION_COMPLETED,
        initiated_id,
        child,
        result=payloads([result]) if result is not None else None,
    )


def child_failed(initiated_id: int, child: Run, failure: Json, retry: str) -> Entry:
    """A child failed for good."""
    return _child(
        "child_failed",
        E.CHILD_WORKFLOW_EXECUTION_FAILED,
        initiated_id,
        child,
        failure=failure,
        retryState=retry,
    )


def child_cancelled(
    initiated_id: int, child: Run, details: Sequence[Json] = ()
) -> Entry:
    """A child ended by its cancellation."""
    return _child(
        "child_cancelled",
        E.CHILD_WORKFLOW_EXECUTION_CANCELED,
        initiated_id,
        child,
        details=payloads(details) if details else None,
    )


def child_timed_out(initiated_id: int, child: Run, retry: str) -> Entry:
    """A child ran out of time for good."""
    return _child(
        "child_timed_out",
        E.CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
        initiated_id,
        child,
        retryState=retry,
    )


def child_terminated(initiated_id: int, child: Run) -> Entry:
    """A child was terminated."""
    return _child(
        "child_terminated", E.CHILD_WORKFLOW_EXECUTION_TERMINATED, initiated_id, child
    )


# -- signals and cancel requests to other runs -----------------------------------------


def external_signalled(initiated_id: int, target: Run) -> Entry:
    """A signal to another run was delivered."""
    return _entry(
        "external_signalled",
        E.EXTERNAL_WORKFLOW_EXECUTION_SIGNALED,
        initiatedEventId=_id(initiated_id),
        workflowExecution=_execution(target),
        namespace=target.namespace,
    )


def external_signal_failed(initiated_id: int, target: Run) -> Entry:
    """A signal to another run was not delivered: there is no such open run."""
    return _entry(
        "external_signal_failed",
        E.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
        cause="SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_"
        "EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND",
        initiatedEventId=_id(initiated_id),
        workflowExecution=_execution(target),
        namespace=target.namespace,
    )


def external_cancel_requested(initiated_id: int, target: Run) -> Entry:
    """A cancel request to another run was delivered."""
    return _entry(
        "external_cancel_requested",
        E.EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
        initiatedEventId=_id(initiated_id),
        workflowExecution=_execution(target),
        namespace=target.namespace,
    )


def external_cancel_failed(initiated_id: int, target: Run) -> Entry:
    """A cancel request to another run was not delivered: no such open run."""
    return _entry(
        "external_cancel_failed",
        E.REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
        cause="CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_"
        "EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND",
        initiatedEventId=_id(initiated_id),
        workflowExecution=_execution(target),
        namespace=target.namespace,
    )


# -- parts -----------------------------------------------------------------------------


def _child(kind: str, event: E, initiated_id: int, child: Run, **more: Any) -> Entry:
    return _entry(
        kind,
        event,
        **more,
        workflowExecution=_execution(child),
        workflowType={"name": child.workflow_type},
        namespace=child.namespace,
        initiatedEventId=_id(initiated_id),
    )


def _entry(kind: str, event: E, start: Start | None = None, **attributes: Any) -> Entry:
    kept = {
        name: value for name, value in attributes.items() if value not in (None, "")
    }
    return Entry(
        kind, msgspec.json.encode(Said(type=event, attributes=kept, start=start))
    )


def _execution(run: Run | None) -> Json | None:
    if run is None:
        return None
    execution = {"workflowId": run.workflow_id}
    return {**execution, "runId": run.run_id} if run.run_id else execution


def _id(number: int) -> str | None:
    return str(number) if number else None
