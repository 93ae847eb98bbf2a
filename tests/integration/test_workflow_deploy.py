"""A rolling deploy: old workers do not know the new types, and nothing is lost."""

from tests.chaos import flow_checker, flow_client, flows
from tests.chaos.flows import KINDS, Plan
from tests.clock import ManualClock
from tests.integration.workflow_world import (
    LEASE_MS,
    SWEEP_MS,
    Life,
    Lines,
    Mode,
    event_loop,
)
from workflows.runtime.registration import Registry
from workflows.store import RunStatus, Store

OLD = Registry([flows.Sequential, flows.Timers], [flows.step, flows.async_step])
NEW = Registry(flows.WORKFLOWS, flows.ACTIVITIES)
HOUR_MS = 3_600_000


class Deploy:
    """Workers of two versions on one store, and the runs of a client."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store, self.clock = store, clock
        self.acks, self.steps = Lines(), Lines()
        flows.here.journal, flows.here.marks = self.steps, {"gen": 1}

    def start(self, version: str) -> None:
        """Start one workflow of each kind."""
        for kind in KINDS:
            flow, count = f"{version}-{kind}", 2 if kind in flows.LISTENING else 0
            flow_client.start(self.store, kind, flow, Plan(size=3, signals=count))
            self.acks.add(id=flow, kind=kind, size=3, signals=count)
            for number in range(1, count + 1):
                flow_client.signal(self.store, flow, number)
                self.acks.add(id=flow, signal=number)

    def run(self, *lives: Life, ms: int) -> None:
        """Let workers work side by side until nothing moves for `ms`."""
        until = self.clock.now + ms
        while self.clock.now < until:
            moved = [life.turn() for life in lives]
            moved += [bool(self._complete())]
            if not any(moved):
                for life in lives:
                    life.tick()
                assert self.store.bury_unknown(grace_ms=0, interval_ms=HOUR_MS) == []
                self.clock.advance(SWEEP_MS)

    def open(self) -> int:
        """How many runs are open."""
        return self.store.count_runs().get(RunStatus.RUNNING, 0)

    def _complete(self) -> int:
        tasks = [line for line in self.steps if "task" in line]
        for line in tasks[self.completed :]:
            flow_client.complete(self.store, line["task"], line["run"])
            self.completed += 1
            return 1
        return 0

    completed = 0


def test_what_old_workers_do_not_know_waits_for_new_ones(
    store: Store, clock: ManualClock
) -> None:
    with event_loop() as loop:
        deploy = Deploy(store, clock)
        old = Life(store, loop, Mode(), OLD)
        deploy.start("early")
        deploy.run(old, ms=HOUR_MS // 60)
        waiting = deploy.open()
        assert waiting >= len(KINDS) - len(OLD.workflows)

        first = Life(store, loop, Mode(), NEW)  # one of the new ones, and it dies
        for _ in range(5):
            first.turn()
        deploy.start("late")
        deploy.run(old, ms=2 * LEASE_MS)
        assert deploy.open() >= waiting

        flows.here.marks = {"gen": 2}
        deploy.run(old, Life(store, loop, Mode(), NEW), ms=2 * LEASE_MS)
        death = {"fault": "death", "gen": 1, "at": 0}
        evidence = flow_checker.gather(
            deploy.acks, deploy.steps, flow_client.dump(store), [death]
        )
        findings = flow_checker.check(evidence)
        assert findings == [], flow_checker.report(evidence, findings)
