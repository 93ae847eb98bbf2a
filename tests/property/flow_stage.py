"""Plays a story on a real store: one worker in one thread, on a clock of its own.

Time passes only when nothing is left to do. So what a story comes to does not depend
on the order of the work within one moment, which is shuffled.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.chaos import flow_client
from tests.chaos.flows import QUEUE
from tests.clock import ManualClock
from tests.integration.workflow_world import SWEEP_MS, Life, Mode
from tests.property import flow_player
from tests.property.flow_player import Play
from tests.property.flow_script import Act, Story
from workflows.converter import DataConverter, payload_to_json
from workflows.engine import inbox
from workflows.engine.history import decode_event
from workflows.engine.starting import StartOptions, start_event
from workflows.runtime.effects import entry
from workflows.runtime.new_runs import new_run
from workflows.runtime.registration import Registry
from workflows.runtime.terminating import terminate
from workflows.store import (
    Claim,
    Commit,
    Exchanged,
    RunRecord,
    RunRef,
    RunStatus,
    Settlement,
    StartRun,
    Store,
)

REGISTRY = Registry([Play], [flow_player.work])
TOP = "top"
MOMENTS = 400  # of a story, before it counts as stuck
TURNS = 2000  # of one moment
NOTES = 20  # of a story: what clients say just before a commit
ACTS_SOON = 0.3  # how likely a client acts before the next job
IDLE_MS = 5000  # how long all may wait before everybody is told something


@dataclass(frozen=True)
class Told:
    """What a story came to.

    `result`: the statuses of the workflow's runs, and what its last one ended with.
    `heard`: which signals of clients it says that it heard; None: it does not say.
    `sent`: those that were accepted, in order.
    `histories`: of all runs, children too. `turns`: how many jobs were worked on.
    """

    result: tuple[list[str], Any]
    heard: list[int] | None
    sent: list[int]
    histories: Mapping[tuple[str, str], tuple[bytes, ...]]
    fsck: list[str]
    turns: int


class Busy:
    """A store where a client may get in between a task and its commit."""

    def __init__(self, store: Store, get_in: Callable[[], None]) -> None:
        self._store, self._get_in = store, get_in

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def exchange(
        self, settlements: Sequence[Settlement] = (), claim: Claim | None = None
    ) -> Exchanged:
        if any(isinstance(one, Commit) for one in settlements):
            self._get_in()
        return self._store.exchange(settlements, claim)


class Stage:
    """One story, in one store, worked on in one mode.

    `order` shuffles the work of each moment, and says when clients get in between.
    """

    def __init__(
        self,
        store: Store,
        clock: ManualClock,
        loop: asyncio.AbstractEventLoop,
        mode: Mode,
        order: Random,
    ) -> None:
        self._store, self._clock, self._order = store, clock, order
        busy: Any = Busy(store, self._note)
        self._life = Life(busy, loop, mode, REGISTRY)
        self._began = clock.now
        self._handed: list[tuple[int, str, str]] = []  # due, task token, result
        self._turns = self._signals = self._notes = 0
        self._sent: list[int] = []  # signals to the workflow itself

    def play(self, story: Story) -> Told:
        """Play it to its end."""
        flow_player.HANDED.clear()
        acts = [*story.acts]
        self._start(story)
        for _ in range(MOMENTS):
            self._work_until_quiet(acts)
            if not self._store.count_runs().get(RunStatus.RUNNING):
                return self._tell()
            following = self._next_moment(acts)
            if following is None:
                self._clock.advance(IDLE_MS)
                self._tell_everybody()
            else:
                self._clock.advance(following - self._clock.now)
        raise AssertionError(f"it never ends: {story}")

    def _work_until_quiet(self, acts: list[Act]) -> None:
        """Do all that is to do now; clients act somewhere in between."""
        order = self._order
        for _ in range(TURNS):
            self._complete_what_is_due()
            due = acts and self._began + acts[0].at <= self._clock.now
            if due and order.random() < ACTS_SOON:
                self._act(acts.pop(0))
            order.shuffle(self._life.granted)
            if self._life.turn():
                self._turns += 1
            elif not due and self._life.tick() != 0 and not self._life.turn():
                return
        raise AssertionError("there is always more to do at the same moment")

    def _next_moment(self, acts: list[Act]) -> int | None:
        """Return when something happens by itself; None: never."""
        now = self._clock.now
        times = [self._began + act.at for act in acts]
        times += [due for due, _, _ in self._handed]
        _, next_ms = self._store.promote_due()
        if next_ms is not None:
            times.append(now + next_ms)
        if not times:
            return None
        return min(now + SWEEP_MS, *times)  # a sweep each second, as of a worker

    # -- what happens ------------------------------------------------------------------

    def _start(self, story: Story) -> None:
        converter = DataConverter.default.payload_converter
        options = StartOptions(
            workflow_type="Play",
            task_queue=QUEUE,
            arguments=[payload_to_json(converter.to_payload(story.script))],
        )
        run_id = f"run-{TOP}"
        made = start_event(options, workflow_id=TOP, run_id=run_id, at=self._began)
        start = StartRun(run=new_run(made, workflow_id=TOP))
        self._store.start_run(start, request_id="start")

    def _act(self, act: Act) -> None:
        ref = RunRef(workflow_id=TOP)
        run = self._store.get_run(ref)
        assert run is not None
        if run.status is not RunStatus.RUNNING:
            return
        if act.what == "terminate":
            terminate(self._store, TOP, run.run_id, "told to", "client")
            return
        if act.what == "cancel":
            self._store.send_to_run(ref, entry(inbox.cancel()), request_id="cancel")
        else:
            self._tell_run(run)

    def _tell_everybody(self) -> None:
        """Let nobody wait for ever."""
        for run in self._runs():
            if run.status is RunStatus.RUNNING:
                self._tell_run(run)

    def _note(self) -> None:
        """Say something to the workflow, now and then."""
        if self._notes < NOTES and self._order.random() < ACTS_SOON:
            run = self._store.get_run(RunRef(workflow_id=TOP))
            if run is not None and run.status is RunStatus.RUNNING:
                self._notes += 1
                self._tell_run(run, "note")

    def _tell_run(self, run: RunRecord, name: str = "tell") -> None:
        """Send a run the next signal."""
        self._signals += 1
        converter = DataConverter.default.payload_converter
        number = payload_to_json(converter.to_payload(self._signals))
        said, request = inbox.signal(name, [number]), f"signal {self._signals}"
        ref = RunRef(workflow_id=run.workflow_id, run_id=run.run_id)
        self._store.send_to_run(ref, entry(said), request_id=request)
        if run.workflow_id == TOP:
            self._sent.append(self._signals)

    def _complete_what_is_due(self) -> None:
        while flow_player.HANDED:
            token, what = flow_player.HANDED.pop()
            due = self._clock.now + 1000 * what.seconds
            self._handed.append((due, token, f"{what.kind} {what.key}"))
        for each in [one for one in self._handed if one[0] <= self._clock.now]:
            self._handed.remove(each)
            flow_client.complete(self._store, each[1], each[2])

    # -- its end -----------------------------------------------------------------------

    def _runs(self) -> list[RunRecord]:
        page = self._store.list_runs(limit=1000)
        assert page.cursor is None
        return [*reversed(page.runs)]

    def _tell(self) -> Told:
        runs = self._runs()
        own = [run for run in runs if run.workflow_id == TOP]
        end, heard = self._end_of(own)
        return Told(
            result=(sorted(run.status.value for run in own), end),
            heard=heard,
            sent=self._sent,
            histories={
                (run.workflow_id, run.run_id): self._store.read_history(run.run_id)
                for run in runs
            },
            fsck=self._store.fsck(),
            turns=self._turns,
        )

    def _end_of(self, runs: list[RunRecord]) -> tuple[Any, list[int] | None]:
        """Return what the last run returned or failed with, and what it heard."""
        (last,) = (run for run in runs if run.next_run_id is None)
        event = decode_event(self._store.read_history(last.run_id)[-1])
        if last.status is RunStatus.FAILED:
            return event.attributes["failure"]["message"], None
        end, heard = flow_client.result_of(self._store, last) or (None, None)
        return end, heard
