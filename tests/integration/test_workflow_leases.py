"""What a worker does with leases when its store answers late, or not as hoped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.chaos import flow_client, flows
from tests.chaos.flows import Plan
from tests.clock import ManualClock
from tests.integration.workflow_world import (
    LEASE_MS,
    SWEEP_MS,
    Life,
    Lines,
    Mode,
    event_loop,
)
from tests.modes import as_shipped
from workflows.runtime import workflow_tasks, workflow_worker
from workflows.runtime.lease import MS
from workflows.runtime.workflow_tasks import RETRIES
from workflows.store import Commit, Exchanged, RunStatus, Store


class Around:
    """A store that does something before and after each commit."""

    def __init__(
        self,
        store: Store,
        *,
        before: Callable[[Commit], None] = lambda _: None,
        after: Callable[[Commit], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._before, self._after = before, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def exchange(self, settlements: Any = (), claim: Any = None) -> Exchanged:
        """Exchange, with what is to be done around it."""
        commits = [each for each in settlements if isinstance(each, Commit)]
        for commit in commits:
            self._before(commit)
        answer = self._store.exchange(settlements, claim)
        for commit in commits:
            self._after(commit)
        return answer


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> Iterator[Lines]:
    """The journal, in a world whose boot clock is the test's."""
    for module in (workflow_tasks, workflow_worker):
        monkeypatch.setattr(module, "boot_ns", lambda: clock.now * MS)
    before = flows.here.journal, flows.here.marks
    lines = Lines()
    flows.here.journal, flows.here.marks = lines, {"gen": 1}
    yield lines
    flows.here.journal, flows.here.marks = before


@contextmanager
def life(store: Any) -> Iterator[Life]:
    """A worker on a store."""
    with event_loop() as loop:
        yield Life(store, loop, Mode())


@as_shipped
def test_an_inline_activity_whose_lease_ran_out_meanwhile_does_not_start(
    store: Store, clock: ManualClock, steps: Lines
) -> None:
    def stand_still(commit: Commit) -> None:
        if commit.inline is not None:
            clock.advance(LEASE_MS + 1)  # the process was stopped, and goes on

    flow_client.start(store, "Sequential", "late", Plan(size=1))
    with life(Around(store, after=stand_still)) as worker:
        worker.turn()
    assert steps == []


def test_a_task_that_news_keep_from_closing_is_given_back_at_once(
    store: Store, clock: ManualClock, steps: Lines
) -> None:
    sent = 0

    def disturb(commit: Commit) -> None:
        nonlocal sent
        if commit.close is not None and sent <= RETRIES:
            sent += 1
            flow_client.signal(store, "busy", sent)

    flow_client.start(store, "Sequential", "busy", Plan(size=1))
    begun = clock.now
    with life(Around(store, before=disturb)) as worker:
        while store.count_runs().get(RunStatus.RUNNING) and clock.now < begun + 60_000:
            if not worker.turn():
                worker.tick()
                clock.advance(SWEEP_MS)
    assert sent == RETRIES + 1
    assert clock.now - begun < LEASE_MS
