"""SQLite, Redis and the oracle answer every random program alike.

`HYPOTHESIS_PROFILE=full` runs the long form (>= 200 programs of >= 50 steps, every
operation >= 500 times, asserted); the default is a quick one, `short` a sample.
The seed is fixed: a run can be repeated, and repeats give the same states.
`PROPERTY_SEED=7` runs other programs, always the same ones of this seed. A failure
shows its whole program; `PROPERTY_SHRINK=1` looks for the shortest first.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.clock import ManualClock
from tests.conftest import ADAPTERS
from tests.property.machine import JobsAgree
from tests.property.program import Program, Series
from tests.property.run_machine import RunsAgree
from workflows.store import Store, StoreOptions
from workflows.stores import open_store

MACHINES = (JobsAgree, RunsAgree)
Opener = Callable[[ManualClock], Mapping[str, Store]]


class Profile(NamedTuple):
    """How many programs of how many steps; whether the counts must suffice."""

    programs: int
    steps: int
    enough: bool = False


PROFILES = {
    "short": Profile(15, 50),
    "quick": Profile(30, 60),
    "full": Profile(500, 120, enough=True),
}
PROFILE = PROFILES.get(os.environ.get("HYPOTHESIS_PROFILE", ""), PROFILES["quick"])
PHASES = [Phase.generate]
if os.environ.get("PROPERTY_SHRINK"):  # takes minutes, leaves the shortest program
    PHASES.append(Phase.shrink)
SEED = os.environ.get("PROPERTY_SEED")
KINDS = os.environ.get("PROPERTY_ADAPTERS", " ".join(ADAPTERS)).split()


@pytest.fixture
def opener(request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Opens fresh adapters for each program; files in memory where that exists."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    urls = {"sqlite": ""}
    if "redis" in KINDS:
        urls["redis"] = request.getfixturevalue("valkey").unix_url

    def open_adapters(clock: ManualClock) -> Mapping[str, Store]:
        name = uuid.uuid4().hex[:12]
        urls["sqlite"] = f"sqlite:///{folder / name}.db"
        options = StoreOptions(namespace=name, clock=clock)
        return {kind: open_store(urls[kind], options) for kind in KINDS}

    yield open_adapters
    shutil.rmtree(folder)


def play(machine: type[Program], opener: Opener, programs: int, steps: int) -> Series:
    """Run so many programs on the fixed seed."""
    series = Series(opener)
    programs_of = type(machine.__name__, (machine,), {"series": series})
    if SEED is not None:
        programs_of = seed(int(SEED))(programs_of)
    run_state_machine_as_test(
        programs_of,
        settings=settings(
            max_examples=programs,
            stateful_step_count=steps // machine.acts,
            deadline=None,
            derandomize=SEED is None,
            database=None,
            phases=PHASES,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return series


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("machine", MACHINES)
def test_random_programs_run_alike_on_every_store(
    machine: type[Program], opener: Opener, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = play(machine, opener, PROFILE.programs, PROFILE.steps)
    long = sum(1 for length in ran.lengths if length >= 50)
    with capsys.disabled():
        print(f"\n{len(ran.lengths)} programs, {long} of at least 50 steps; calls:")
        for name, count in sorted(ran.calls.items()):
            print(f"  {name:28}{count:>7}")
    if PROFILE.enough:
        assert long >= 200
        rare = {name: n for name, n in ran.calls.items() if n < 500}
        assert rare == {}, "too few"


@pytest.mark.parametrize("machine", MACHINES)
def test_the_same_seed_gives_the_same_states(
    machine: type[Program], opener: Opener
) -> None:
    first, second = play(machine, opener, 2, 50), play(machine, opener, 2, 50)
    assert first.digests == second.digests
    assert len(set(first.digests)) > 1
