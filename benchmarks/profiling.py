"""Where the time goes: jobs or workflows of this project under py-spy."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import systems
from benchmarks.cases import Site, site
from benchmarks.durable.engines import a_file, a_valkey
from benchmarks.durable.measuring import CASES as DURABLE
from benchmarks.processes import REPOSITORY
from benchmarks.servers import valkey

RATE = 500  # samples per second; less on a machine that is busy with other things
START_UP = "_find_and_load"
JOBS = ("drain", "enqueue", "bulk")
SPANS = {"wf1": 10, "wf10": 10, "wf-latency": 200, "wf-long": 3_000}


def profile(arguments: Sequence[str]) -> None:
    """Run one case under the sampler and print the functions that cost most.

    Counted are the samples in which a thread held the interpreter or was in a
    system call; waiting threads are not. Of workflows only the former count.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks profile")
    parser.add_argument("case", choices=[*JOBS, *DURABLE])
    parser.add_argument("--store", choices=["redis", "sqlite"], default="redis")
    parser.add_argument("--count", type=int, default=30_000)
    parser.add_argument("--peer", action="store_true", help="stock Huey instead")
    parser.add_argument("--lines", type=int, default=35)
    parser.add_argument("--rate", type=int, default=RATE, help="samples per second")
    options = parser.parse_args(arguments)
    if _py_spy() is None:
        sys.exit("py-spy is not installed: pip install py-spy")
    if options.case in DURABLE:
        _profile_workflows(options)
        return
    system = (systems.stock if options.peer else systems.ours)(options.store)[0]
    with ExitStack() as stack:
        server = None
        if options.store == "redis":
            server = stack.enter_context(valkey("everysec"))
        place = stack.enter_context(site(system, server))
        out = place.folder / "stacks.txt"
        if options.case == "drain":
            _record_drain(place, options.count, _spy(out, options.rate))
        else:
            command = "single" if options.case == "enqueue" else "bulk"
            _record(
                place,
                [*system.producer, command, str(options.count)],
                _spy(out, options.rate),
            )
        stacks = _read(out)
    print(f"{system.label}: {options.case} of {options.count} jobs\n")
    _print_costs(stacks, options.lines)


def _profile_workflows(options: argparse.Namespace) -> None:
    """Record a process that is client and worker in one."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        place = a_valkey if options.store == "redis" else a_file
        url = stack.enter_context(place(folder))
        argv = [sys.executable, "-m", "benchmarks.durable.ours", "both", options.case]
        argv += [str(SPANS[options.case]), "profile"]
        out = folder / "stacks.txt"
        env = {**os.environ, "BENCH_URL": url, "PYTHONPATH": str(REPOSITORY)}
        spy = [*_spy(out, options.rate), "--gil"]  # most of its threads wait
        subprocess.run([*spy, "--", *argv], env=env, cwd=REPOSITORY, check=True)
        _print_costs(_read(out), options.lines)


def _py_spy() -> str | None:
    """Return the sampler: the one beside this Python, else the first in PATH."""
    beside = str(Path(sys.executable).parent)
    return shutil.which("py-spy", path=beside) or shutil.which("py-spy")


def _spy(out: Path, rate: int) -> list[str]:
    return [
        _py_spy() or "py-spy",
        *("record", "--format", "raw", "--rate", str(rate), "--output", str(out)),
    ]


def _record_drain(place: Site, count: int, spy_argv: Sequence[str]) -> None:
    place.produce("bulk", count)
    group = place.work()
    argv = [*spy_argv, "--subprocesses", "--pid", str(group.pid)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as spy:
        try:
            place.await_stamps(count, group)
        finally:
            group.stop()
        spy.wait(30)


def _record(place: Site, command: Sequence[str], spy_argv: Sequence[str]) -> None:
    argv = [*spy_argv, "--", *command]
    env = dict(place.env)
    subprocess.run(argv, env=env, cwd=REPOSITORY, check=True, capture_output=True)


def _read(path: Path) -> Counter[tuple[str, ...]]:
    stacks: Counter[tuple[str, ...]] = Counter()
    for line in path.read_text().splitlines():
        frames, _, samples = line.rpartition(" ")
        if START_UP in frames or not frames.rpartition(";")[2].strip():
            continue  # imports, and threads that are in no Python function
        stacks[tuple(frames.split(";"))] += int(samples)
    return stacks


def _print_costs(stacks: Counter[tuple[str, ...]], lines: int) -> None:
    total = stacks.total()
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for frames, samples in stacks.items():
        names = [_function(frame) for frame in frames]
        own[names[-1]] += samples
        for name in set(names):
            within[name] += samples
    print(f"{total} samples, without the start-up")
    print(f"{'total':>7} {'own':>7}  function")
    for name in _rank(within, own, lines):
        print(f"{within[name] / total:7.1%} {own[name] / total:7.1%}  {name}")


def _function(frame: str) -> str:
    """Drop the line number: `f (file.py:12)` counts as `f (file.py)`."""
    head, _, _ = frame.rpartition(":")
    return f"{head})" if head else frame


def _rank(within: Counter[str], own: Counter[str], lines: int) -> Iterable[str]:
    """Return the functions by total cost, with the costliest of their own kept."""
    chosen = {name for name, _ in own.most_common(lines // 2)}
    for name, _ in within.most_common():
        if len(chosen) >= lines:
            break
        chosen.add(name)
    return sorted(chosen, key=lambda name: -within[name])
