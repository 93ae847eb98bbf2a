"""A worker that dies before or after any of its writes, whichever it is, loses nothing.

Every write of every kind of workflow is visited: the run is played once to learn its
writes, then once per write and side of it.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import flows
from tests.chaos.flows import KINDS
from tests.integration.workflow_world import Mode, Point, Told, World, event_loop
from workflows.runtime import workflow_tasks, workflow_worker
from workflows.runtime.lease import MS

MODES = (Mode(), Mode(inline=False))  # a death empties the cache anyway
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


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with event_loop() as made:
        yield made


class Stage:
    """Plays worlds of one kind, each in a folder of its own."""

    def __init__(
        self,
        kind: str,
        mode: Mode,
        folder: Path,
        loop: asyncio.AbstractEventLoop,
        patch: pytest.MonkeyPatch,
    ) -> None:
        self._parts = kind, mode, loop
        self._folder = folder
        self._patch = patch
        self._played = 0

    def play(self, point: Point) -> Told:
        """Play one world; its boot clock is its store's, so that writes repeat."""
        kind, mode, loop = self._parts
        self._played += 1
        folder = self._folder / str(self._played)
        folder.mkdir()
        world = World(kind, folder, loop, mode)
        for module in (workflow_tasks, workflow_worker):
            self._patch.setattr(module, "boot_ns", lambda: world.clock.now * MS)
        return world.play(point)


@pytest.fixture
def _journal() -> Iterator[None]:
    before = flows.here.journal, flows.here.marks
    yield
    flows.here.journal, flows.here.marks = before


@pytest.mark.usefixtures("_journal")
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_death_around_any_write_changes_no_result(
    kind: str,
    mode: Mode,
    tmp_path: Path,
    loop: asyncio.AbstractEventLoop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(kind, mode, tmp_path, loop, monkeypatch)
    calm = stage.play(Point())
    assert calm.findings == [], calm.story
    called = set(calm.writes) - CLOCKS
    assert WRITES[kind] <= called <= WRITES[kind] | {COMPLETE, RETRY}
    visited = set()
    for number, name in enumerate(calm.writes, 1):
        for when in ("before", "after"):
            told = stage.play(Point(number, when))
            assert told.findings == [], f"died {when} write {number} ({name})\n" + (
                told.story
            )
            if told.died:  # threads may write in another order, or once less
                visited.add((told.writes[number - 1], when))
    for name in called:
        assert {(name, "before"), (name, "after")} <= visited
