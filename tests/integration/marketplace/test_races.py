"""Whoever is first wins, once, and no money is lost: threads, and real processes."""

import itertools
import multiprocessing
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.integration.marketplace import people
from tests.integration.marketplace.contests import (
    CALL_S,
    CONTESTS,
    PATIENCE_S,
    judge,
    race,
    take_part,
)
from tests.property.test_marketplace import World
from workflows.marketplace.database import Database

THREAD_ROUNDS, PROCESS_ROUNDS = 6, 3
MEMORY = Path("/dev/shm")
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


@pytest.mark.parametrize("title", CONTESTS)
def test_of_threads_that_race_one_wins(title: str, world: World) -> None:
    for number in range(THREAD_ROUNDS):
        name = f"race-{number}"
        CONTESTS[title].before(world, name)
        assert race(title, world, name) == []
        judge(title, world, name)


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
    for number in range(PROCESS_ROUNDS):
        name = f"race-{number}"
        CONTESTS[title].before(world, name)
        assert field.race(title, url, name, world.now) == []
        judge(title, world, name)
