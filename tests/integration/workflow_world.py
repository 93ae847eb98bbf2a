"""A worker in one thread, that dies at any write it is told to die at.

`Life` does what the threads of a worker do, one act after the other, on a real store
with a clock of its own. Dying is a BaseException out of a write of the store,
before or after it is applied; the next life opens the store anew.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.chaos import flow_checker, flow_client, flows
from tests.chaos.checker import Finding
from tests.chaos.flows import QUEUE, Plan
from tests.chaos.ledger import Line
from tests.chaos.more_flows import MORE_ACTIVITIES, MORE_WORKFLOWS
from tests.clock import ManualClock
from workflows.converter import DataConverter
from workflows.runtime.ids import new_id, new_run_id
from workflows.runtime.lease import MS, Lease, boot_ns
from workflows.runtime.registration import Registry, WorkerParts, make_worker
from workflows.runtime.run_upkeep import RunUpkeep
from workflows.runtime.workflow_worker import WorkerOptions
from workflows.store import (
    Claim,
    JobKind,
    LeasedJob,
    QueueClaim,
    RunStatus,
    Store,
)

LEASE_MS = 5_000
SWEEP_MS = 1_000
PATIENCE = 6  # turns before a client cancels
TURNS = 600  # of a world, before it counts as stuck
WRITES = frozenset(
    {
        *("start_run", "send_to_run", "close_run", "exchange", "beat", "enqueue"),
        *("renew", "sweep", "promote_due", "expire_due", "prune_runs"),
    }
)
ALL = Registry(
    [*flows.WORKFLOWS, *MORE_WORKFLOWS], [*flows.ACTIVITIES, *MORE_ACTIVITIES]
)
CANCELLED = frozenset({"Cleaning"})  # the client cancels these
When = Literal["before", "after"]


class Death(BaseException):
    """The process is gone."""


@dataclass(slots=True)
class Point:
    """Where to die: around the n-th write (from 1). `writes`: those called so far.

    `again`: die once more, before the so-manieth write after that; 0: not.
    """

    number: int = 0
    when: When = "before"
    again: int = 0
    writes: list[str] = field(default_factory=list)
    died: bool = False

    def reached(self, when: When) -> bool:
        """Whether this is the moment."""
        here = len(self.writes) == self.number and when == self.when
        self.died = self.died or here
        if here or not self.again or when != "before":
            return here
        return len(self.writes) == self.number + self.again


class Mortal:
    """A store whose writes may be the last that its process does."""

    def __init__(self, store: Store, point: Point) -> None:
        self._store = store
        self._point = point

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in WRITES:
            return method

        def write(*args: Any, **kwargs: Any) -> Any:
            self._point.writes.append(_describe(name, args))
            if self._point.reached("before"):
                raise Death
            answer = method(*args, **kwargs)
            if self._point.reached("after"):
                raise Death
            return answer

        return write


def _describe(name: str, args: Sequence[Any]) -> str:
    """Return the name of a write; of an exchange, with what it settles or claims."""
    if name != "exchange":
        return name
    settled = sorted({type(each).__name__ for each in args[0]})
    claims = ["claim"] if len(args) > 1 and args[1] is not None else []
    return f"exchange {'+'.join([*settled, *claims])}"


class Lines(list[Line]):
    """A journal in memory; times are places in it."""

    def add(self, **line: Any) -> None:
        """Keep a line."""
        self.append({**line, "at": len(self)})


@contextmanager
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run a loop for async activities."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@dataclass(frozen=True, slots=True)
class Mode:
    """How a worker works."""

    inline: bool = True
    cached: int = 1000

    def __str__(self) -> str:
        return f"{'inline' if self.inline else 'apart'}-cache{self.cached}"


class Life:
    """One worker process, from its start to its death.

    `granted`: what it claimed and has not worked on, in the order in which it will.
    """

    def __init__(
        self,
        store: Store,
        loop: asyncio.AbstractEventLoop,
        mode: Mode,
        registry: Registry | None = None,
        queue: str = QUEUE,
    ) -> None:
        self._store, self._queue = store, queue
        registry = registry or ALL
        self._worker = make_worker(
            WorkerParts(
                store=store,
                namespace="default",
                data_converter=DataConverter.default,
                registry=registry,
                identity="life",
                cached=mode.cached,
                loop=loop,
                options=WorkerOptions(
                    task_queue=queue,
                    workflow_types=tuple(registry.workflows),
                    activities=registry.activities,
                    lease_ms=LEASE_MS,
                    inline=mode.inline,
                ),
            )
        )
        self._upkeep = RunUpkeep(store, new_run_id, "life")
        process = self._worker._process
        self._pools = list(process.pools)
        self._types = tuple(
            each for pool in self._pools for each in pool._options.types.get(queue, ())
        )
        self.granted: deque[LeasedJob] = deque()

    def turn(self) -> bool:
        """Work on one job, claiming two if none is left; whether there was one."""
        if not self.granted:
            claim = Claim(
                id=new_id(),
                owner="life",
                queues=(QueueClaim(self._queue, self._types, 2),),
                slots=2,
                lease_ms=LEASE_MS,
            )
            self.granted.extend(self._store.exchange((), claim).jobs)
        if not self.granted:
            return False
        self._work_on(self.granted.popleft())
        for pool in self._pools:
            pool.flush()
        return True

    def _work_on(self, job: LeasedJob) -> None:
        worker, now = self._worker, boot_ns()
        lease = Lease(job, ends_ns=now + LEASE_MS * MS, granted_ns=now)
        lease.started = True
        worker._process.hold(lease)
        if job.kind is JobKind.ACTIVITY:
            ended = worker._attempt(lease, now=self._store.now)
            self._pools[1].end(lease, ended)
        else:
            worker._work_on(lease)

    def tick(self) -> int | None:
        """Do what is due by the clock; return in how many ms more is, if known."""
        count, next_ms = self._store.promote_due()
        swept = self._store.sweep(interval_ms=SWEEP_MS)
        self._upkeep.settle_lost(swept)
        self._upkeep.end_overdue()
        self._worker._parent_close.step()
        return 0 if count or swept else next_ms


@dataclass(frozen=True, slots=True)
class Told:
    """How a world ended: what was broken, and which writes were called."""

    findings: list[Finding]
    writes: list[str]
    died: bool
    story: str


class World:
    """One workflow in one store, and all that happens to it.

    `open_at` opens the same data again, for each life.
    """

    def __init__(
        self,
        kind: str,
        open_at: Callable[[ManualClock], Store],
        loop: asyncio.AbstractEventLoop,
        mode: Mode,
    ) -> None:
        self.kind, self.flow = kind, f"flow-{kind}"
        signals = 3 if kind in flows.LISTENING else 0
        size = 2 if kind == "Children" else 3
        self.plan = Plan(size=size, signals=signals)
        self.clock = ManualClock()
        self._open = open_at
        self._loop, self._mode = loop, mode
        self.acks, self.steps, self.faults = Lines(), Lines(), Lines()
        self.generation = 0

    def play(self, point: Point) -> Told:
        """Let it live until the workflow is at its end, dying at the point."""
        flows.here.journal = self.steps
        while True:
            self.generation += 1
            flows.here.marks = {"gen": self.generation}
            store = self._open(self.clock)
            try:
                mortal: Any = Mortal(store, point)
                self._live(mortal)
                return self._tell(store, point)
            except Death:
                self.faults.add(fault="death", gen=self.generation)
            finally:
                store.close()

    def _live(self, store: Store) -> None:
        life = Life(store, self._loop, self._mode)
        for turn in range(TURNS):
            self._say(store, turn)
            if life.turn():
                continue
            next_ms = life.tick()
            if not self._say(store, turn) and not store.count_runs().get(
                RunStatus.RUNNING
            ):
                return
            self.clock.advance(SWEEP_MS if next_ms is None else min(next_ms, SWEEP_MS))

    # -- its clients -------------------------------------------------------------------

    def _say(self, store: Store, turn: int) -> bool:
        """Say the next thing that is not acknowledged yet, now and then."""
        acked = {line.get("signal", 0) for line in self.acks}
        if 0 not in acked:
            plan = self.plan
            flow_client.start(store, self.kind, self.flow, plan)
            self.acks.add(
                id=self.flow, kind=self.kind, size=plan.size, signals=plan.signals
            )
            return True
        missing = [n for n in range(1, self.plan.signals + 1) if n not in acked]
        if missing and turn % 3 == 0:
            flow_client.signal(store, self.flow, missing[0])
            self.acks.add(id=self.flow, signal=missing[0])
        return self._cancel(store, turn) or self._complete(store) or bool(missing)

    def _cancel(self, store: Store, turn: int) -> bool:
        """Cancel what is to be cancelled; whether that is still to do."""
        asked = any("cancelled" in line for line in self.faults)
        if self.kind not in CANCELLED or asked:
            return False
        if turn > PATIENCE:
            flow_client.cancel(store, self.flow)
            self.faults.add(fault="cancelled", cancelled=self.flow)
        return True

    def _complete(self, store: Store) -> bool:
        """Complete what was handed over; whether there was something."""
        done = {line["done"] for line in self.faults if "done" in line}
        for line in self.steps:
            if "task" in line and line["task"] not in done:
                flow_client.complete(store, line["task"], line["run"])
                self.faults.add(fault="completion", done=line["task"])
                return True
        return False

    # -- its end -----------------------------------------------------------------------

    def _tell(self, store: Store, point: Point) -> Told:
        evidence = flow_checker.gather(
            self.acks, self.steps, flow_client.dump(store), [*self.faults]
        )
        findings = flow_checker.check(evidence)
        story = flow_checker.report(evidence, findings)
        return Told(findings, [*point.writes], point.died, story)
