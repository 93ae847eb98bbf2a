"""However a history is cut into pieces, a workflow is told the same and says the same.

A workflow of arbitrary moves runs live; its history is then fed to fresh instances in
arbitrary pieces, and other instances take over from it after each of its tasks. The
histories that Temporal's server recorded are cut before each of their tasks.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.cuts import Recorded
from tests.unit.engine.real_histories import plain
from tests.unit.engine.story import (
    START,
    Item,
    Script,
    Story,
    activity,
    child,
    fresh,
    local_activity,
    without_replay_marks,
)
from tests.unit.workflow.recorded_programs import OTHERS, RAW, recorded_runs
from workflows.engine import commands as c
from workflows.engine import inbox
from workflows.engine.activation import Activation, Cancelled, Completed
from workflows.engine.decision import Decision
from workflows.engine.events import CLOSES, COMMANDS
from workflows.engine.failure_json import cancelled_failure
from workflows.engine.history import Event, decode_event, from_temporal_json
from workflows.engine.inbox import Entry, Run
from workflows.engine.local_activities import LocalOutcome
from workflows.engine.machines import Activity, Child, ExternalCancel, Machine, Timer
from workflows.engine.markers import local_outcome
from workflows.engine.replay import Replay

KINDS = tuple(c.CancellationType)
MOVES = (
    *("timer", "activity", "child", "signal", "cancel", "local", "patch", "memo"),
    *("cancel timer", "cancel activity", "cancel child", "cancel local", "cancel sig"),
)
Move = tuple[str, int]
moves = st.lists(
    st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 5)), max_size=5),
    min_size=1,
    max_size=10,
)
PAYLOAD = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}


class Mover:
    """Makes commands of moves: a number says which of those begun is meant."""

    def __init__(self) -> None:
        self.begun: dict[str, int] = {}

    def commands(self, step: Sequence[Move]) -> list[c.Command]:
        found = (self._command(kind, number) for kind, number in step)
        return [command for command in found if command is not None]

    def _seq(self, kind: str) -> int:
        self.begun[kind] = self.begun.get(kind, 0) + 1
        return self.begun[kind]

    def _command(self, kind: str, number: int) -> c.Command | None:
        if kind.startswith("cancel "):
            return self._cancel(kind.removeprefix("cancel "), number)
        how = KINDS[number % len(KINDS)]
        match kind:
            case "timer":
                return c.StartTimer(seq=self._seq("timer"), duration_ms=number)
            case "activity":
                return activity(self._seq("activity"), cancellation_type=how)
            case "child":
                seq = self._seq("child")
                return child(seq, workflow_id=f"c{seq}", cancellation_type=how)
            case "local":
                return local_activity(self._seq("local"), cancellation_type=how)
            case "signal":
                seq = self._seq("sig")
                return c.SignalExternal(
                    seq=seq, name="s", arguments=(), workflow_id="o"
                )
            case "cancel":
                return c.CancelExternal(seq=self._seq("external"), workflow_id="o")
            case "patch":
                return c.SetPatchMarker(patch_id=f"p{number}", deprecated=number == 5)
            case _:
                return c.UpsertMemo(fields={f"m{number}": PAYLOAD})

    def _cancel(self, kind: str, number: int) -> c.Command | None:
        seq = number + 1
        if seq > self.begun.get(kind, 0):
            return None
        match kind:
            case "timer":
                return c.CancelTimer(seq=seq)
            case "activity":
                return c.CancelActivity(seq=seq)
            case "local":
                return c.CancelActivity(seq=seq, local=True)
            case "child":
                return c.CancelChild(seq=seq, reason="r")
            case _:
                return c.CancelSignal(seq=seq)


def script_of(steps: Sequence[Sequence[Move]]) -> Script:
    def script(_: Activation) -> Generator[Sequence[c.Command], Activation, None]:
        mover = Mover()
        for step in steps:
            _ = yield mover.commands(step)

    return script


@dataclass
class Locals:
    """Ends local activities at once, in an order of its own."""

    turn: int

    def __post_init__(self) -> None:
        self.running: list[int] = []
        self.at = START

    def start(self, command: c.ScheduleLocalActivity, at: int) -> None:
        self.running.append(command.seq)
        self.at = max(self.at, at)

    def cancel(self, seq: int) -> None:
        """Take no notice: it ends all the same."""

    def wait(self) -> Sequence[LocalOutcome]:
        self.turn, self.at = self.turn + 1, self.at + 1
        seq = self.running.pop(self.turn % len(self.running))
        bare = Cancelled(failure=cancelled_failure(message="c"))
        end = bare if self.turn % 3 == 0 else Completed(result=PAYLOAD)
        return [LocalOutcome(seq=seq, resolution=end, at=self.at)]


def entry_about(event_id: int, one: Machine, choice: int) -> Entry:
    """Return something that may happen to what a run waits for."""
    start = inbox.Start(at=START, attempt=choice + 1, identity="w2")
    failure = {"message": "f", "applicationFailureInfo": {}}
    if isinstance(one, Timer):
        return inbox.timer_fired(str(one.seq), event_id)
    if isinstance(one, Activity):
        return (
            inbox.activity_completed(event_id, start, PAYLOAD),
            inbox.activity_failed(event_id, start, failure, "RETRY_STATE_TIMEOUT"),
            inbox.activity_cancelled(event_id),
            inbox.activity_timed_out(event_id, None, failure, "RETRY_STATE_TIMEOUT"),
        )[choice % 4]
    if isinstance(one, Child):
        run = Run(workflow_id=f"c{one.seq}", run_id="cr", workflow_type="Ship")
        if not one.started_id:
            makes: Any = (inbox.child_started, inbox.child_start_failed)
            made: Entry = makes[choice % 2](event_id, run)
            return made
        return inbox.child_completed(event_id, run, PAYLOAD)
    other = Run(workflow_id="o")
    if isinstance(one, ExternalCancel):
        return inbox.external_cancel_requested(event_id, other)
    return inbox.external_signalled(event_id, other)


def entries(replay: Replay, choices: Sequence[int]) -> list[Entry]:
    """Choose what comes into the inbox; a number may mean the same twice."""
    waits = sorted(replay.pending.by_event.items())
    found = [inbox.signal("s")]
    for choice in choices:
        if waits:
            event_id, one = waits[choice % len(waits)]
            found.append(entry_about(event_id, one, choice))
    return found


turns = st.lists(st.lists(st.integers(0, 20), max_size=4), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(steps=moves, turns=turns, cuts=st.sets(st.integers(0, 6)))
def test_a_history_in_pieces_tells_and_says_the_same(
    steps: list[list[Move]], turns: list[list[int]], cuts: set[int]
) -> None:
    story = Story(script_of(steps))
    story.task(local=Locals(0), check=False)
    tasks: list[tuple[int, list[Entry]]] = []
    decisions: list[Decision] = []
    for turn, choices in enumerate(turns):
        come = entries(story.replay, choices)
        tasks.append((story.replay.length, come))
        decisions.append(story.task(*come, local=Locals(turn), check=False))
    whole, seen = fresh(story.script)
    whole.feed(story.history)
    assert without_replay_marks(seen.seen) == without_replay_marks(story.fake.seen)
    assert seen.said == story.fake.said

    pieces, heard = fresh(story.script)
    bounds = [0, *(story.bounds[n] for n in sorted(cuts) if n < len(story.bounds))]
    for begin, end in zip(bounds, [*bounds[1:], len(story.history)], strict=True):
        pieces.feed(story.history[begin:end])
    assert heard.seen == seen.seen
    assert heard.said == seen.said
    assert state(pieces) == state(whole) == state(story.replay)

    for turn, ((length, come), decision) in enumerate(
        zip(tasks, decisions, strict=True)
    ):
        other, _ = fresh(story.script)
        other.feed(story.history[:length])
        assert taken_over(other, come, decision, turn).events == decision.events


def taken_over(
    replay: Replay, come: Sequence[Entry], decision: Decision, turn: int
) -> Decision:
    """Run a task again on an instance that was rebuilt from the history."""
    first = decision.taken - len(come)
    items = [
        Item(first + n, decision.at - 10, one.data) for n, one in enumerate(come, 1)
    ]
    return replay.task(items, at=decision.at, identity="w1", local=Locals(turn))


def state(replay: Replay) -> tuple[Any, ...]:
    return (
        replay.length,
        replay.size,
        {n: (type(m), m.seq, m.resolved) for n, m in replay.pending.by_event.items()},
        replay.memo,
        replay.search_attributes,
    )


def test_the_moves_reach_every_kind_of_command() -> None:
    """The property above would prove little if its workflows did little."""
    steps = [[(kind, 0) for kind in MOVES if not kind.startswith("cancel ")], []]
    story = Story(script_of(steps))
    story.task(local=Locals(0))
    kinds = {decode_event(one).type for one in story.history}
    assert len(kinds) == 12


# -- what Temporal recorded ------------------------------------------------------------

SERVER_FILLED = frozenset({"workflowRunTimeout", "workflowTaskTimeout"})  # of children


@pytest.mark.parametrize("path", RAW, ids=lambda path: path.stem)
def test_a_recorded_history_cut_before_any_task_says_the_same(path: Path) -> None:
    if path.stem in OTHERS:
        pytest.skip(OTHERS[path.stem])
    for run, new in recorded_runs(path):
        history = from_temporal_json(run["history"])
        first = decode_event(history[0]).attributes
        ids = first["workflowId"], first["originalExecutionRunId"]
        recorded = Recorded(*ids, history, new)
        recorded.fed_in_pieces().evict()
        for task, decision in recorded.told_again():
            events = [decode_event(one) for one in decision.events]
            again = [said(one) for one in events if one.type in COMMANDS]
            assert again == [
                said(one) for _, one in task.commands if one.type not in CLOSES
            ]


def said(event: Event) -> tuple[Any, ...]:
    """What a command's event says, but for numbers of events and a server's doing."""
    outcome = local_outcome(event)
    if outcome is not None:
        return event.type, outcome
    attributes = {
        name: value
        for name, value in plain(event.attributes).items()
        if not name.endswith("EventId") and name not in SERVER_FILLED
    }
    return event.type, attributes, event.extra.get("userMetadata")
