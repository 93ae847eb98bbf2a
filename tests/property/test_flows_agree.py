"""A random workflow ends alike on every store, cached or not, inline or not.

And each of its histories, cut before any of its tasks, says the same again.
`HYPOTHESIS_PROFILE=full` plays many stories in every mode; `PROPERTY_SEED=7` plays
others, PROPERTY_ADAPTERS names the stores. A failure shows its story; the number in the
test's name is the story's seed.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from random import Random

import pytest

from tests.clock import ManualClock
from tests.conftest import ADAPTERS, MakeStore
from tests.integration.workflow_world import Mode, event_loop
from tests.property.cuts import Recorded, recorded_events
from tests.property.flow_script import GROUPS, LEAVES, RACES, Story, story
from tests.property.flow_stage import REGISTRY, Stage, Told
from workflows.converter import DataConverter
from workflows.engine.history import decode_event
from workflows.runtime import local_activities, workflow_tasks, workflow_worker
from workflows.runtime.codec import SyncConverter
from workflows.runtime.lease import MS

MODES = [Mode(inline, cached) for inline, cached in product((True, False), (1000, 0))]
KINDS = os.environ.get("PROPERTY_ADAPTERS", " ".join(ADAPTERS)).split()
CELLS = [*product(KINDS, MODES)]
PROFILES = {"short": (3, 2), "quick": (8, 3), "full": (60, len(CELLS))}
STORIES, CELLS_EACH = PROFILES.get(
    os.environ.get("HYPOTHESIS_PROFILE", ""), PROFILES["quick"]
)
FIRST = 1000 * int(os.environ.get("PROPERTY_SEED", "0"))
# Code that goes on while it is torn down makes coroutines that nobody will run.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with event_loop() as made:
        yield made


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Files in memory, where that exists: no power fails here."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def play(
    make_store: MakeStore,
    loop: asyncio.AbstractEventLoop,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Story, int], Told]:
    """Play a story in a cell; the order of its work is that of the cell's number."""

    def play(what: Story, number: int) -> Told:
        clock, (adapter, mode) = ManualClock(), CELLS[number]
        for module in (workflow_tasks, workflow_worker, local_activities):
            monkeypatch.setattr(module, "boot_ns", lambda: clock.now * MS)
        store = make_store(adapter, clock, name=f"cell-{number}")
        return Stage(store, clock, loop, mode, Random(number)).play(what)

    return play


def cells_of(seed: int) -> list[int]:
    """The first cell, and others in turn."""
    others = (1 + (seed * 2 + n) % (len(CELLS) - 1) for n in range(len(CELLS) - 1))
    return [0, *others][:CELLS_EACH]


def say_the_same_again(told: Told) -> None:
    """Each history says the same again, whole and cut before each of its tasks."""
    new = REGISTRY.make_instance(SyncConverter(DataConverter.default), "default")
    for (workflow_id, run_id), history in told.histories.items():
        recorded = Recorded(workflow_id, run_id, history, new, "default")
        recorded.fed_in_pieces().evict()
        for task, decision in recorded.told_again():
            again = [decode_event(one) for one in decision.events]
            assert again == recorded_events(task)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(FIRST, FIRST + STORIES))
def test_a_random_workflow_ends_alike_in_every_mode(
    seed: int, play: Callable[[Story, int], Told]
) -> None:
    what, ends = story(seed), dict[str, object]()
    for number in cells_of(seed):
        told = play(what, number)
        assert told.fsck == [], what
        assert told.heard in (None, told.sent), what
        adapter, mode = CELLS[number]
        ends[f"{adapter} {mode}"] = told.result
        if number == 0 or len(CELLS) == CELLS_EACH:
            say_the_same_again(told)
    first, *others = ends.values()
    assert all(end == first for end in others), f"{ends}\nof {what}"


def kinds(value: object) -> Iterator[str]:
    """The kinds of the steps in some steps, however deep; each begins with its own."""
    if isinstance(value, list):
        if value and isinstance(value[0], str):
            yield value[0]
        for each in value:
            yield from kinds(each)


def test_the_stories_reach_every_kind_of_step() -> None:
    """The property above would prove little if its workflows did little."""
    stories = [story(seed) for seed in range(40)]
    found = {kind for one in stories for kind in kinds(one.script.runs)}
    assert found == {*LEAVES, *RACES, *GROUPS}
    assert {act.what for one in stories for act in one.acts} >= {"signal", "cancel"}
    assert {len(one.script.runs) for one in stories} == {1, 2, 3}
