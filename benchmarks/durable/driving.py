"""What the driver of every engine does: run workflows, and print figures.

A workflow of n steps runs n no-op activities one after the other and returns when each
began, in ns of the monotonic clock. Needs nothing outside the standard library, for it
runs in the environments of the peers too.
"""

import asyncio
import itertools
import json
import os
import random
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from benchmarks.processes import cpu_ns, family

Execute = Callable[[str, int], list[int]]  # workflow id, steps
ExecuteAsync = Callable[[str, int], Awaitable[list[int]]]
Figures = dict[str, float]

WARM_S = 0.7
STEPS = {"wf1": 1, "wf10": 10}


class _Count:
    """Ends of workflows: of those that are started while it is open.

    CPU time is that of all processes of the benchmark: drivers, workers, servers.
    """

    def __init__(self, seconds: float) -> None:
        self._cpu = _cpu_ns()
        self._begin = time.perf_counter()
        self._end = self._begin + seconds
        self._last = self._begin
        self._number = 0

    @property
    def open(self) -> bool:
        """Whether more should be started."""
        return time.perf_counter() < self._end

    def add(self) -> None:
        """One has ended now."""
        self._number += 1
        self._last = time.perf_counter()

    def figures(self, steps: int) -> Figures:
        """Return how many ended per second, until the last one did, and their cost."""
        rate = self._number / (self._last - self._begin)
        cost = (_cpu_ns() - self._cpu) / self._number / 1e6
        if steps > 1:
            return {"steps/s": rate * steps, "CPU ms/step": cost / steps}
        return {"workflows/s": rate, "CPU ms/workflow": cost}


def _cpu_ns() -> int:
    return cpu_ns(family(os.getppid()))


def drive(execute: Execute, threads: int) -> None:
    """Run the case of the command line, with that many callers at a time."""
    case, amount, prefix = sys.argv[2:5]
    if case in STEPS:
        figures = _load(execute, prefix, STEPS[case], float(amount), threads)
    elif case == "wf-latency":
        figures = _latency(execute, prefix, int(amount))
    else:
        figures = long_figures(execute(f"{prefix}-long", int(amount)))
    print(json.dumps(figures), flush=True)


def drive_async(execute: ExecuteAsync, callers: int) -> Awaitable[None]:
    """Do the same on the running loop."""
    case, amount, prefix = sys.argv[2:5]

    async def run() -> None:
        if case in STEPS:
            steps = STEPS[case]
            figures = await _load_async(execute, prefix, steps, float(amount), callers)
        elif case == "wf-latency":
            figures = await _latency_async(execute, prefix, int(amount))
        else:
            figures = long_figures(await execute(f"{prefix}-long", int(amount)))
        print(json.dumps(figures), flush=True)

    return run()


def _phases(seconds: float) -> list[tuple[str, float]]:
    return [("warm", WARM_S), ("measured", seconds)]


def _load(
    execute: Execute, prefix: str, steps: int, seconds: float, threads: int
) -> Figures:
    def call(caller: int, count: _Count, phase: str) -> None:
        number = 0
        while count.open:
            number += 1
            execute(f"{prefix}-{phase}-{caller}-{number}", steps)
            count.add()

    count = _Count(0)
    for phase, length in _phases(seconds):
        count = _Count(length)
        told = [(n, count, phase) for n in range(threads)]
        callers = [threading.Thread(target=call, args=each) for each in told]
        for each in callers:
            each.start()
        for each in callers:
            each.join()
    return count.figures(steps)


async def _load_async(
    execute: ExecuteAsync, prefix: str, steps: int, seconds: float, callers: int
) -> Figures:
    async def call(caller: int, count: _Count, phase: str) -> None:
        number = 0
        while count.open:
            number += 1
            await execute(f"{prefix}-{phase}-{caller}-{number}", steps)
            count.add()

    count = _Count(0)
    for phase, length in _phases(seconds):
        count = _Count(length)
        await asyncio.gather(*(call(n, count, phase) for n in range(callers)))
    return count.figures(steps)


WARM_RUNS = 10


def _latency(execute: Execute, prefix: str, count: int) -> Figures:
    took: list[float] = []
    for number in range(WARM_RUNS + count):
        time.sleep(random.uniform(0.010, 0.040))
        with _timed(took):
            execute(f"{prefix}-{number}", 1)
    return latency_figures(took)


async def _latency_async(execute: ExecuteAsync, prefix: str, count: int) -> Figures:
    took: list[float] = []
    for number in range(WARM_RUNS + count):
        await asyncio.sleep(random.uniform(0.010, 0.040))
        with _timed(took):
            await execute(f"{prefix}-{number}", 1)
    return latency_figures(took)


@contextmanager
def _timed(took: list[float]) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    took.append((time.perf_counter() - begin) * 1e3)


def latency_figures(took_ms: list[float]) -> Figures:
    """Return percentiles of what is left after the warm-up."""
    kept = sorted(took_ms[WARM_RUNS:])
    p99 = kept[min(len(kept) * 99 // 100, len(kept) - 1)]
    return {"total p50 ms": kept[len(kept) // 2], "total p99 ms": p99}


def long_figures(stamps: list[int]) -> Figures:
    """Return ms per step, and how much longer the last tenth takes than the first.

    The first step is left out: it waits for the start.
    """
    gaps = [b - a for a, b in itertools.pairwise(stamps)]
    tenth = max(len(gaps) // 10, 1)
    first, last = sum(gaps[:tenth]), sum(gaps[-tenth:])
    return {
        "ms/step": sum(gaps) / len(gaps) / 1e6,
        "last tenth / first": last / first,
    }
