"""A worker that dies before or after any of its writes, whichever it is, loses nothing.

Every write of every kind of workflow is visited: the run is played once to learn its
writes, then once per write and side of it.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos import flows
from tests.chaos.flows import KINDS
from tests.clock import ManualClock
from tests.integration.workflow_world import Mode, Point, Told, World, event_loop
from workflows.runtime import workflow_tasks, workflow_worker
from workflows.runtime.lease import MS
from workflows.store import Store, StoreOptions
from workflows.stores import open_store

CELLS = (  # no mode without a cache: a death empties it anyway
    *(("sqlite", Mode()), ("sqlite", Mode(inline=False)), ("redis", Mode())),
)
# The writes that the life of each kind consists of, beside claims and clocks.
COMMIT, COMPLETE = "exchange Commit", "exchange Complete"
RETRY, DETACH = "exchange Retry", "exchange Detach"
CLOCKS = {"exchange claim", "promote_due", "sweep"}
WRITES = {
    "Sequential": {"start_run", COMMIT, RETRY},
    "Parallel": {"start_run", COMMIT, COMPLETE, RETRY},
    "Timers": {"start_run", COMMIT},
    "Signals": {"start_run", "send_to_run", COMMIT, RETRY},
    "Rolling": {"start_run", "send_to_run", COMMIT},
    "Children": {"start_run", COMMIT, COMPLETE, RETRY},
    "HandedOver": {"start_run", COMMIT, DETACH, COMPLETE},
}


MEMORY = Path("/dev/shm")  # no power fails here, so fsync would only take time


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with event_loop() as made:
        yield made


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Callable[[str, str], str]]:
    """Give the URL of a new store: `place(adapter, name)`."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:

        def url(adapter: str, name: str) -> str:
            if adapter == "redis":
                return str(request.getfixturevalue("valkey").unix_url)
            return f"sqlite:///{folder}/{name}.db"

        yield url


@pytest.fixture
def _journal() -> Iterator[None]:
    before = flows.here.journal, flows.here.marks
    yield
    flows.here.journal, flows.here.marks = before


@pytest.mark.usefixtures("_journal")
@pytest.mark.parametrize(("adapter", "mode"), CELLS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_death_around_any_write_changes_no_result(
    kind: str,
    adapter: str,
    mode: Mode,
    place: Callable[[str, str], str],
    loop: asyncio.AbstractEventLoop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def play(point: Point) -> Told:
        """Play one world; its boot clock is its store's, so that writes repeat."""
        name = f"world-{uuid.uuid4().hex}"
        url = place(adapter, name)

        def open_at(clock: ManualClock) -> Store:
            for module in (workflow_tasks, workflow_worker):
                monkeypatch.setattr(module, "boot_ns", lambda: clock.now * MS)
            return open_store(url, StoreOptions(namespace=name, clock=clock))

        return World(kind, open_at, loop, mode).play(point)

    calm = play(Point())
    assert calm.findings == [], calm.story
    called = set(calm.writes) - CLOCKS
    assert WRITES[kind] <= called <= WRITES[kind] | {COMPLETE, RETRY}
    visited = set()
    for number, name in enumerate(calm.writes, 1):
        for when in ("before", "after"):
            told = play(Point(number, when))
            assert told.findings == [], f"died {when} write {number} ({name})\n" + (
                told.story
            )
            if told.died:  # threads may write in another order, or once less
                visited.add((told.writes[number - 1], when))
    for name in called:
        assert {(name, "before"), (name, "after")} <= visited
