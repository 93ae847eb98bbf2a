"""What closing a run means: its last event, word to the parent, the run that follows.

A next run follows by continue-as-new, by the retry policy (a failure or a run timeout)
or by the cron schedule (any close but a cancellation, a termination and the end of the
execution timeout); the parent hears only of a close that nothing follows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflows.engine import commands as c
from workflows.engine import inbox
from workflows.engine.activity_retry import Again, next_attempt
from workflows.engine.cron import next_cron_delay
from workflows.engine.events import EventType as E
from workflows.engine.failure_json import retry_state, timeout_failure
from workflows.engine.history import Event, encode_event
from workflows.engine.outgoing import indexed, set_fields, set_spans, task_queue
from workflows.engine.proto_json import payloads, span, span_ms
from workflows.engine.retry_policy import policy_json, read_policy
from workflows.engine.starting import NewRunEvent, expiry_of, finish, timeouts

Json = Mapping[str, Any]
INITIATOR = "CONTINUE_AS_NEW_INITIATOR_"
ASKED_ANEW = (  # what continue-as-new says anew, or leaves out
    *("workflowType", "taskQueue", "input", "memo", "searchAttributes", "header"),
    *("workflowRunTimeout", "workflowTaskTimeout", "continuedFailure"),
)
INHERITED = (
    *ASKED_ANEW,
    *("workflowId", "retryPolicy", "cronSchedule", "priority", "lastCompletionResult"),
    *("parentWorkflowExecution", "parentInitiatedEventId", "rootWorkflowExecution"),
    "parentWorkflowNamespace",
    *("workflowExecutionTimeout", "workflowExecutionExpirationTime"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingRun:
    """The run that closes. `started`: the attributes of its first event, of `began_at`.

    `memo` and `search_attributes`: the current ones, for continue-as-new.
    """

    workflow_id: str
    run_id: str
    started: Json
    began_at: int
    memo: Json | None = None
    search_attributes: Json | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A close. `status`: the store's word for it. `event`: the last one.

    `outcome`: for the parent's inbox; None: no parent, or a run follows.
    """

    status: str
    event: bytes
    outcome: inbox.Entry | None = None
    next_run: NewRunEvent | None = None


# -- by a command of its workflow ------------------------------------------------------


def close_by_command(
    run: ClosingRun,
    command: c.TerminalCommand,
    *,
    completed_id: int,
    new_run_id: str,
    at: int,
) -> Closing:
    """Return the close that a workflow asks for.

    `completed_id`: the event that completed its task. `new_run_id` is used if a run
    follows.
    """
    said = {"workflowTaskCompletedEventId": str(completed_id)}
    match command:
        case c.CompleteWorkflow():
            return _completed(run, command, said, new_run_id, at)
        case c.FailWorkflow():
            return _failed(run, command, said, new_run_id, at)
        case c.CancelWorkflow():
            event = _event(E.WORKFLOW_EXECUTION_CANCELED, at, said)
            outcome = _tell(run, inbox.child_cancelled)
            return Closing(status="canceled", event=event, outcome=outcome)
        case c.ContinueAsNew():
            return _continued(run, command, said, new_run_id, at)


def _completed(
    run: ClosingRun,
    command: c.CompleteWorkflow,
    said: dict[str, Any],
    new_run_id: str,
    at: int,
) -> Closing:
    result = payloads([command.result]) if command.result is not None else None
    last = {"lastCompletionResult": result} if result else {}
    following = _cron(run, new_run_id, at, last)
    set_fields(said, result=result, newExecutionRunId=_id_of(following))
    event = _event(E.WORKFLOW_EXECUTION_COMPLETED, at, said)
    outcome = None
    if following is None:
        outcome = _tell(run, inbox.child_completed, command.result)
    return Closing(status="completed", event=event, outcome=outcome, next_run=following)


def _failed(
    run: ClosingRun,
    command: c.FailWorkflow,
    said: dict[str, Any],
    new_run_id: str,
    at: int,
) -> Closing:
    retry, following = _after_failure(run, command.failure, new_run_id, at)
    said |= {"failure": command.failure, "retryState": retry}
    set_fields(said, newExecutionRunId=_id_of(following))
    event = _event(E.WORKFLOW_EXECUTION_FAILED, at, said)
    outcome = None
    if following is None:
        outcome = _tell(run, inbox.child_failed, command.failure, retry)
    return Closing(status="failed", event=event, outcome=outcome, next_run=following)


def _continued(
    run: ClosingRun,
    command: c.ContinueAsNew,
    said: dict[str, Any],
    new_run_id: str,
    at: int,
) -> Closing:
    started = run.started
    memo = command.memo if command.memo is not None else run.memo
    search = command.search_attributes
    search = search if search is not None else run.search_attributes
    run_ms, task_ms = command.run_timeout_ms, command.task_timeout_ms
    run_ms = run_ms or span_ms(started.get("workflowRunTimeout")) or 0
    task_ms = task_ms or span_ms(started.get("workflowTaskTimeout"))
    kind = command.workflow_type or started["workflowType"]["name"]
    queue = command.task_queue or started["taskQueue"]["name"]
    said |= {
        "newExecutionRunId": new_run_id,
        "workflowType": {"name": kind},
        "taskQueue": task_queue(queue),
    }
    set_spans(said, workflowRunTimeout=run_ms, workflowTaskTimeout=task_ms)
    set_fields(
        said,
        input=payloads(command.arguments) if command.arguments else None,
        backoffStartInterval=span(command.backoff_ms) if command.backoff_ms else None,
        header={"fields": dict(command.headers)} if command.headers else None,
        memo={"fields": dict(memo)} if memo else None,
        searchAttributes=indexed(search or {}),
    )
    event = _event(E.WORKFLOW_EXECUTION_CONTINUED_AS_NEW, at, said)
    base = {k: v for k, v in started.items() if k not in ASKED_ANEW}
    base |= {k: v for k, v in said.items() if k in ASKED_ANEW}
    if command.retry_policy is not None:
        base["retryPolicy"] = policy_json(command.retry_policy)
    how = _How("WORKFLOW", new_run_id, at, command.backoff_ms)
    following = _next(base, run, how)
    return Closing(status="continued_as_new", event=event, next_run=following)


