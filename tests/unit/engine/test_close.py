"""What closing a run means."""

from typing import Any

import pytest

from workflows.engine import commands as c
from workflows.engine.close import (
    Closing,
    ClosingRun,
    close_by_command,
    close_terminated,
    close_timed_out,
)
from workflows.engine.cron import check_cron, next_cron_delay
from workflows.engine.history import decode_event
from workflows.engine.inbox import read_entry
from workflows.engine.proto_json import timestamp
from workflows.engine.starting import (
    NewRunEvent,
    StartOptions,
    child_start_event,
    start_event,
)
from workflows.exceptions import InvalidArgumentError

BEGAN, AT = 1_700_000_000_000, 1_700_000_010_000
PAYLOAD = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}
BROKEN = {"message": "broke", "applicationFailureInfo": {"type": "Broken"}}
RETRY = {"initialInterval": "0.100s", "maximumAttempts": 3}
PARENT = {
    "parentWorkflowExecution": {"workflowId": "p", "runId": "pr"},
    "parentInitiatedEventId": "5",
}


def begin(**options: Any) -> NewRunEvent:
    known = {"workflow_type": "Order", "task_queue": "orders", "arguments": [PAYLOAD]}
    return start_event(
        StartOptions(**{**known, **options}), workflow_id="w", run_id="r1", at=BEGAN
    )


def closing_run(more: dict[str, Any] | None = None, **options: Any) -> ClosingRun:
    return ClosingRun(
        workflow_id="w",
        run_id="r1",
        started={**begin(**options).attributes, **(more or {})},
        began_at=BEGAN,
        memo={"now": PAYLOAD},
        search_attributes={"city": PAYLOAD},
    )


def close(run: ClosingRun, command: c.TerminalCommand, at: int = AT) -> Closing:
    return close_by_command(run, command, completed_id=4, new_run_id="r2", at=at)


def said(closing: Closing) -> dict[str, Any]:
    return decode_event(closing.event).attributes


def following(closing: Closing) -> NewRunEvent:
    assert closing.next_run is not None
    return closing.next_run


def test_a_start_spells_out_the_servers_defaults() -> None:
    found = begin(run_timeout_ms=5000, retry_policy=RETRY, delay_ms=2000)
    assert found.attributes["workflowTaskTimeout"] == "5s"
    assert found.attributes["retryPolicy"]["maximumInterval"] == "10s"
    assert found.attributes["firstExecutionRunId"] == "r1"
    assert found.attributes["firstWorkflowTaskBackoff"] == "2s"
    assert found.deadline_at == BEGAN + 7000


def test_an_execution_timeout_bounds_the_run() -> None:
    found = begin(execution_timeout_ms=500)
    assert found.attributes["workflowRunTimeout"] == "0.500s"
    assert found.attributes["workflowExecutionExpirationTime"] == timestamp(BEGAN + 500)
    assert found.deadline_at == BEGAN + 500


def test_a_child_knows_its_parent_and_its_root() -> None:
    initiated = {
        "workflowId": "c",
        "workflowType": {"name": "Ship"},
        "taskQueue": {"name": "orders"},
        "workflowRunTimeout": "0s",
        "workflowTaskTimeout": "10s",
    }
    root = {"workflowId": "root", "runId": "rr"}
    found = child_start_event(
        initiated,
        {"rootWorkflowExecution": root},
        parent_workflow_id="p",
        parent_run_id="pr",
        initiated_id=5,
        run_id="cr",
        at=AT,
    ).attributes
    assert found["parentWorkflowExecution"] == {"workflowId": "p", "runId": "pr"}
    assert found["parentInitiatedEventId"] == "5"
    assert found["rootWorkflowExecution"] == root
    assert found["workflowRunTimeout"] == "0s"


def test_a_completed_run_tells_its_parent_its_result() -> None:
    closing = close(closing_run(PARENT), c.CompleteWorkflow(result=PAYLOAD))
    assert closing.status == "completed"
    assert said(closing) == {
        "result": {"payloads": [PAYLOAD]},
        "workflowTaskCompletedEventId": "4",
    }
    assert closing.outcome is not None
    entry = read_entry(closing.outcome.data)
    assert entry.type == "CHILD_WORKFLOW_EXECUTION_COMPLETED"
    assert entry.attributes["initiatedEventId"] == "5"
    assert entry.attributes["workflowExecution"] == {"workflowId": "w", "runId": "r1"}


def test_a_run_without_a_parent_tells_nobody() -> None:
    assert close(closing_run(), c.CancelWorkflow()).outcome is None


def test_a_failed_run_without_a_policy_is_not_retried() -> None:
    closing = close(closing_run(PARENT), c.FailWorkflow(failure=BROKEN))
    assert closing.next_run is None
    assert said(closing)["retryState"] == "RETRY_STATE_RETRY_POLICY_NOT_SET"
    assert closing.outcome is not None


