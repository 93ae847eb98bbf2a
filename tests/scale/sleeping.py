"""Very many runs sleep, and wake at the same moment; what that costs meanwhile.

Two worker processes: one hosts the sleepers, one another queue, which is asked for a
step again and again. Time is put forward by an hour when all sleep.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.scale import worker
from tests.scale.shared_clock import SharedClock
from tests.scale.worker import Look, Process, Sleeper, Step
from workflows.client import BlockingClient, WorkflowService
from workflows.engine.states import PENDING, JobState
from workflows.store import RunStatus, Store

SLEEPERS, OTHERS = "sleepers", "others"
HOUR_S = 3600.0
CALLERS = 16
REPOSITORY = Path(__file__).resolve().parents[2]
PROBE_S = 0.05  # between two steps of the other queue


@dataclass(slots=True)
class Served:
    """How long each step of the other queue took, in ms."""

    ms: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle one."""
        return sorted(self.ms)[len(self.ms) // 2]

    @property
    def worst(self) -> float:
        """The longest one."""
        return max(self.ms)


@dataclass(slots=True)
class Slept:
    """What was seen. `processes`: with a tenth asleep, with all, after all woke."""

    runs: int
    start_s: float = 0.0  # until all are accepted
    asleep_s: float = 0.0  # until all sleep
    wake_s: float = 0.0  # from their time until all have ended
    alone: Served = field(default_factory=Served)
    while_asleep: Served = field(default_factory=Served)
    while_waking: Served = field(default_factory=Served)
    processes: list[Process] = field(default_factory=list)
    counts: Mapping[RunStatus, int] = field(default_factory=dict)
    others: int = 0  # runs that are no sleepers


class Scene:
    """A store, its workers and a client."""

    def __init__(self, store: Store, clock: SharedClock, patience_s: float) -> None:
        self.store = store
        self._clock = clock
        self._client = BlockingClient(WorkflowService(store))
        self._patience_s = patience_s
        self._numbers = count()

    def play(self, runs: int, probes: int) -> Slept:
        """Let so many runs sleep and wake."""
        seen = Slept(runs)
        self._serve(probes)  # until the workers are warm
        seen.alone = self._serve(probes)
        begun = time.monotonic()
        self._start(0, tenth := runs // 10)
        self._await_sleep(tenth)
        seen.processes.append(self._look())
        self._start(tenth, runs)
        seen.start_s = time.monotonic() - begun
        self._await_sleep(runs)
        seen.asleep_s = time.monotonic() - begun
        seen.processes.append(self._look())
        seen.while_asleep = self._serve(probes)
        begun = time.monotonic()
        self._clock.advance(round(HOUR_S * 1000) + 1)
        seen.while_waking = self._serve(probes, until=self._nobody_runs)
        seen.wake_s = time.monotonic() - begun
        seen.processes.append(self._look())
        seen.counts = self.store.count_runs()
        seen.others = next(self._numbers)
        return seen

    def _start(self, first: int, last: int) -> None:
        """Start sleepers, several at a time."""
        numbers = iter(range(first, last))
        lock, failures = threading.Lock(), []

        def call() -> None:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                try:
                    self._client.start_workflow(
                        Sleeper.run,
                        HOUR_S,
                        id=f"sleeper-{number}",
                        task_queue=SLEEPERS,
                    )
                except Exception as error:  # noqa: BLE001 - told by the main thread
                    failures.append(error)
                    return

        callers = [threading.Thread(target=call) for _ in range(CALLERS)]
        for each in callers:
            each.start()
        for each in callers:
            each.join()
        if failures:
            raise failures[0]

    def _await_sleep(self, runs: int) -> None:
        self._await(lambda: self._idle() and self._running() == runs)

    def _idle(self) -> bool:
        """Whether no sleeper has something to do."""
        queue = self.store.get_queue(SLEEPERS)
        return queue is not None and not any(
            queue.counts.get(state) for state in (*PENDING, JobState.ACTIVE)
        )

    def _running(self) -> int:
        return self.store.count_runs().get(RunStatus.RUNNING, 0)

    def _nobody_runs(self) -> bool:
        return self._running() == 0

    def _await(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._patience_s
        while not done():
            if time.monotonic() > deadline:
                raise TimeoutError(f"still {self.store.count_runs()}")
            time.sleep(0.02)

    def _look(self) -> Process:
        seen: Process = self._client.execute_workflow(
            Look.run, id=f"look-{next(self._numbers)}", task_queue=SLEEPERS
        )
        return seen

    def _serve(self, steps: int, until: Callable[[], bool] = lambda: True) -> Served:
        """Ask the other queue for steps, at least so many, until something is so."""
        served, deadline = Served(), time.monotonic() + self._patience_s
        while len(served.ms) < steps or not until():
            if time.monotonic() > deadline:
                raise TimeoutError(f"still {self.store.count_runs()}")
            begun = time.perf_counter()
            self._client.execute_workflow(
                Step.run, id=f"step-{next(self._numbers)}", task_queue=OTHERS
            )
            served.ms.append((time.perf_counter() - begun) * 1e3)
            time.sleep(PROBE_S)
        return served


@contextmanager
def scene(url: str, folder: Path, *, patience_s: float) -> Iterator[Scene]:
    """Open a store at the URL and start its workers; the folder takes clock and log."""
    clock = folder / "clock"
    env = {worker.URL: url, worker.CLOCK: str(clock)}
    SharedClock(clock)
    with ExitStack() as stack:
        store = worker.open_here(env)
        stack.callback(store.close)
        stack.callback(store.wipe)
        log = stack.enter_context((folder / "log").open("ab"))
        for task_queue in (SLEEPERS, OTHERS):
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.scale.worker", task_queue],
                cwd=REPOSITORY,
                env={**os.environ, **env},
                stderr=log,
            )
            stack.callback(_end, process)
        yield Scene(store, SharedClock(clock), patience_s)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# -- judgement -------------------------------------------------------------------------

OBJECTS = 0.5  # per run, that a worker may keep
GROWTH = (64e6, 100)  # bytes: whatever happens, and per run
WAIT_MS = 5_000  # of one step of another queue, at the worst


def faults(seen: Slept) -> list[str]:
    """Say what is not as it should be."""
    found = []
    expected = {RunStatus.COMPLETED: seen.runs + seen.others}
    if seen.counts != expected:
        found.append(f"runs are {seen.counts}, not {expected}")
    first, *later = seen.processes
    for each in later:
        more = seen.runs * 0.9
        if each.objects - first.objects > OBJECTS * more:
            found.append(f"the worker keeps objects: {first.objects}, {each.objects}")
        if each.resident - first.resident > GROWTH[0] + GROWTH[1] * more:
            found.append(f"the worker grows: {first.resident}, {each.resident}")
        if each.threads > first.threads:
            found.append(f"the worker keeps threads: {first.threads}, {each.threads}")
    if seen.while_waking.worst > WAIT_MS:
        found.append(f"another queue waited {seen.while_waking.worst:.0f} ms")
    return found
