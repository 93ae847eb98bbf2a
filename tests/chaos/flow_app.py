"""The consumers of the crash tests that host workflows."""

import os
from pathlib import Path

from tests.chaos import flows, sabotage
from tests.chaos.ledger import RUNS, Ledger
from workflows.huey import WorkflowHuey


class Signed:
    """A ledger whose lines say which process wrote them."""

    def __init__(self, path: Path, generation: int) -> None:
        self._ledger = Ledger(path)
        self._generation = generation

    def add(self, **line: object) -> None:
        """Append a line; it is synced when this returns."""
        self._ledger.add(**line, gen=self._generation, pid=os.getpid())


flows.here.journal = Signed(
    Path(os.environ["CHAOS_FOLDER"]) / RUNS,
    int(os.environ.get("CHAOS_GENERATION", "0")),
)
huey = WorkflowHuey(
    "chaos",
    url=os.environ["CHAOS_URL"],
    lease=float(os.environ["CHAOS_LEASE"]),
    sweep_interval=float(os.environ["CHAOS_SWEEP"]),
)
huey.register_workflows(
    flows.QUEUE,
    workflows=flows.WORKFLOWS,
    activities=flows.ACTIVITIES,
    max_cached_workflows=int(os.environ.get("CHAOS_CACHED", "1000")),
)
sabotage.apply(huey)
