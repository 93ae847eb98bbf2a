"""Processes under measure: started in a group of their own, their CPU time read."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

REPOSITORY = Path(__file__).resolve().parent.parent
_CPUCLOCK_SCHED = 2  # Linux: the scheduler's count, in ns
_CUTIME = 13  # in /proc/<pid>/stat, counted from the field after the name


class Group:
    """A process group, from start to stop."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                argv,
                env={**os.environ, **env},
                cwd=REPOSITORY,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def check(self) -> None:
        """Raise if the first process of the group has ended."""
        if self._process.poll() is not None:
            msg = f"the worker ended with {self._process.returncode}:\n{self.tail()}"
            raise RuntimeError(msg)

    def tail(self) -> str:
        """Return the end of what the group has logged."""
        return self.log.read_text(errors="replace")[-2_000:]

    def stop(self) -> None:
        """Stop it as systemd would, and by force after ten seconds."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").glob("*/children"):
                found += [int(child) for child in task.read_text().split()]
        except OSError:  # it ended meanwhile
            continue
    return found


def own_cpu_ns(pid: int) -> int:
    """Return the CPU time of all threads of a process, ended ones included, in ns.

    The clock is that of clock_getcpuclockid(3), which Python does not offer for
    another process. OSError: there is no such process.
    """
    return time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED)


def reaped_cpu_ns(pid: int) -> int:
    """Return the CPU time of the children that a process has waited for, in ns.

    The kernel tells it in hundredths of a second. OSError: no such process.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[_CUTIME]) + int(fields[_CUTIME + 1])
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def cpu_ns(pids: Iterable[int]) -> int:
    """Return the CPU time of these processes and of their ended children, in ns."""
    total = 0
    for pid in pids:
        try:
            total += own_cpu_ns(pid) + reaped_cpu_ns(pid)
        except OSError:
            continue  # it ended just now: its parent counts it as soon as it waits
    return total


class CpuSample(NamedTuple):
    """CPU time used until `at` (monotonic ns): by the workers, by the server."""

    at: int
    workers: int
    server: int


class CpuSampler:
    """Reads CPU times beside the run, every 20 ms.

    Whoever descends from the worker at that moment counts: workers are forked, and
    replaced, while the run goes on.
    """

    def __init__(self, worker: int, server: int | None) -> None:
        self._worker = worker
        self._server = [server] if server else []
        self.samples: list[CpuSample] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        workers = 0
        while not self._stop.wait(0.020):
            # A child between its end and its wait is nowhere: time never goes back.
            workers = max(workers, cpu_ns(family(self._worker)))
            sample = CpuSample(time.monotonic_ns(), workers, cpu_ns(self._server))
            self.samples.append(sample)

    def between(self, begin: int, end: int) -> tuple[float, float]:
        """Return the CPU ns of workers and server between two times."""
        first, last = self._at(begin), self._at(end)
        return last[0] - first[0], last[1] - first[1]

    def _at(self, when: int) -> tuple[float, float]:
        """Interpolate between the two samples around a time."""
        before = self.samples[0]
        for after in self.samples:
            if after.at >= when and after.at > before.at:
                part = (when - before.at) / (after.at - before.at)
                return (
                    before.workers + part * (after.workers - before.workers),
                    before.server + part * (after.server - before.server),
                )
            before = after
        return float(before.workers), float(before.server)
