"""What the comparison hides, and what it must never hide."""

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.parity.temporal.accepted import ACCEPTED, unexpected
from tests.parity.temporal.compare import differences
from tests.parity.temporal.normalise import normalise_runs
from tests.parity.temporal.outcome import describe_error

GOLDEN = Path(__file__).with_name("golden")
ONE, TWO = f"{1:08x}-0000-4000-8000-{1:012x}", f"{2:08x}-0000-4000-8000-{2:012x}"


def payload(value: Any) -> dict[str, Any]:
    return {
        "metadata": {"encoding": encode("json/plain")},
        "data": encode(json.dumps(value)),
    }


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def run(run_id: str, task_events: int = 1, **attributes: Any) -> dict[str, Any]:
    """Make a raw run: started, some events of workflow tasks, scheduled, started."""
    middle = [
        {"eventType": "EVENT_TYPE_WORKFLOW_TASK_SCHEDULED"} for _ in range(task_events)
    ]
    scheduled = str(task_events + 2)
    events: list[dict[str, Any]] = [
        {"eventType": "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED", "a": {"id": run_id}},
        *middle,
        {"eventType": "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED", "a": attributes},
        {
            "eventType": "EVENT_TYPE_ACTIVITY_TASK_STARTED",
            "a": {"scheduledEventId": scheduled},
        },
    ]
    for number, event in enumerate(events, start=1):
        event |= {"eventId": str(number), "eventTime": f"at {run_id}", "taskId": "9"}
    return {
        "workflowId": "w",
        "runId": run_id,
        "status": "COMPLETED",
        "history": {"events": events},
    }


def test_ids_times_and_the_grouping_of_workflow_tasks_are_hidden() -> None:
    left = normalise_runs([run(ONE, task_events=1, identity="me")])
    right = normalise_runs([run(TWO, task_events=5, identity="you")])
    assert left == right
    assert left[0]["events"][2]["a"] == {"scheduledEventId": 2}


def test_which_ids_are_the_same_is_compared() -> None:
    same = normalise_runs([run(ONE, runId=ONE)])
    other = normalise_runs([run(ONE, runId=TWO)])
    assert differences(same, other) == [
        '[1].events[2 ACTIVITY_TASK_SCHEDULED].a.runId: "<id 2>", Temporal has "<id 1>"'
    ]


def test_an_event_of_another_run_is_numbered_as_there() -> None:
    parent = run(ONE, task_events=3)
    child = run(
        TWO,
        parentInitiatedEventId="5",
        parentWorkflowExecution={"workflowId": "w", "runId": ONE},
    )
    attributes = normalise_runs([parent, child])[1]["events"][1]["a"]
    assert attributes["parentInitiatedEventId"] == 2


def test_payloads_are_read_and_users_data_is_never_left_out() -> None:
    found = normalise_runs([run(ONE, input=payload({"identity": 1, "eventId": 2}))])
    assert found[0]["events"][1]["a"]["input"] == {
        "payload": {"encoding": "json/plain"},
        "data": {"identity": 1, "eventId": 2},
    }


def test_another_order_of_events_is_shown_as_a_list_and_hides_attributes() -> None:
    golden = {"events": [{"eventType": "EVENT_TYPE_A"}, {"eventType": "EVENT_TYPE_B"}]}
    seen = {"events": [{"eventType": "EVENT_TYPE_B", "more": 1}]}
    assert differences(golden, seen) == [
        "events: other events (- Temporal, + here)",
        "    - A",
        "      B",
    ]


@pytest.mark.parametrize("name", ["sequential_activities", "child_fails"])
def test_any_change_of_a_golden_file_is_a_difference(name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    places = list(leaves(golden))
    assert len(places) > 40
    for place in places:
        changed = copy.deepcopy(golden)
        holder = changed
        for step in place[:-1]:
            holder = holder[step]
        del holder[place[-1]]
        assert differences(golden, changed), place


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Any:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from leaves(item, (*place, key))
    elif place:
        yield place


def test_an_int_is_no_bool_and_a_missing_item_is_counted() -> None:
    assert differences([1, 2], [True]) == [
        ": 1 items, Temporal has 2",
        "[1]: true, Temporal has 1",
    ]


def test_an_accepted_difference_must_still_be_one() -> None:
    name = "continue_as_new_with_pending_signal"
    assert unexpected(name, ["runs[1].status: x", "    - A"]) == []
    assert unexpected(name, ["outcomes.main: x", "runs[1].status: x"]) == [
        "outcomes.main: x"
    ]
    assert "differs no longer" in unexpected(name, [])[0]
    assert set(ACCEPTED) >= {name, "activity_that_no_worker_knows"}
    left = unexpected("activity_that_no_worker_knows", ["runs[1].status: x"])
    assert [line.partition(":")[0] for line in left] == ["outcomes.main"]
    assert unexpected("another", ["runs: x"]) == ["runs: x"]


def test_failures_are_described_with_their_causes() -> None:
    error = RuntimeError("outer")
    error.__cause__ = KeyError("inner")
    assert describe_error(error) == {
        "error": "RuntimeError",
        "message": "outer",
        "cause": {"error": "KeyError", "message": "'inner'"},
    }
