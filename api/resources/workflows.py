"""Workflows: start, list, describe, history, result, signal, query, cancel, end."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from api import schemas, workflow_views
from api.call import Call, Reply
from api.cursors import read_cursor, write_cursor
from workflows.client.service import StartRequest, StartSignal
from workflows.common import (
    QueryRejectCondition,
    RetryPolicy,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from workflows.engine.starting import StartOptions
from workflows.store import RunRef, RunStatus, StartStatus

SCOPE = "workflows"


def start(call: Call) -> Reply:
    """Start a workflow."""
    wanted = call.read(schemas.StartWorkflow)
    encode = call.workflows.converter.encode
    signal = None
    if wanted.signal is not None:
        said = tuple(encode(wanted.signal.arguments))
        signal = StartSignal(name=wanted.signal.name, arguments=said)
    conflict = (wanted.id_conflict_policy or "unspecified").upper()
    workflow_id = wanted.workflow_id or _made_id(call.request_key)
    request = StartRequest(
        workflow_id=workflow_id,
        options=_options(call, wanted),
        reuse=WorkflowIDReusePolicy[wanted.id_reuse_policy.upper()],
        conflict=WorkflowIDConflictPolicy[conflict],
        signal=signal,
    )
    started = call.workflows.service.start(request, request_id=call.request_key)
    new = started.status is StartStatus.STARTED
    return Reply(
        data=schemas.StartedWorkflow(
            workflow_id=workflow_id,
            run_id=started.run_id,
            first_run_id=started.first_run_id,
            status="started" if new else "existing",
        ),
        status=201 if new else 200,
        location=f"/api/v1/workflows/{workflow_id}" if new else None,
    )


def _made_id(request_key: str | None) -> str:
    """Return an id for a workflow without one: the same for the same request."""
    if request_key is None:
        return uuid4().hex
    return hashlib.sha256(request_key.encode()).hexdigest()[:32]


def _options(call: Call, wanted: schemas.StartWorkflow) -> StartOptions:
    return StartOptions(
        workflow_type=wanted.type,
        task_queue=wanted.task_queue,
        arguments=call.workflows.converter.encode(wanted.arguments),
        execution_timeout_ms=wanted.execution_timeout_ms,
        run_timeout_ms=wanted.run_timeout_ms,
        task_timeout_ms=wanted.task_timeout_ms,
        retry_policy=_policy(wanted.retry_policy),
        cron_schedule=wanted.cron_schedule,
        memo=_fields(call, wanted.memo),
        search_attributes=_fields(call, wanted.search_attributes),
        priority=wanted.priority,
        delay_ms=wanted.start_delay_ms,
        identity=call.workflows.identity,
    )


def _fields(call: Call, values: Mapping[str, Any]) -> dict[str, Any]:
    encoded = call.workflows.converter.encode([*values.values()])
    return dict(zip(values, encoded, strict=True))


def _policy(given: schemas.RetryPolicyIn | None) -> dict[str, Any] | None:
    if given is None:
        return None
    longest = given.maximum_interval_ms
    return RetryPolicy(
        initial_interval=timedelta(milliseconds=given.initial_interval_ms),
        backoff_coefficient=given.backoff_coefficient,
        maximum_interval=timedelta(milliseconds=longest) if longest else None,
        maximum_attempts=given.maximum_attempts,
        non_retryable_error_types=given.non_retryable_error_types,
    ).to_json()


def list_workflows(call: Call) -> Reply:
    """List runs, newest first."""
    status = call.query["status"]
    page = call.workflows.service.list(
        status=RunStatus(status) if status else None,
        workflow_type=call.query["type"],
        workflow_id=call.query["workflowId"],
        limit=call.query["limit"],
        cursor=read_cursor(call.query["cursor"], scope=SCOPE),
    )
    shown = [workflow_views.summary(call.workflows.converter, run) for run in page.runs]
    return Reply(
        data=schemas.WorkflowList(workflows=shown),
        next_cursor=write_cursor(page.cursor, scope=SCOPE),
    )


def describe(call: Call) -> Reply:
    """Describe a run: its status, and what it waits for."""
    service = call.workflows.service
    found = service.describe(_ref(call))
    waits = service.why(found)
    return Reply(data=workflow_views.detail(call.workflows.converter, found, waits))


def history(call: Call) -> Reply:
    """Read a run's events; with waitMs, wait for the first of them."""
    ref, wait_s = _ref(call), call.query["waitMs"] / 1000
    with call.shared.waits.hold(wait_s):
        page = call.workflows.service.history(
            ref,
            start=call.query["startId"],
            limit=call.query["limit"],
            wait_s=wait_s,
        )
    return Reply(data=workflow_views.history(ref.workflow_id, page))


def result(call: Call) -> Reply:
    """Read how a workflow ended; with waitMs, wait for that."""
    ref, wait_s = _ref(call), call.query["waitMs"] / 1000
    service = call.workflows.service
    follow = call.query["follow"] == "true"
    with call.shared.waits.hold(wait_s):
        outcome = service.outcome(ref, follow=follow, timeout_s=wait_s)
    if outcome is not None:
        return Reply(data=workflow_views.result(call.workflows.converter, outcome))
    run = service.get(ref)
    view = schemas.ResultView(
        workflow_id=run.workflow_id, run_id=run.run_id, status="running"
    )
    return Reply(data=view)


def signal(call: Call) -> Reply:
    """Send a signal to an open run."""
    wanted = call.read(schemas.SignalIn)
    run_id = call.workflows.service.signal(
        _ref(call),
        wanted.name,
        call.workflows.converter.encode(wanted.arguments),
        request_id=call.request_key,
    )
    return _named(call, run_id, status=202)


def query(call: Call) -> Reply:
    """Ask a run; it sees every signal that was accepted before."""
    wanted = call.read(schemas.QueryWorkflow)
    wait_s = wanted.timeout_ms / 1000
    with call.shared.waits.hold(wait_s):
        found = call.workflows.service.query(
            _ref(call),
            wanted.name,
            call.workflows.converter.encode(wanted.arguments),
            reject=QueryRejectCondition[wanted.reject_condition.upper()],
            timeout_s=wait_s,
        )
    shown = workflow_views.value(call.workflows.converter, found)
    return Reply(data=schemas.QueryResult(result=shown))


def cancel(call: Call) -> Reply:
    """Ask a run to cancel; of a closed one nothing is asked."""
    wanted = call.read(schemas.CancelWorkflow)
    run_id = call.workflows.service.cancel(
        _ref(call), reason=wanted.reason, request_id=call.request_key
    )
    return _named(call, run_id, status=202)


def terminate(call: Call) -> Reply:
    """Close a run at once, whatever its workflow does."""
    wanted = call.read(schemas.TerminateWorkflow)
    run_id = call.workflows.service.terminate(
        _ref(call),
        reason=wanted.reason,
        details=call.workflows.converter.encode(wanted.details),
        request_id=call.request_key,
    )
    return _named(call, run_id, status=200)


def _ref(call: Call) -> RunRef:
    return RunRef(workflow_id=call.ids["workflowId"], run_id=call.query["runId"])


def _named(call: Call, run_id: str, *, status: int) -> Reply:
    name = schemas.RunName(workflow_id=call.ids["workflowId"], run_id=run_id)
    return Reply(data=name, status=status)
