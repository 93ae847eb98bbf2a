"""What lies in an inbox."""

from typing import Any

import pytest

from workflows.engine import inbox
from workflows.engine.inbox import Entry, Run, Start, read_entry
from workflows.exceptions import InvalidArgumentError

START = Start(at=5, attempt=2, identity="w")
CHILD = Run(workflow_id="c", run_id="cr", workflow_type="Ship")
FAILURE = {"message": "no"}
RETRY = "RETRY_STATE_TIMEOUT"


def said(entry: Entry) -> dict[str, Any]:
    return read_entry(entry.data).attributes


def test_the_store_knows_signals_and_cancels_by_their_kind() -> None:
    assert inbox.signal("go").kind == "signal"
    assert inbox.cancel().kind == "cancel"
    assert inbox.timer_fired("1", 5).kind == "timer_fired"


def test_an_entry_has_only_what_was_given() -> None:
    assert said(inbox.signal("go")) == {"signalName": "go"}
    assert said(inbox.cancel()) == {}
    assert said(inbox.activity_completed(5, START, None)) == {
        "scheduledEventId": "5",
        "identity": "w",
    }


def test_a_signal_of_a_run_names_its_sender() -> None:
    sender = Run(workflow_id="a", run_id="ar")
    entry = inbox.signal("go", [{"data": "x"}], headers={"h": {}}, sender=sender)
    assert said(entry) == {
        "signalName": "go",
        "input": {"payloads": [{"data": "x"}]},
        "header": {"fields": {"h": {}}},
        "externalWorkflowExecution": {"workflowId": "a", "runId": "ar"},
    }


def test_an_activity_that_never_started_says_so_when_it_is_cancelled() -> None:
    entry = inbox.activity_cancelled(5)
    assert read_entry(entry.data).start is None
    (detail,) = said(entry)["details"]["payloads"]
    assert detail["data"] == "IkFDVElWSVRZX0lEX05PVF9TVEFSVEVEIg=="


def test_the_start_of_an_attempt_travels_with_its_end() -> None:
    entry = inbox.activity_failed(5, START, FAILURE, RETRY)
    assert read_entry(entry.data).start == START


@pytest.mark.parametrize(
    "entry",
    [
        inbox.child_started(5, CHILD),
        inbox.child_completed(5, CHILD, None),
        inbox.child_failed(5, CHILD, FAILURE, RETRY),
        inbox.child_cancelled(5, CHILD),
        inbox.child_timed_out(5, CHILD, RETRY),
        inbox.child_terminated(5, CHILD),
    ],
)
def test_word_of_a_child_names_its_run_and_the_event_that_asked(entry: Entry) -> None:
    found = said(entry)
    assert found["initiatedEventId"] == "5"
    assert found["workflowExecution"] == {"workflowId": "c", "runId": "cr"}
    assert found["workflowType"] == {"name": "Ship"}


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"type":"X","attributes":{}}'])
def test_what_is_no_entry_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidArgumentError, match="not an inbox entry"):
        read_entry(data)
