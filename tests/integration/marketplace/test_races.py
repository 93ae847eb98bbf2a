"""Whoever is first wins, once, and no money is lost: threads, and real processes."""

import itertools
import multiprocessing
import shutil
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.integration.marketplace import people
from tests.integration.marketplace.contests import (
    CONTESTS,
    Contest,
    check,
    outcome,
    start_together,
)
from tests.property.test_marketplace import World
from workflows.marketplace.database import Database

THREAD_ROUNDS, PROCESS_ROUNDS = 6, 3
MEMORY = Path("/dev/shm")
CALL_S = 0.05  # from the call to the start
PATIENCE_S = 100  # three processes start, perhaps on a busy machine
SERVER = multiprocessing.get_context("forkserver")  # it imports once for all three
SERVER.set_forkserver_preload([__name__])


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A folder in memory with a file with the people of F0, to copy."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        path = Path(folder) / "template.db"
        database = Database(f"sqlite:///{path}")
        with database.begin() as work:
            people.move_in(work)
        database.close()
        yield path


@pytest.fixture
def url(template: Path, request: pytest.FixtureRequest) -> str:
    path = template.with_name(f"{abs(hash(request.node.name))}.db")
    shutil.copy(template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def world(url: str) -> Iterator[World]:
    database = Database(url)
    yield World(database)
    database.close()


def judge(contest: Contest, world: World, name: str) -> None:
    """Check how one race ended."""
    assert outcome(world.database, name) in contest.outcomes
    check(world.database, name)


def take_part(place: int, title: str, world: World, name: str, at: float) -> str | None:
    """Do one contestant's act; return what went wrong."""
    try:
        seed = f"{title}:{name}:{place}"
        start_together(CONTESTS[title].acts[place], world, name, seed, at)
    except BaseException:  # noqa: BLE001 - shown by the test
        return traceback.format_exc()
    return None


def race(title: str, world: World, name: str) -> list[str]:
    """Let threads race; return what went wrong."""
    contestants = len(CONTESTS[title].acts)
    at = time.monotonic() + CALL_S
    with ThreadPoolExecutor(contestants) as pool:
        running = [
            pool.submit(take_part, place, title, world, name, at)
            for place in range(contestants)
        ]
        said = [one.result(PATIENCE_S) for one in running]
    return [problem for problem in said if problem is not None]


@pytest.mark.parametrize("title", CONTESTS)
def test_of_threads_that_race_one_wins(title: str, world: World) -> None:
    contest = CONTESTS[title]
    for number in range(THREAD_ROUNDS):
        name = f"race-{number}"
        contest.before(world, name)
        assert race(title, world, name) == []
        judge(contest, world, name)


# -- processes -------------------------------------------------------------------------


def contestant(place: int, pipe: Connection) -> None:
    """Take part in every race that the pipe tells of, in a process of our own."""
    numbers = itertools.count(1_000_000 + place, 10)  # nobody else draws these
    opened: dict[str, Database] = {}
    pipe.send(None)
    while (task := pipe.recv()) is not None:
        title, url, name, now, at = task
        if url not in opened:
            opened[url] = Database(url)
        database = opened[url]
        world = World(database, now=now, numbers=numbers)
        pipe.send(take_part(place, title, world, name, at))


class Field:
    """Three processes, ready to start."""

    def __init__(self) -> None:
        self._pipes: list[Connection] = []
        self._processes = []
        for place in range(3):
            ours, theirs = SERVER.Pipe()
            process = SERVER.Process(target=contestant, args=(place, theirs))
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)
        self._answers(self._pipes)

    def race(self, title: str, url: str, name: str, now: datetime) -> list[str]:
        """Let processes race; return what went wrong."""
        pipes = self._pipes[: len(CONTESTS[title].acts)]
        for pipe in pipes:
            pipe.send((title, url, name, now, time.monotonic() + CALL_S))
        return self._answers(pipes)

    def _answers(self, pipes: list[Connection]) -> list[str]:
        for pipe in pipes:
            assert pipe.poll(PATIENCE_S), "a contestant does not come back"
        return [said for pipe in pipes if (said := pipe.recv()) is not None]

    def close(self) -> None:
        for pipe in self._pipes:
            pipe.send(None)
        for process in self._processes:
            process.join(10)
            process.kill()


@pytest.fixture(scope="module")
def field() -> Iterator[Field]:
    made = Field()
    yield made
    made.close()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("title", CONTESTS)
def test_of_processes_that_race_one_wins(
    title: str, world: World, url: str, field: Field
) -> None:
    contest = CONTESTS[title]
    for number in range(PROCESS_ROUNDS):
        name = f"race-{number}"
        contest.before(world, name)
        assert field.race(title, url, name, world.now) == []
        judge(contest, world, name)
