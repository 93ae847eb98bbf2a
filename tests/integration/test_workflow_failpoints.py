"""A worker that dies before or after any of its writes, whichever it is, loses nothing.

Every write of every kind of workflow is visited: the run is played once to learn its
writes, then once per write and side of it; and again with a second death while the
worker after the first one recovers. The quick suite visits the first and the last of
the writes that look alike, in one cell a kind; `make failpoints` visits all.
"""

import asyncio
import itertools
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos import flows
from tests.clock import ManualClock
from tests.integration.ending_world import EndingWorld
from tests.integration.workflow_world import Mode, Point, Told, World, event_loop
from tests.modes import as_shipped
from workflows.runtime import parent_close, workflow_tasks, workflow_worker
from workflows.runtime.lease import MS
from workflows.store import Store, StoreOptions
from workflows.stores import open_store

CELLS = (  # no mode without a cache: a death empties it anyway
    *(("sqlite", Mode()), ("sqlite", Mode(inline=False)), ("redis", Mode())),
)
ALL_POINTS = os.environ.get("FAILPOINTS") == "all"
SECOND_DEATHS = range(1, 7) if ALL_POINTS else (2,)  # so many writes after the first

# The writes that the life of each kind consists of, beside claims and clocks.
COMMIT, COMPLETE = "exchange Commit", "exchange Complete"
RETRY, DETACH = "exchange Retry", "exchange Detach"
CLOCKS = {"exchange claim", "promote_due", "sweep"}
SOMETIMES = {COMPLETE, RETRY}
WRITES = {
    "Sequential": {"start_run", COMMIT, RETRY},
    "Parallel": {"start_run", COMMIT, COMPLETE, RETRY},
    "Timers": {"start_run", COMMIT},
    "Signals": {"start_run", "send_to_run", COMMIT, RETRY},
    "Rolling": {"start_run", "send_to_run", COMMIT},
    "Children": {"start_run", COMMIT, COMPLETE, RETRY},
    "HandedOver": {"start_run", COMMIT, DETACH, COMPLETE},
    "LocalSteps": {"start_run", COMMIT},
    "Resuming": {"start_run", COMMIT, "beat", RETRY},
    "Cleaning": {"start_run", "send_to_run", COMMIT, DETACH},
    "terminated": {
        *("start_run", "close_run", "send_to_run", "prune_runs", COMMIT, COMPLETE),
    },
    "timed_out": {
        *("start_run", "close_run", "send_to_run", "prune_runs", COMMIT, COMPLETE),
    },
}
ENDINGS = ("terminated", "timed_out")
PLACES = [  # in the quick suite each kind in one cell, the long form plays all
    (kind, *cell)
    for number, kind in enumerate(WRITES)
    for cell in (CELLS if ALL_POINTS else CELLS[number % 3 :][:1])
]
in_places = pytest.mark.parametrize(("kind", "adapter", "mode"), PLACES, ids=str)


pytestmark = as_shipped  # it has modes of its own

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


Play = Callable[[Point], Told]


@pytest.fixture
def play(
    place: Callable[[str, str], str],
    loop: asyncio.AbstractEventLoop,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    adapter: str,
    mode: Mode,
) -> Play:
    """Play one world; boot clock and ids are the test's, so that writes repeat."""

    def world(point: Point) -> Told:
        name, numbers = f"world-{uuid.uuid4().hex}", itertools.count(1)
        url = place(adapter, name)
        new_run_id = lambda: f"run-{next(numbers):04}"  # noqa: E731
        monkeypatch.setattr(workflow_tasks, "new_run_id", new_run_id)

        def open_at(clock: ManualClock) -> Store:
            for module in (workflow_tasks, workflow_worker, parent_close):
                monkeypatch.setattr(module, "boot_ns", lambda: clock.now * MS)
            return open_store(url, StoreOptions(namespace=name, clock=clock))

        make = EndingWorld if kind in ENDINGS else World
        return make(kind, open_at, loop, mode).play(point)

    return world


@pytest.mark.usefixtures("_journal")
@in_places
def test_a_death_around_any_write_changes_no_result(kind: str, play: Play) -> None:
    calm = play(Point())
    assert calm.findings == [], calm.story
    called = set(calm.writes) - CLOCKS
    assert WRITES[kind] <= called <= WRITES[kind] | SOMETIMES
    visited = set()
    for number in chosen(calm.writes):
        for when in ("before", "after"):
            told = play(Point(number, when))
            place = f"died {when} write {number} ({calm.writes[number - 1]})\n"
            assert told.findings == [], place + told.story
            if told.died:  # threads may write in another order, or once less
                visited.add((told.writes[number - 1], when))
    for name in called:
        assert {(name, "before"), (name, "after")} <= visited


@pytest.mark.usefixtures("_journal")
@in_places
def test_a_second_death_while_the_first_is_recovered_from_changes_no_result(
    kind: str, play: Play
) -> None:
    numbers = chosen(play(Point()).writes)
    for number in numbers if ALL_POINTS else numbers[::2]:
        for again in SECOND_DEATHS:
            told = play(Point(number, "after", again))
            place = f"died after write {number}, and {again} later\n"
            assert told.findings == [], place + told.story


def chosen(writes: Sequence[str]) -> list[int]:
    """The numbers of the writes to die at, from 1: all, or the ends of each kind."""
    if ALL_POINTS:
        return [*range(1, len(writes) + 1)]
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for number, name in enumerate(writes, 1):
        first.setdefault(name, number)
        last[name] = number
    return sorted({*first.values(), *last.values()})
