"""A process that dies before or after any of its commits leaves the same state.

Each story is told once undisturbed, to learn its commits: those of the queues' store and
those of the tables. Then it is told once per commit and side of it, with a death there
and a new start. In the end rows, ledger, outbox, dead letters and what WhatsApp accepted
must be the same. `make failpoints` visits every commit; the quick suite the first and
the last of those that look alike, and of them one side.
"""

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.clock import ManualClock
from tests.integration.marketplace import people
from tests.integration.marketplace.failpoint_stories import STORIES
from tests.integration.marketplace.final_state import difference
from tests.integration.marketplace.mortal import Point, When
from tests.integration.marketplace.mortal_shop import Told, World
from tests.integration.workflow_world import event_loop
from tests.modes import as_shipped
from workflows.marketplace.database import Database
from workflows.runtime import parent_close, workflow_tasks, workflow_worker
from workflows.runtime.lease import MS
from workflows.store import Store, StoreOptions
from workflows.stores import open_store

pytestmark = as_shipped  # its worker is made by hand

ALL_POINTS = os.environ.get("FAILPOINTS") == "all"
MEMORY = Path("/dev/shm")  # no power fails here, so fsync would only take time
SIDES: tuple[When, ...] = ("before", "after")

Play = Callable[[Point], Told]


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with event_loop() as made:
        yield made


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the people of F0, to copy."""
    path = tmp_path_factory.mktemp("market") / "template.db"
    database = Database(f"sqlite:///{path}")
    with database.begin() as work:
        people.move_in(work)
    database.close()
    return path


def open_at(folder: Path, clock: ManualClock) -> Store:
    return open_store(f"sqlite:///{folder}/store.db", StoreOptions(clock=clock))


@pytest.fixture
def play(
    name: str,
    template: Path,
    loop: asyncio.AbstractEventLoop,
    monkeypatch: pytest.MonkeyPatch,
) -> Play:
    """Tell one story, dying at a point."""

    def set_boot_clock(clock: ManualClock) -> None:
        for module in (workflow_tasks, workflow_worker, parent_close):
            monkeypatch.setattr(module, "boot_ns", lambda: clock.now * MS)

    def once(point: Point) -> Told:
        with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
            return World(
                STORIES[name], Path(folder), template, open_at, loop, set_boot_clock
            ).play(point)

    return once


@pytest.mark.timeout(3600 if ALL_POINTS else 120)
@pytest.mark.parametrize("name", STORIES)
def test_a_death_around_any_commit_changes_nothing_in_the_end(play: Play) -> None:
    calm = play(Point())
    assert calm.process.deaths == 0
    assert calm.state["left"] == {}
    visited = set()
    for number, when in chosen(calm.process.calls, calm.process.commits):
        told = play(Point(number, when))
        place = f"died {when} commit {number} ({calm.process.calls[number - 1]})\n"
        assert told.process.deaths == 1, place
        assert told.process.calls[:number] == calm.process.calls[:number], place
        if told.state != calm.state:
            pytest.fail(place + difference(calm.state, told.state))
        visited.add((number, when))
    if ALL_POINTS:
        assert visited == set(itertools.product(calm.process.commits, SIDES))


def chosen(calls: Sequence[str], commits: Sequence[int]) -> list[tuple[int, When]]:
    """Where to die: at every commit, or at the ends of each kind, by turns."""
    if ALL_POINTS:
        return [*itertools.product(commits, SIDES)]
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for number in commits:
        first.setdefault(calls[number - 1], number)
        last[calls[number - 1]] = number
    numbers = sorted({*first.values(), *last.values()})
    return [(number, SIDES[turn % 2]) for turn, number in enumerate(numbers)]
