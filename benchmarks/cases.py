"""The cases: each measures one system once, in a fresh store."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import REPOSITORY, CpuSampler, Group
from benchmarks.servers import Server
from benchmarks.stamps import Stamp, count_stamps, read_stamps
from benchmarks.systems import System

Figures = dict[str, float]
SQLITE_ONLY = frozenset({"syncs"})
_SYNC = re.compile(r"\bf(?:data)?sync\(")
PATIENCE_S = 60.0  # without any progress
PRODUCER_S = 300.0


@dataclass(frozen=True, slots=True)
class Site:
    """Where one case runs: an empty store and an empty folder."""

    system: System
    server: Server | None
    folder: Path

    @property
    def stamps(self) -> Path:
        """The folder of the stamps."""
        return self.folder

    @property
    def env(self) -> Mapping[str, str]:
        """What producers and workers find in their environment."""
        url = self.server.url if self.server else f"sqlite:///{self.folder}/bench.db"
        env = {"BENCH_URL": url, "BENCH_STAMPS": str(self.folder), **self.system.env}
        return {**env, "PYTHONPATH": str(REPOSITORY)}

    def produce(self, command: str, count: int) -> float:
        """Run a producer process to its end; return the seconds it counted."""
        argv = [*self.system.producer, command, str(count)]
        env = {**os.environ, **self.env}
        done = subprocess.run(
            argv,
            env=env,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=PRODUCER_S,
        )
        if done.returncode:
            msg = f"the producer failed: {command}\n{done.stderr[-2_000:]}"
            raise RuntimeError(msg)
        return float(json.loads(done.stdout.splitlines()[-1])["seconds"])

    def work(self, under: Sequence[str] = ()) -> Group:
        """Start the workers, with a program like strace around them if it is given."""
        argv = [*under, *self.system.worker]
        return Group(argv, self.env, self.folder / "worker.log")

    def await_stamps(self, count: int, group: Group) -> None:
        """Wait until so many jobs have started.

        Raises:
            RuntimeError: the worker ended, or started nothing more for PATIENCE_S.
        """
        last, deadline = 0, time.monotonic() + PATIENCE_S
        while (seen := count_stamps(self.stamps)) < count:
            group.check()
            if seen > last:
                last, deadline = seen, time.monotonic() + PATIENCE_S
            if time.monotonic() > deadline:
                msg = f"{seen} of {count} jobs started; its log:\n{group.tail()}"
                raise RuntimeError(msg)
            time.sleep(0.05)


@contextmanager
def site(system: System, server: Server | None) -> Iterator[Site]:
    """Make an empty place for one case."""
    if server:
        server.flush()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        yield Site(system, server if system.store == "redis" else None, Path(folder))


def enqueue(place: Site, count: int) -> Figures:
    """Jobs per second, one call a job, one producer, no workers."""
    return {"enqueue/s": count / place.produce("single", count)}


def bulk(place: Site, count: int) -> Figures:
    """Jobs per second in chunks of 1,000."""
    return {"bulk/s": count / place.produce("bulk", count)}


def drain(place: Site, count: int) -> Figures:
    """Empty a full queue: rate and CPU between the 10th and the 95th percentile."""
    place.produce("bulk", count)
    if place.server:
        place.server.reset()
    group = place.work()
    try:
        with CpuSampler(group.pid, place.server and place.server.pid) as sampler:
            place.await_stamps(count, group)
            time.sleep(0.3)
        reads = place.server.reads() if place.server else None
    finally:
        group.stop()
    stamps = read_stamps(place.stamps)
    first, last = len(stamps) // 10, len(stamps) * 95 // 100
    begin, end = stamps[first].started, stamps[last].started
    workers, server = sampler.between(begin, end)
    jobs = last - first
    figures = {
        "drain/s": jobs / ((end - begin) / 1e9),
        "worker µs/job": workers / jobs / 1e3,
        "server µs/job": server / jobs / 1e3,
        "CPU µs/job": (workers + server) / jobs / 1e3,
    }
    if reads is not None:
        figures["round trips/job"] = reads / len(stamps)
    return figures


def syncs(place: Site, count: int) -> Figures:
    """How often workers that empty a full queue wait for the disk, by strace."""
    if shutil.which("strace") is None:
        msg = "strace is not installed"
        raise RuntimeError(msg)
    place.produce("bulk", count)
    calls = place.folder / "strace"
    trace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=fsync,fdatasync"]
    group = place.work([*trace, "-o", str(calls)])
    try:
        place.await_stamps(count, group)
        time.sleep(0.5)
    finally:
        group.stop()
    return {"syncs/job": len(_SYNC.findall(calls.read_text())) / count}


def _lateness(stamps: list[Stamp]) -> list[float]:
    """Return how much after its time each job started, in ms, sorted."""
    return sorted((stamp.started - stamp.sent) / 1e6 for stamp in stamps)


def _percentiles(name: str, values: list[float]) -> Figures:
    return {
        f"{name} p50 ms": values[len(values) // 2],
        f"{name} p99 ms": values[min(len(values) * 99 // 100, len(values) - 1)],
    }


def latency(place: Site, count: int) -> Figures:
    """From enqueue in one process to start in another, workers idle."""
    group = place.work()
    try:
        place.produce("paced", warm := 20)
        place.await_stamps(warm, group)
        place.produce("paced", count)
        place.await_stamps(warm + count, group)
    finally:
        group.stop()
    stamps = read_stamps(place.stamps)[warm:]
    return _percentiles("latency", _lateness(stamps))


def timers(place: Site, count: int) -> Figures:
    """How late delayed jobs start."""
    group = place.work()
    try:
        place.produce("paced", warm := 5)
        place.await_stamps(warm, group)
        place.produce("timers", count)
        place.await_stamps(warm + count, group)
    finally:
        group.stop()
    values = _lateness(read_stamps(place.stamps)[warm:])
    return {**_percentiles("late", values), "earliest ms": values[0]}


CASES = {
    "enqueue": enqueue,
    "bulk": bulk,
    "drain": drain,
    "syncs": syncs,
    "latency": latency,
    "timers": timers,
}
