"""Run every mutant: `python -m tests.mutants [--short] [--only TEXT] [--jobs N]`.

Each one is a change of an adapter, in a temporary copy of the project. The suites
must fail on it. A mutant that survives, that breaks the adapter altogether, or that
no longer applies fails the command. The short form takes every second mutant, and runs
the suites as one, from the module that should catch it on, until the first failure; the
full form runs contract suite and random programs one after the other and says what each
caught.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.mutants import redis, redis_runs, sqlite, sqlite_runs
from tests.mutants.mutant import Mutant, StaleMutantError

ROOT = Path(__file__).parents[2]
MUTANTS = [
    *(*sqlite.MUTANTS, *sqlite_runs.MUTANTS),
    *(*redis.MUTANTS, *redis_runs.MUTANTS),
]
COPIED = ("workflows", "tests", "pyproject.toml", "setup.cfg")
SMOKE = "tests/contract/test_enqueue.py::test_an_accepted_job_waits_with_all_its_fields"
CAUGHT, PASSED = 1, 0  # what pytest's exit codes say of a mutant
TIMEOUT_S = 900


class Verdict(NamedTuple):
    """What became of one mutant."""

    mutant: Mutant
    caught_by: tuple[str, ...]
    seconds: float
    problem: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the mutants, print a table; 0 if every one was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants")
    parser.add_argument(
        "--short", action="store_true", help="every second one, until the first failure"
    )
    parser.add_argument("--only", default="", help="mutants with this in their name")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    options = parser.parse_args(arguments)
    chosen = [m for m in MUTANTS if options.only in f"{m.adapter} {m.name}"]
    if options.short and not options.only:
        chosen = chosen[::2]
    with ThreadPoolExecutor(options.jobs) as pool:
        baselines = pool.map(baseline, sorted({m.adapter for m in chosen}))
        problems = [text for text in baselines if text]
    if problems:
        print(*problems, sep="\n")
        return 1
    with ThreadPoolExecutor(options.jobs) as pool:
        verdicts = []
        for verdict in pool.map(lambda m: judge(m, short=options.short), chosen):
            verdicts.append(verdict)
            print(line(verdict), flush=True)
    caught = sum(1 for verdict in verdicts if verdict.caught_by)
    print(f"\n{caught} of {len(verdicts)} mutants were caught")
    return 0 if caught == len(verdicts) > 0 else 1


def line(verdict: Verdict) -> str:
    """One row of the table."""
    mutant = verdict.mutant
    result = ", ".join(verdict.caught_by) or f"NOT CAUGHT {verdict.problem}"
    return f"{mutant.adapter:7} {mutant.name:42} {verdict.seconds:5.1f} s  {result}"


def baseline(adapter: str) -> str:
    """Say what is wrong if the suites fail on the adapter as it is."""
    with copied() as root:
        code, output = run(root, adapter, "tests/contract")
    if code == PASSED:
        return ""
    return f"the contract suite fails on {adapter} without any mutant:\n{output}"


def judge(mutant: Mutant, *, short: bool) -> Verdict:
    """Run the suites on one mutant."""
    began = time.monotonic()
    with copied() as root:
        try:
            mutant.apply(root)
        except StaleMutantError as error:
            return Verdict(mutant, (), 0.0, str(error))
        code, output = run(root, mutant.adapter, SMOKE)
        if code != PASSED:
            problem = f"it does not run at all:\n{output}"
            return Verdict(mutant, (), time.monotonic() - began, problem)
        caught_by = try_suites(root, mutant, short=short)
    return Verdict(mutant, caught_by, time.monotonic() - began)


def try_suites(root: Path, mutant: Mutant, *, short: bool) -> tuple[str, ...]:
    """Return the names of the suites that failed."""
    module = f"tests/contract/test_{mutant.module}.py"
    if not short:
        suites = {"contract": "tests/contract", "programs": "tests/property"}
        codes = {name: run(root, mutant.adapter, s)[0] for name, s in suites.items()}
        return tuple(name for name, code in codes.items() if code == CAUGHT)
    for name in (module, "tests/contract", "tests/property"):
        if run(root, mutant.adapter, name)[0] == CAUGHT:
            return (name.removeprefix("tests/"),)
    return ()


class copied:  # noqa: N801 - reads as a verb
    """A temporary copy of what the suites need, in memory where that exists."""

    def __enter__(self) -> Path:
        shared = Path("/dev/shm")
        self._folder = tempfile.mkdtemp(
            prefix="mutant-", dir=shared if shared.is_dir() else None
        )
        root = Path(self._folder)
        for name in COPIED:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "node_modules")
                shutil.copytree(ROOT / name, root / name, ignore=ignored)
            else:
                shutil.copy2(ROOT / name, root / name)
        return root

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def run(root: Path, adapter: str, suite: str) -> tuple[int, str]:
    """Run a suite on one adapter of a copy, until its first failure."""
    command = [sys.executable, "-B", "-m", "pytest", suite, "-x", "-q", "--no-header"]
    command += ["-p", "no:cacheprovider", "-p", "no:randomly"]
    command += ["--basetemp", str(root / "tmp"), "--tb", "short"]
    if suite != "tests/property":
        command += ["-k", adapter]
    environment = {
        **os.environ,
        "PYTHONPATH": str(root),
        "HYPOTHESIS_PROFILE": "short",
        "PROPERTY_ADAPTERS": adapter,
    }
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return CAUGHT, "it hangs"
    return done.returncode, done.stdout[-3000:] + done.stderr[-1000:]


if __name__ == "__main__":
    sys.exit(main())