def test_a_failed_run_is_retried_by_its_policy_and_its_parent_waits_on() -> None:
    run = closing_run(PARENT, retry_policy=RETRY)
    closing = close(run, c.FailWorkflow(failure=BROKEN))
    assert closing.outcome is None
    assert said(closing)["newExecutionRunId"] == "r2"
    assert said(closing)["retryState"] == "RETRY_STATE_IN_PROGRESS"
    again = following(closing)
    assert again.delay_ms == 100
    assert again.attributes["attempt"] == 2
    assert again.attributes["continuedFailure"] == BROKEN
    assert again.attributes["initiator"] == "CONTINUE_AS_NEW_INITIATOR_RETRY"
    assert again.attributes["continuedExecutionRunId"] == "r1"
    assert again.attributes["input"] == {"payloads": [PAYLOAD]}
    assert again.attributes["parentInitiatedEventId"] == "5"


def test_the_last_attempt_of_a_run_is_final() -> None:
    run = closing_run({"attempt": 3}, retry_policy=RETRY)
    closing = close(run, c.FailWorkflow(failure=BROKEN))
    assert closing.next_run is None
    assert said(closing)["retryState"] == "RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED"


def test_no_retry_begins_behind_the_execution_timeout() -> None:
    run = closing_run(retry_policy=RETRY, execution_timeout_ms=10_050)
    closing = close(run, c.FailWorkflow(failure=BROKEN))
    assert said(closing)["retryState"] == "RETRY_STATE_TIMEOUT"


def test_continue_as_new_inherits_what_it_does_not_say() -> None:
    run = closing_run(PARENT, execution_timeout_ms=60_000, retry_policy=RETRY)
    closing = close(run, c.ContinueAsNew(arguments=(), headers={"h": PAYLOAD}))
    assert closing.outcome is None
    found = following(closing).attributes
    assert "input" not in found
    assert found["memo"] == {"fields": {"now": PAYLOAD}}
    assert found["searchAttributes"] == {"indexedFields": {"city": PAYLOAD}}
    assert found["retryPolicy"]["maximumAttempts"] == 3
    assert found["workflowExecutionExpirationTime"] == timestamp(BEGAN + 60_000)
    assert found["parentInitiatedEventId"] == "5"
    assert found["firstExecutionRunId"] == "r1"
    assert found["originalExecutionRunId"] == "r2"
    assert found["attempt"] == 1


def test_continue_as_new_takes_what_it_says() -> None:
    ask = c.ContinueAsNew(
        arguments=(PAYLOAD,),
        workflow_type="Other",
        task_queue="others",
        run_timeout_ms=30_000,
        memo={},
        backoff_ms=1500,
    )
    closing = close(closing_run(), ask)
    found = following(closing)
    assert (found.workflow_type, found.task_queue) == ("Other", "others")
    assert found.delay_ms == 1500
    assert found.deadline_at == AT + 31_500
    assert "memo" not in found.attributes
    assert said(closing)["backoffStartInterval"] == "1.500s"


def test_a_run_timeout_is_retried_and_the_end_of_the_chain_is_not() -> None:
    run = closing_run(run_timeout_ms=10_000, retry_policy=RETRY)
    closing = close_timed_out(run, at=AT, new_run_id="r2")
    assert closing.next_run is not None
    whole = closing_run(PARENT, execution_timeout_ms=10_000, retry_policy=RETRY)
    closing = close_timed_out(whole, at=AT, new_run_id="r2")
    assert closing.next_run is None
    assert said(closing) == {"retryState": "RETRY_STATE_TIMEOUT"}
    assert closing.outcome is not None


def test_a_terminated_run_says_why_and_nothing_follows() -> None:
    run = closing_run(PARENT, retry_policy=RETRY, cron_schedule="@every 1h")
    closing = close_terminated(run, at=AT, reason="enough", identity="me")
    assert said(closing) == {"reason": "enough", "identity": "me"}
    assert closing.next_run is None
    assert closing.outcome is not None


def test_a_cron_run_is_followed_by_the_next_with_its_result() -> None:
    run = closing_run(cron_schedule="0 * * * *")
    closing = close(run, c.CompleteWorkflow(result=PAYLOAD))
    found = following(closing)
    assert (AT + found.delay_ms) % 3_600_000 == 0
    assert found.attributes["lastCompletionResult"] == {"payloads": [PAYLOAD]}
    assert found.attributes["initiator"] == "CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE"


def test_a_cancelled_cron_run_is_the_last() -> None:
    run = closing_run(cron_schedule="0 * * * *")
    assert close(run, c.CancelWorkflow()).next_run is None


def test_a_failed_cron_run_is_followed_by_the_next_with_its_failure() -> None:
    run = closing_run(
        {"lastCompletionResult": {"payloads": []}}, cron_schedule="@every 1h"
    )
    found = following(close(run, c.FailWorkflow(failure=BROKEN)))
    assert found.delay_ms == 3_590_000
    assert found.attributes["continuedFailure"] == BROKEN
    assert "lastCompletionResult" in found.attributes


def test_cron_leaves_out_the_slots_that_a_run_slept_through() -> None:
    assert next_cron_delay("@every 5s", began_at=0, at=12_000) == 3000
    assert next_cron_delay("CRON_TZ=Europe/Rome 0 0 * * *", began_at=0, at=0) == (
        23 * 3_600_000
    )


@pytest.mark.parametrize("schedule", ["@every x", "@every 5", "61 * * * *", "TZ=X * *"])
def test_what_is_no_cron_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(InvalidArgumentError):
        check_cron(schedule)
