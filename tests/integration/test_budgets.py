"""Counted budgets: round trips a job on Redis, fsyncs a job on SQLite.

Counts do not depend on how fast the machine is, so they are asserted here; rates are
measured by `python -m benchmarks`.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks import systems
from benchmarks.cases import Site, syncs
from benchmarks.processes import Group
from benchmarks.servers import Server
from benchmarks.systems import System
from tests.servers import ValkeyServer

JOBS = 2_000
LONE_JOBS = 40


def shape(store: systems.Kind, workers: str) -> System:
    return next(s for s in systems.ours(store) if workers in s.worker)


@pytest.fixture
def server(valkey: ValkeyServer) -> Server:
    made = Server(valkey.url, valkey.pid)
    made.flush()
    return made


@contextmanager
def working(place: Site) -> Iterator[Group]:
    group = place.work()
    try:
        yield group
    finally:
        group.stop()


def reads_of(server: Server) -> int:
    """Return the round trips since the last count, without that of counting."""
    reads = server.reads()
    server.reset()
    return reads


def test_an_enqueue_is_one_round_trip(server: Server, tmp_path: Path) -> None:
    place = Site(shape("redis", "thread"), server, tmp_path)
    place.produce("single", 1)
    server.reset()
    place.produce("single", 1)
    few = reads_of(server)
    place.produce("single", 201)
    many = reads_of(server)
    assert many - few == 200


def test_a_bulk_is_one_round_trip(server: Server, tmp_path: Path) -> None:
    place = Site(shape("redis", "thread"), server, tmp_path)
    place.produce("bulk", 1)
    # A thousand jobs come in more than one read of the server's 16 KiB buffer, so what
    # is counted here is calls: one script each.
    assert server_scripts(server, place, 3_000) == 3 + 1  # and one job to warm up


def server_scripts(server: Server, place: Site, jobs: int) -> int:
    server.reset()
    place.produce("bulk", jobs)
    with server.client() as client:
        stats = client.info("commandstats")
    return int(stats["cmdstat_evalsha"]["calls"])


@pytest.mark.parametrize("workers", ["thread", "process"])
def test_under_load_a_job_costs_at_most_a_third_of_a_round_trip(
    server: Server, tmp_path: Path, workers: str
) -> None:
    place = Site(shape("redis", workers), server, tmp_path)
    place.produce("bulk", JOBS)
    server.reset()
    with working(place) as group:
        place.await_stamps(JOBS + 1, group)
    assert reads_of(server) / JOBS <= 0.3


def test_a_lone_job_is_consumed_in_two_round_trips(
    server: Server, tmp_path: Path
) -> None:
    """What an idle consumer asks anyway in the same time does not count."""
    place = Site(shape("redis", "thread"), server, tmp_path)
    with working(place) as group:
        place.produce("single", 1)
        place.await_stamps(1, group)
        time.sleep(1)
        server.reset()
        begin = time.monotonic()
        time.sleep(3)
        idle = reads_of(server) / (time.monotonic() - begin)
        begin = time.monotonic()
        place.produce("paced", LONE_JOBS)
        place.await_stamps(LONE_JOBS + 1, group)
        time.sleep(0.2)
        reads = reads_of(server) - idle * (time.monotonic() - begin)
    enqueues, connects = LONE_JOBS, 8
    waits = LONE_JOBS  # the blocking pop that each job ends
    # What is idle can only be estimated, to a few reads in a hundred; a third trip
    # would add a whole one.
    assert (reads - enqueues - connects - waits) / LONE_JOBS < 2.5


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("workers", ["thread", "process"])
def test_under_load_a_job_costs_a_fifth_of_an_fsync_on_sqlite(
    tmp_path: Path, workers: str
) -> None:
    place = Site(shape("sqlite", workers), None, tmp_path)
    assert 0 < syncs(place, JOBS)["syncs/job"] <= 0.2
