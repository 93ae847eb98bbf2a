"""Histories of a real Temporal server, replayed and written anew.

The workflow is a mirror: it asks for what the history says it asked for.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.engine.mirror import Mirror, mirrored
from tests.unit.engine.real_histories import (
    RecordedLocals,
    entries,
    plain,
    real_chains,
    real_children,
    real_runs,
)
from workflows.engine.activation import Initialize
from workflows.engine.close import ClosingRun, close_by_command, close_timed_out
from workflows.engine.commands import ContinueAsNew
from workflows.engine.events import CLOSES, COMMANDS, EventType
from workflows.engine.history import (
    Event,
    decode_event,
    from_temporal_json,
    to_temporal_json,
)
from workflows.engine.markers import local_outcome
from workflows.engine.proto_json import timestamp_ms
from workflows.engine.replay import Replay
from workflows.engine.starting import child_start_event
from workflows.engine.workflow_tasks import TaskSplitter

Run = Mapping[str, Any]


def stored(run: Run) -> tuple[bytes, ...]:
    return from_temporal_json(run["history"])


@pytest.mark.parametrize("run", real_runs())
def test_it_comes_back_as_it_was(run: Run) -> None:
    back = to_temporal_json(stored(run))["events"]
    for ours, theirs in zip(back, run["history"]["events"], strict=True):
        said = {k: v for k, v in theirs.items() if k not in ("taskId", "eventTime")}
        assert ours.pop("eventTime").rstrip("Z")[:23] in theirs["eventTime"]
        assert ours == said


@pytest.mark.parametrize("run", real_runs())
def test_it_splits_into_its_completed_tasks(run: Run) -> None:
    numbered = [(n, decode_event(one)) for n, one in enumerate(stored(run), 1)]
    splitter = TaskSplitter()
    tasks = list(splitter.split(numbered))
    joined = [
        one for task in tasks for one in (*task.told, task.completed, *task.commands)
    ]
    assert joined + splitter.tail == numbered
    for task in tasks:
        assert task.started[1].type is EventType.WORKFLOW_TASK_STARTED


@pytest.mark.parametrize("run", real_runs())
def test_it_replays(run: Run) -> None:
    history = stored(run)
    replay, mirror = mirrored(history, run["runId"])
    replay.feed(history)
    assert replay.length == len(history)
    assert replay.closed is (decode_event(history[-1]).type in CLOSES)
    if mirror.tasks:
        assert isinstance(mirror.seen[0].jobs[0], Initialize)


def written_anew(run: Run) -> tuple[Replay, Mirror, list[Event], list[Event]]:
    """Run all completed tasks live; return the events made and those recorded."""
    history = stored(run)
    replay, mirror = mirrored(history, run["runId"])
    replay.feed(history[:1])
    made, recorded = [decode_event(history[0])], [decode_event(history[0])]
    for task in mirror.tasks:
        mirror.now = task
        decision = replay.task(
            entries(task), at=task.started[1].at, local=RecordedLocals(task)
        )
        made += map(decode_event, decision.events)
        recorded += [event for _, event in (*task.told, task.completed, *task.commands)]
    return replay, mirror, made, recorded


def is_smooth(run: Any) -> bool:
    """Return whether no workflow task failed: events then have the same ids."""
    events = run.values[0]["history"]["events"]
    kinds = [event["eventType"].removeprefix("EVENT_TYPE_") for event in events]
    failed = {"WORKFLOW_TASK_FAILED", "WORKFLOW_TASK_TIMED_OUT"}
    return "WORKFLOW_TASK_COMPLETED" in kinds and not failed & set(kinds)


def interesting(events: list[Event]) -> list[Event]:
    """Leave out workflow tasks, whose attempts differ, and the close."""
    return [
        event
        for event in events
        if not event.type.startswith("WORKFLOW_TASK_") and event.type not in CLOSES
    ]


@pytest.mark.parametrize("run", [run for run in real_runs() if is_smooth(run)])
def test_its_tasks_are_written_as_the_server_wrote_them(run: Run) -> None:
    _, _, made, recorded = written_anew(run)
    ours, theirs = interesting(made), interesting(recorded[1:])
    assert [e.type for e in ours] == [e.type for e in theirs]
    same_ids = [e.type for e in made] == [e.type for e in recorded[1:]][: len(made)]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.at == other.at or mine.type in COMMANDS
        if local_outcome(mine) is not None:  # its times are finer on the server
            assert local_outcome(mine) == local_outcome(other)
            continue
        left, right = plain(mine.attributes), plain(other.attributes)
        if not same_ids:
            left, right = without_ids(left), without_ids(right)
        assert left == right, mine.type
        assert mine.extra.get("userMetadata") == other.extra.get("userMetadata")


def without_ids(attributes: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in attributes.items() if not k.endswith("EventId")}


def closing_run(run: Run, replay: Replay) -> ClosingRun:
    first = decode_event(stored(run)[0])
    return ClosingRun(
        workflow_id=run["workflowId"],
        run_id=run["runId"],
        started=first.attributes,
        began_at=first.at,
        memo=replay.memo,
        search_attributes=replay.search_attributes,
    )


@pytest.mark.parametrize(
    ("run", "following"),
    [pytest.param(*pair, id=pair[0]["runId"]) for pair in real_chains()],
)
def test_the_run_that_follows_begins_as_on_the_server(run: Run, following: Run) -> None:
    history = stored(run)
    last = decode_event(history[-1])
    replay, mirror = mirrored(history, run["runId"])
    replay.feed(history)
    new, closing = following["runId"], closing_run(run, replay)
    if last.type is EventType.WORKFLOW_EXECUTION_TIMED_OUT:
        made = close_timed_out(closing, at=last.at, new_run_id=new)
    else:
        command = mirror.command(len(history), last)
        if isinstance(command, ContinueAsNew):  # its event does not say its policy
            policy = decode_event(stored(following)[0]).attributes.get("retryPolicy")
            command = replace(command, retry_policy=policy)
        completed = last.id_of("workflowTaskCompletedEventId")
        made = close_by_command(
            closing,
            command,  # type: ignore[arg-type]
            completed_id=completed,
            new_run_id=new,
            at=last.at,
        )
    assert plain(decode_event(made.event).attributes) == plain(last.attributes)
    assert made.next_run is not None
    begun = decode_event(stored(following)[0]).attributes
    ours = plain(made.next_run.attributes)
    theirs = plain(begun)
    for found in (ours, theirs):  # the server waits a second from one run to the next
        found.pop("firstWorkflowTaskBackoff", None)
    assert ours == theirs


@pytest.mark.parametrize(
    ("parent", "child"),
    [pytest.param(*pair, id=pair[1]["runId"]) for pair in real_children()],
)
def test_a_child_begins_as_on_the_server(parent: Run, child: Run) -> None:
    history = [decode_event(one) for one in stored(parent)]
    begun = decode_event(stored(child)[0])
    initiated_id = begun.id_of("parentInitiatedEventId")
    initiated = history[initiated_id - 1]
    made = child_start_event(
        initiated.attributes,
        history[0].attributes,
        parent_workflow_id=parent["workflowId"],
        parent_run_id=parent["runId"],
        initiated_id=initiated_id,
        run_id=child["runId"],
        at=begun.at,
        extra=initiated.extra,
    )
    ours, theirs = plain(made.attributes), plain(begun.attributes)
    assert abs(expiry(ours) - expiry(theirs)) < 100
    assert ours == theirs
    ours_extra = decode_event(made.event).extra.get("userMetadata")
    assert ours_extra == begun.extra.get("userMetadata")


def expiry(attributes: dict[str, Any]) -> int:
    text = attributes.pop("workflowExecutionExpirationTime", None)
    return timestamp_ms(text) if text else 0
