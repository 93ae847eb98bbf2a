"""A process that dies before or after any of its commits leaves the same state.

Each story is told once undisturbed, to learn its commits: those of the queues' store
and those of the tables. Then it is told once per commit and side of it, with a death
there and a new start. In the end rows, ledger, outbox, dead letters and what WhatsApp
took must be the same. `make failpoints` visits every commit, the quick suite one of
those that look alike.
"""

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

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
AT_MOST_ONCE = (["payment_reminder"], ["credit_hold"])
MESSAGE_TABLES = {"messages", "ops_tasks", "job_outbox"}
TOUCHED = {"rows", "sent", "dead"}
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
) -> Iterator[Play]:
    """Tell one story, dying at a point."""
    clock = ManualClock()
    for module in (workflow_tasks, workflow_worker, parent_close):
        monkeypatch.setattr(module, "boot_ns", lambda: clock.now * MS)
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        world = World(STORIES[name], Path(folder), template, open_at, loop, clock)
        yield world.play


@pytest.mark.timeout(3600 if ALL_POINTS else 300)
@pytest.mark.parametrize("name", STORIES)
def test_a_death_around_any_commit_changes_nothing_in_the_end(play: Play) -> None:
    calm = play(Point())
    calls, commits = calm.process.calls, calm.process.commits
    assert calm.process.deaths == 0
    assert calm.state["left"] == {}
    visited = set()
    for number, when in chosen(calls, commits):
        told = play(Point(number, when))
        place = f"died {when} commit {number} ({calls[number - 1]})\n"
        assert told.process.deaths == 1, place
        assert told.process.calls[:number] == calls[:number], place
        if told.state != calm.state and not given_up(told.state, calm.state):
            pytest.fail(place + difference(calm.state, told.state))
        visited.add((number, when))
    if ALL_POINTS:
        assert visited == set(itertools.product(commits, SIDES))
    assert {calls[number - 1] for number, _ in visited} == {
        calls[number - 1] for number in commits
    }


def chosen(calls: Sequence[str], commits: Sequence[int]) -> list[tuple[int, When]]:
    """Where to die: at every commit; or at the first or last of each kind, by turns."""
    if ALL_POINTS:
        return [*itertools.product(commits, SIDES)]
    kinds: dict[str, list[int]] = {}
    for number in commits:
        kinds.setdefault(calls[number - 1], []).append(number)
    return [
        (numbers[-(turn // 2 % 2)], SIDES[turn % 2])
        for turn, numbers in enumerate(kinds.values())
    ]


def given_up(state: dict[str, Any], calm: dict[str, Any]) -> bool:
    """Whether one message, to be sent at most once, is a dead letter instead.

    That is its price: nobody knows whether the call was made before the death.
    """
    lost = calm["sent"] - state["sent"]
    more = state["rows"] - calm["rows"]
    return (
        [row.split()[1] for row in lost.elements()] in AT_MOST_ONCE
        and not state["sent"] - calm["sent"]
        and {row.split(":")[0] for row in more} <= MESSAGE_TABLES
        and any('"error_code": "ambiguous"' in row for row in more)
        and state["dead"] == {"whatsapp-message-send": 1}
        and all(state[part] == calm[part] for part in calm if part not in TOUCHED)
    )
