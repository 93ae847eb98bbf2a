"""Code that no longer does what its history says."""

from collections.abc import Generator, Sequence

import pytest

from tests.unit.engine.story import Script, Story, activity, child, fresh
from workflows.engine import commands as c
from workflows.engine import inbox
from workflows.engine.activation import Activation, FireTimer, Signal
from workflows.engine.nondeterminism import NondeterminismError
from workflows.engine.replay import Replay

TIMER = c.StartTimer(seq=1, duration_ms=10_000)
DONE = c.CompleteWorkflow(result=None)


def mark(patch_id: str, *, deprecated: bool = False) -> c.SetPatchMarker:
    return c.SetPatchMarker(patch_id=patch_id, deprecated=deprecated)


def says(*steps: Sequence[c.Command]) -> Script:
    def script(_: Activation) -> Generator[Sequence[c.Command], Activation, None]:
        for step in steps:
            _ = yield step

    return script


def recorded(*steps: Sequence[c.Command]) -> list[bytes]:
    """Return the history of a run that said this, a signal before each further task."""
    story = Story(says(*steps))
    story.task()
    for _ in steps[1:]:
        story.task(inbox.signal("go"))
    return story.history


def replayed(history: Sequence[bytes], *steps: Sequence[c.Command]) -> Replay:
    replay, _ = fresh(says(*steps))
    replay.feed(history)
    return replay


@pytest.mark.parametrize(
    ("old", "new", "says_why"),
    [
        ([activity()], [TIMER], "another kind of command"),
        ([TIMER], [activity()], "another kind of command"),
        ([TIMER], [child()], "another kind of command"),
        ([activity()], [activity(activity_type="other")], "another activity type"),
        ([activity()], [activity(activity_id="x")], "another activity id"),
        ([child()], [child(workflow_id="other")], "another workflow id"),
        ([child()], [child(workflow_type="Other")], "another workflow type"),
        ([activity()], [], "the code asks for nothing here"),
        ([mark("a")], [], "the code asks for nothing here"),
        ([mark("a")], [mark("b")], "another patch id"),
        ([activity()], [DONE], "another kind of command"),
        ([], [DONE], "the code ends the run here and the history goes on"),
    ],
)
def test_a_change_that_replay_notices(
    old: Sequence[c.Command], new: Sequence[c.Command], says_why: str
) -> None:
    with pytest.raises(NondeterminismError, match=says_why):
        replayed(recorded(old), new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([TIMER], [c.StartTimer(seq=1, duration_ms=5)]),
        ([activity()], [activity(arguments=({"data": "new"},), task_queue="other")]),
        ([activity()], [mark("new"), activity()]),
        ([mark("a")], [mark("a", deprecated=True)]),
        ([mark("a", deprecated=True)], []),
        ([mark("a", deprecated=True), TIMER], [TIMER]),
        ([mark("a", deprecated=True), mark("b")], [mark("b")]),
        ([mark("a"), TIMER], [mark("a"), mark("b", deprecated=True), TIMER]),
    ],
)
def test_a_change_that_replay_allows(
    old: Sequence[c.Command], new: Sequence[c.Command]
) -> None:
    replay = replayed(recorded(old), new)
    assert (replay.length, replay.closed) == (len(recorded(old)), False)


def test_a_command_may_come_in_an_earlier_task_than_it_did() -> None:
    history = recorded([activity(1)], [activity(2)])
    replay = replayed(history, [activity(1), activity(2)], [])
    assert sorted(replay.pending.by_event) == [5, 10]


def test_a_command_that_no_task_recorded_is_written_by_the_next() -> None:
    replay, _ = fresh(says([TIMER, activity()], []))
    replay.feed(recorded([TIMER]))
    story = Story(says())
    story.history, story.replay = recorded([TIMER]), replay
    decision = story.task(inbox.signal("go"), check=False)
    assert [one.command for one in decision.issued] == [activity()]


def test_the_error_says_where_and_what_and_shows_the_events_around() -> None:
    history = recorded([activity(), TIMER], [activity(2)])
    with pytest.raises(NondeterminismError) as caught:
        replayed(history, [activity(), child()], [])
    error = caught.value
    assert error.event_id == 6
    assert error.site == "orders.py:41 in run"
    assert error.recorded == "TIMER_STARTED (timer '1', after '10s')"
    assert error.attempted.startswith("START_CHILD_WORKFLOW_EXECUTION_INITIATED Ship")
    text = str(error)
    assert "Nondeterminism in Order/order-1 at event 6 (orders.py:41 in run)" in text
    (marked,) = [line for line in error.around if line.startswith(">")]
    assert "6 2023-11-14T22:13:21Z TIMER_STARTED" in marked
    assert len(error.around) == 7


def test_an_event_about_something_that_was_never_asked_for_is_noticed() -> None:
    story = Story(says([TIMER], []))
    story.task()
    story.task(inbox.timer_fired("1", 5))
    with pytest.raises(NondeterminismError, match="event 5"):
        replayed(story.history, [], [])


def test_a_task_is_told_the_same_in_replay_as_when_it_was_new() -> None:
    story = Story(says([TIMER], [], []))
    story.task()
    story.task(inbox.timer_fired("1", 5), inbox.signal("go"))
    _, fake = fresh(story.script)
    replay = Replay("order-1", "run-1", lambda _: fake)
    replay.feed(story.history)
    assert fake.seen[1].jobs == (Signal(name="go", arguments=()), FireTimer(seq=1))
    assert fake.seen[1].replaying
