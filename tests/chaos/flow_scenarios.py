"""What is done to a running system of workflows."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.chaos import flow_checker, flow_client, ledger
from tests.chaos.checker import Finding
from tests.chaos.flow_checker import Evidence
from tests.chaos.ledger import Ledger, Tail
from tests.chaos.places import Cell
from tests.chaos.scenarios import Size, finish, haunt, kill_at_work
from tests.chaos.stage import Settings, Stage, stage_of
from workflows.exceptions import StoreError
from workflows.store import RunStatus, StoreOptions
from workflows.stores import open_store

STORES = ("sqlite", "valkey")  # those that keep runs
LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class FlowOutcome:
    """What a scenario did, and which promises it found broken."""

    done: str
    findings: list[Finding]
    evidence: Evidence

    def report(self) -> str:
        """Return what was broken, with the stories of the first few workflows."""
        return flow_checker.report(self.evidence, self.findings)


class FlowStage(Stage):
    """The running parts of workflows, and somebody who completes activities."""

    app = "tests.chaos.flow_app"
    producers_module = "tests.chaos.flow_producer"

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._completer = Completer(self)

    def live(self) -> int:
        """Return how many runs are open."""
        return self.store.count_runs().get(RunStatus.RUNNING, 0)

    def dump(self) -> None:
        """Write every run to a ledger, with the counters and fsck."""
        out = Ledger(self.folder / ledger.RECORDS)
        for line in flow_client.dump(self.store):
            out.add(**line)

    def close(self) -> None:
        """End every process, and the completer."""
        self._completer.stop()
        super().close()


class Completer:
    """Completes from outside what activities hand over, a while later."""

    def __init__(self, act: Stage) -> None:
        self._url = act.medium.url
        self._tail = Tail(act.folder / ledger.RUNS)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        rng = random.Random("completer")
        wanted: list[ledger.Line] = []
        store = open_store(self._url, StoreOptions(namespace="chaos"))
        while not self._stopped.wait(rng.uniform(0, 0.1)):
            wanted += [line for line in self._tail.new() if "task" in line]
            rng.shuffle(wanted)
            while wanted and rng.random() < 0.7:
                try:
                    line = wanted[-1]
                    flow_client.complete(store, line["task"], line["run"])
                except StoreError:
                    break  # said again in the next round
                wanted.pop()
        store.close()


class _Feed:
    """Keeps enough workflows open, until all that were wanted are started."""

    def __init__(self, act: FlowStage, count: int, *, longest_ms: int = 200) -> None:
        self._act = act
        self._left = count
        self._ordered = 0
        self._looked = 0.0
        self._producers = [act.producer(longest_ms=longest_ms) for _ in range(2)]

    def keep(self) -> None:
        """Order more if few are open."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        self._act.look()
        acked = len(self._act.acked)
        if self._act.live() < 30 and acked >= self._ordered:
            self._order(14)

    def rest(self) -> None:
        """Order what is left of those that were wanted."""
        if self._left > 0:
            self._order(self._left + self._left % 2)

    def _order(self, count: int) -> None:
        for producer in self._producers:
            producer.order(count // 2)
        self._left -= count
        self._ordered += count


def storm(cell: Cell, settings: Settings, size: Size) -> FlowOutcome:
    """SIGKILL the whole consumer group again and again; some become zombies."""
    with stage_of(FlowStage, cell, settings, "flows") as act:
        feed = _Feed(act, size.flows)
        rng = random.Random(f"{cell}")
        kills = zombies = 0
        while kills < size.kills:
            consumer = act.consumer()
            if zombies < size.zombies and kills * size.zombies >= zombies * size.kills:
                zombies += 1
                haunt(act, feed, consumer)
                continue
            kills += kill_at_work(act, feed, consumer, rng)
        feed.rest()
        finish(act, 120)
        return _conclude(act, f"{kills} kills, {zombies} zombies")


def zombie(cell: Cell, settings: Settings, size: Size) -> FlowOutcome:
    """SIGSTOP beyond the lease, then SIGCONT: the late writes are refused."""
    with stage_of(FlowStage, cell, settings, "flow-zombie") as act:
        feed = _Feed(act, size.flows // 2, longest_ms=600)  # so that attempts overlap
        for _ in range(size.zombies + 2):
            haunt(act, feed, act.consumer())
        feed.rest()
        finish(act, 120)
        return _conclude(act, f"{size.zombies + 2} zombies")


def _conclude(act: FlowStage, done: str) -> FlowOutcome:
    """Dump the store, and check."""
    act.dump()
    evidence = flow_checker.load(act.folder)
    findings = flow_checker.check(evidence)
    return FlowOutcome(f"{len(evidence.starts)} workflows, {done}", findings, evidence)


FlowScenario = Callable[[Cell, Settings, Size], FlowOutcome]
FLOW_SCENARIOS: Mapping[str, FlowScenario] = {"flows": storm, "flow-zombie": zombie}