# -- from outside ----------------------------------------------------------------------


def close_terminated(
    run: ClosingRun,
    *,
    at: int,
    reason: str = "",
    details: Sequence[Json] = (),
    identity: str = "",
) -> Closing:
    """Return the close of a run that somebody terminates."""
    said: dict[str, Any] = {}
    detail = payloads(details) if details else None
    set_fields(said, reason=reason, details=detail, identity=identity)
    event = _event(E.WORKFLOW_EXECUTION_TERMINATED, at, said)
    outcome = _tell(run, inbox.child_terminated)
    return Closing(status="terminated", event=event, outcome=outcome)


def close_timed_out(run: ClosingRun, *, at: int, new_run_id: str) -> Closing:
    """Return the close of a run that is overdue at `at`.

    The end of the execution timeout is the end of the chain; the end of a run timeout
    may be followed by a retry or the next cron run.
    """
    expires_at = expiry_of(run.started)
    following = None
    if expires_at is not None and expires_at <= at:
        retry = retry_state("TIMEOUT")
    else:
        failure = timeout_failure("START_TO_CLOSE", message="workflow timeout")
        retry, following = _after_failure(run, failure, new_run_id, at)
    said: dict[str, Any] = {"retryState": retry}
    set_fields(said, newExecutionRunId=_id_of(following))
    event = _event(E.WORKFLOW_EXECUTION_TIMED_OUT, at, said)
    outcome = _tell(run, inbox.child_timed_out, retry) if following is None else None
    return Closing(status="timed_out", event=event, outcome=outcome, next_run=following)


# -- the next run ----------------------------------------------------------------------


def _after_failure(
    run: ClosingRun, failure: Json, new_run_id: str, at: int
) -> tuple[str, NewRunEvent | None]:
    """Return the retry state of a failed run, and its retry or next cron run."""
    json = run.started.get("retryPolicy")
    attempt = int(run.started.get("attempt", 1))
    then = next_attempt(
        read_policy(json) if json is not None else None,
        failure,
        attempt=attempt,
        now=at,
        deadline=expiry_of(run.started),
    )
    if isinstance(then, Again):
        base = {**run.started, "continuedFailure": failure}
        how = _How("RETRY", new_run_id, at, then.delay_ms, attempt + 1)
        following = _next(base, run, how)
        return retry_state("IN_PROGRESS"), following
    return then.retry_state, _cron(run, new_run_id, at, {"continuedFailure": failure})


def _cron(
    run: ClosingRun, new_run_id: str, at: int, last: dict[str, Any]
) -> NewRunEvent | None:
    schedule = run.started.get("cronSchedule")
    if not schedule:
        return None
    backoff = span_ms(run.started.get("firstWorkflowTaskBackoff")) or 0
    delay = next_cron_delay(schedule, began_at=run.began_at + backoff, at=at)
    expires_at = expiry_of(run.started)
    if delay is None or (expires_at is not None and at + delay > expires_at):
        return None
    base = {k: v for k, v in run.started.items() if k != "continuedFailure"}
    how = _How("CRON_SCHEDULE", new_run_id, at, delay)
    return _next({**base, **last}, run, how)


@dataclass(frozen=True, slots=True)
class _How:
    """Why, when and as which attempt a run follows another."""

    initiator: str
    run_id: str
    at: int
    delay_ms: int
    attempt: int = 1


def _next(base: Json, run: ClosingRun, how: _How) -> NewRunEvent:
    found = {name: base[name] for name in INHERITED if name in base}
    found |= {
        "continuedExecutionRunId": run.run_id,
        "initiator": INITIATOR + how.initiator,
        "originalExecutionRunId": how.run_id,
        "firstExecutionRunId": run.started.get("firstExecutionRunId", run.run_id),
        "attempt": how.attempt,
    }
    found |= timeouts(
        span_ms(found.get("workflowExecutionTimeout")),
        span_ms(found.get("workflowRunTimeout")),
        span_ms(found.get("workflowTaskTimeout")),
        expires_at=expiry_of(run.started),
        at=how.at,
    )
    return finish(found, run_id=how.run_id, at=how.at, delay_ms=how.delay_ms)


# -- parts -----------------------------------------------------------------------------


def _tell(run: ClosingRun, make: Any, *said: Any) -> inbox.Entry | None:
    """Return word of the close for the parent; None if there is none."""
    if "parentWorkflowExecution" not in run.started:
        return None
    child = inbox.Run(
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        workflow_type=run.started["workflowType"]["name"],
        namespace=run.started.get("parentWorkflowNamespace", ""),
    )
    entry: inbox.Entry = make(int(run.started["parentInitiatedEventId"]), child, *said)
    return entry


def _event(kind: E, at: int, attributes: dict[str, Any]) -> bytes:
    return encode_event(Event(kind, at, attributes))


def _id_of(run: NewRunEvent | None) -> str | None:
    return run.run_id if run is not None else None
