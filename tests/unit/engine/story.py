"""A run told step by step: a scripted workflow, its Replay and the history so far.

Every task writes its inbox as readers were shown it. After every task the whole history
is replayed by a fresh instance, which must see the same activations and give the same
commands.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from workflows.engine import commands as c
from workflows.engine import flags
from workflows.engine.activation import (
    Activation,
    ActivationJob,
    Initialize,
    NotifyPatch,
    Query,
)
from workflows.engine.decision import Decision
from workflows.engine.draining import drained
from workflows.engine.events import EventType
from workflows.engine.history import Event, decode_event, encode_event
from workflows.engine.inbox import Entry
from workflows.engine.limits import Limits
from workflows.engine.local_activities import LocalActivities
from workflows.engine.replay import Replay

Script = Callable[[Activation], Generator[Sequence[c.Command], Activation, None]]
START = 1_700_000_000_000
NO_LIMITS = Limits()


@dataclass
class Fake:
    """A WorkflowInstance that does what a generator says."""

    script: Script
    seen: list[Activation] = field(default_factory=list)
    said: list[Sequence[c.Command]] = field(default_factory=list)
    evicted: bool = False
    _steps: Generator[Sequence[c.Command], Activation, None] | None = None

    def activate(self, activation: Activation) -> Sequence[c.Command]:
        job = activation.jobs[0]
        if isinstance(job, Query):
            return [c.QueryResult(query_id=job.query_id, result={"data": "answer"})]
        self.seen.append(activation)
        try:
            if self._steps is None:
                self._steps = self.script(activation)
                said = next(self._steps)
            else:
                said = self._steps.send(activation)
        except StopIteration:
            said = []
        self.said.append(said)
        return said

    def await_site(self) -> str:
        return "orders.py:41 in run"

    def evict(self) -> None:
        self.evicted = True


@dataclass(frozen=True)
class Item:
    seq: int
    at: int
    data: bytes


def started(**attributes: Any) -> bytes:
    known = {
        "workflowType": {"name": "Order"},
        "taskQueue": {"name": "orders", "kind": "TASK_QUEUE_KIND_NORMAL"},
        "originalExecutionRunId": "run-1",
        "workflowTaskTimeout": "10s",
        "attempt": 1,
    }
    event = EventType.WORKFLOW_EXECUTION_STARTED
    return encode_event(Event(event, START, {**known, **attributes}))


def fresh(script: Script, limits: Limits = NO_LIMITS) -> tuple[Replay, Fake]:
    fake = Fake(script)

    def new_instance(job: Initialize) -> Fake:
        assert job.run_id == "run-1"
        return fake

    return Replay("order-1", "run-1", new_instance, limits), fake


def without_replay_marks(activations: Iterable[Activation]) -> list[Activation]:
    """Make a replayed activation look like the first one."""
    plain = []
    for one in activations:
        jobs = tuple(j for j in one.jobs if not isinstance(j, NotifyPatch))
        if jobs:
            plain.append(replace(one, replaying=False, jobs=jobs))
    return plain


class Story:
    """A run. `at` moves on by a second a task."""

    def __init__(
        self, script: Script, *, limits: Limits = NO_LIMITS, **attributes: Any
    ) -> None:
        self.script, self.limits = script, limits
        self.history: list[bytes] = [started(**attributes)]
        self.bounds: list[int] = []
        self.replay, self.fake = fresh(script, limits)
        self.replay.feed(self.history)
        self.at, self.seq = START, 0

    def task(
        self, *entries: Entry, local: LocalActivities | None = None, check: bool = True
    ) -> Decision:
        """Run a workflow task on these entries."""
        self.at += 1000
        items = []
        for entry in entries:
            self.seq += 1
            items.append(Item(self.seq, self.at - 10, entry.data))
        shown = drained(items, self.history, len(self.history))
        decision = self.replay.task(
            items, at=self.at, identity="w1", rules=flags.CURRENT, local=local
        )
        assert decision.events[: len(shown)] == shown, "readers were shown others"
        self.history += decision.events
        self.bounds.append(len(self.history))
        if check and decision.terminal is None:
            self.check_replay()
        return decision

    def check_replay(self) -> None:
        replay, fake = fresh(self.script, self.limits)
        replay.feed(self.history)
        assert without_replay_marks(fake.seen) == without_replay_marks(self.fake.seen)
        assert fake.said == self.fake.said
        assert (replay.length, replay.size) == (self.replay.length, self.replay.size)
        assert replay.pending.by_event.keys() == self.replay.pending.by_event.keys()

    @property
    def events(self) -> list[Event]:
        return [decode_event(one) for one in self.history]

    @property
    def types(self) -> list[str]:
        return [event.type.value for event in self.events]

    @property
    def commands(self) -> list[str]:
        """Types of all events but those of workflow tasks and the start."""
        return [
            kind for kind in self.types[1:] if not kind.startswith("WORKFLOW_TASK_")
        ]

    def id_of(self, kind: str) -> int:
        """Return the id of the newest event of a type."""
        return len(self.types) - self.types[::-1].index(kind)

    @property
    def jobs(self) -> list[tuple[ActivationJob, ...]]:
        """The jobs of each activation so far."""
        return [one.jobs for one in self.fake.seen]

    def last_jobs(self) -> tuple[ActivationJob, ...]:
        return self.fake.seen[-1].jobs


def activity(seq: int = 1, **options: Any) -> c.ScheduleActivity:
    known: dict[str, Any] = {
        "activity_id": str(seq),
        "activity_type": "charge",
        "task_queue": "orders",
        "arguments": (),
        "start_to_close_ms": 30_000,
    }
    return c.ScheduleActivity(seq=seq, **{**known, **options})


def child(seq: int = 1, **options: Any) -> c.StartChild:
    known: dict[str, Any] = {
        "workflow_id": "child-1",
        "workflow_type": "Ship",
        "task_queue": "orders",
        "arguments": (),
    }
    return c.StartChild(seq=seq, **{**known, **options})


def local_activity(seq: int = 1, **options: Any) -> c.ScheduleLocalActivity:
    known: dict[str, Any] = {
        "activity_id": str(seq),
        "activity_type": "look_up",
        "arguments": (),
    }
    return c.ScheduleLocalActivity(seq=seq, **{**known, **options})
