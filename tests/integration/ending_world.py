"""A family whose parent is ended from outside, and of which nothing is kept at last."""

from typing import Any, Literal

from tests.chaos import flow_client, flows
from tests.chaos.checker import Finding
from tests.chaos.flows import Plan
from tests.integration.workflow_world import Point, Told, World
from workflows.client import WorkflowService
from workflows.engine.starting import StartOptions, start_event
from workflows.engine.states import LIVE
from workflows.runtime.closing import UPKEEP_QUEUE
from workflows.runtime.new_runs import new_run
from workflows.store import RunRef, RunStatus, StartRun, Store

MINUTE_MS = 60_000
End = Literal["terminated", "timed_out"]


class EndingWorld(World):
    """Ends the parent, then the child that outlives it; then all runs are pruned."""

    def __init__(self, kind: str, *parts: Any) -> None:
        super().__init__("Family", *parts)
        self.end: Any = kind
        self.said: set[str] = set()
        self.ended: dict[str, list[str]] = {}

    def _say(self, store: Store, turn: int) -> bool:
        """Say the next thing, until it was acknowledged."""
        if "start" not in self.said:
            self._start(store)
            self.said.add("start")
            return True
        if self.end == "terminated" and self._knows(store, "request_cancel"):
            return self._terminate(store, self.flow)
        closed = store.get_run(RunRef(workflow_id=self.flow))
        over = closed is None or closed.status is not RunStatus.RUNNING
        if over and not _live_jobs(store, UPKEEP_QUEUE):
            return self._terminate(store, "abandon")
        return True

    def _start(self, store: Store) -> None:
        timeout = MINUTE_MS // 2 if self.end == "timed_out" else None
        options = StartOptions(
            workflow_type="Family",
            task_queue=flows.QUEUE,
            arguments=[flow_client._payload(Plan())],
            run_timeout_ms=timeout,
        )
        made = start_event(
            options, workflow_id=self.flow, run_id="run-family", at=store.now()
        )
        start = StartRun(run=new_run(made, workflow_id=self.flow))
        store.start_run(start, request_id="start")

    def _knows(self, store: Store, child: str) -> bool:
        """Whether the parent is still to be ended, and has all its children."""
        there = store.get_run(RunRef(workflow_id=child)) is not None
        return there and self.flow not in self.said

    def _terminate(self, store: Store, flow: str) -> bool:
        if flow in self.said:
            return False
        if store.get_run(RunRef(workflow_id=flow)) is None:
            return True  # it is to come
        service = WorkflowService(store)
        service.terminate(RunRef(workflow_id=flow), request_id=f"end-{flow}")
        self.said.add(flow)
        return True

    def _live(self, store: Store) -> None:
        super()._live(store)
        if not self.ended:
            for run in store.list_runs(limit=100).runs:
                self.ended.setdefault(run.workflow_id, []).append(run.status.value)
        self.clock.advance(2 * MINUTE_MS)
        while store.prune_runs(age_ms=MINUTE_MS, limit=2).more:
            pass

    def _tell(self, store: Store, point: Point) -> Told:
        wanted = {
            self.flow: [self.end],
            "terminate": ["terminated"],
            "abandon": ["terminated"],
            "request_cancel": ["canceled"],
        }
        left = [run.run_id for run in store.list_runs(limit=100).runs]
        jobs = [*_live_jobs(store, UPKEEP_QUEUE), *_live_jobs(store, flows.QUEUE)]
        wrong = {
            "wrong ends": self.ended if self.ended != wanted else None,
            "not pruned": left,
            "jobs left": jobs,
            "invariant broken": store.fsck(),
        }
        findings = [
            Finding(what, None, str(found)) for what, found in wrong.items() if found
        ]
        return Told(findings, [*point.writes], point.died, str(findings))


def _live_jobs(store: Store, queue: str) -> list[str]:
    """The ids of the jobs that have not ended."""
    return [job.id for state in LIVE for job in store.list_jobs(queue, state).jobs]
