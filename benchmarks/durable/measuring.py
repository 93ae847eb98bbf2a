"""Measures one engine once: all cases, one after the other, in one place."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.cases import Figures
from benchmarks.durable.engines import Engine
from benchmarks.processes import REPOSITORY, Group

SECONDS = {"wf1": 2.5, "wf10": 2.5}
COUNTS = {"wf-latency": 60, "wf-long": 1_000}
QUICK = {"wf1": 1.0, "wf10": 1.0, "wf-latency": 10, "wf-long": 100}
CASES = (*SECONDS, *COUNTS)
PATIENCE_S = 150.0  # for one case

Told = Callable[[str], None]


def measure(
    engine: Engine, cases: Sequence[str], *, quick: bool, told: Told
) -> dict[str, Figures | None]:
    """Return the figures of each case; None where it failed, which `told` hears of.

    What goes wrong with the place fails all cases, and one case only itself.
    """
    if engine.drivers > 1:  # what is not about load is measured with one
        cases = [case for case in cases if case in SECONDS]
    figures: dict[str, Figures | None] = dict.fromkeys(cases)
    try:
        with _running(engine) as site:
            for case in cases:
                figures[case] = _attempt(engine, site, case, quick=quick, told=told)
    except Exception as error:  # noqa: BLE001 - a fault of any engine ends here
        told(f"{engine.label} failed: {type(error).__name__}: {error}")
    return figures


class _Site:
    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self.argv = argv
        self.env = env


@contextmanager
def _running(engine: Engine) -> Iterator[_Site]:
    """Start the engine's place and its workers."""
    argv = engine.program()
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        folder = Path(name)
        url = stack.enter_context(engine.place(folder))
        env = {"BENCH_URL": url, "PYTHONPATH": str(REPOSITORY), **engine.env}
        for _ in range(engine.workers):
            group = Group([*argv, "work"], env, folder / "worker.log")
            stack.callback(group.stop)
        yield _Site(argv, env)


def _attempt(
    engine: Engine, site: _Site, case: str, *, quick: bool, told: Told
) -> Figures | None:
    try:
        return _run(engine, site, case, quick=quick)
    except (RuntimeError, subprocess.SubprocessError, ValueError) as error:
        told(f"{engine.label}, {case} failed: {type(error).__name__}: {error}")
        return None


def _run(engine: Engine, site: _Site, case: str, *, quick: bool) -> Figures:
    """Run one case; the load of several drivers counts together."""
    amount = QUICK[case] if quick else {**SECONDS, **COUNTS}[case]
    load = case in SECONDS
    command = "drive" if engine.workers else "both"
    drivers = [
        subprocess.Popen(
            [*site.argv, command, case, str(amount), f"{case}-{number}"],
            env={**os.environ, **site.env},
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(engine.drivers if load else 1)
    ]
    try:
        found = [_figures(driver) for driver in drivers]
    finally:
        for driver in drivers:
            driver.kill()
            driver.wait()
    return {name: _together(name, [x[name] for x in found]) for name in found[0]}


def _together(name: str, values: Sequence[float]) -> float:
    """Return what several drivers did at one time: rates add up.

    Each has counted the CPU time of all, but only its own workflows.
    """
    if name.startswith("CPU"):
        return 1 / sum(1 / value for value in values)
    return sum(values)


def _figures(driver: subprocess.Popen[str]) -> Figures:
    out, said = driver.communicate(timeout=PATIENCE_S)
    if driver.returncode:
        msg = f"the driver ended with {driver.returncode}:\n{said[-1_500:]}"
        raise RuntimeError(msg)
    figures: Figures = json.loads(out.splitlines()[-1])
    return figures
