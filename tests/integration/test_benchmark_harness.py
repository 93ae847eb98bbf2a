"""The benchmark harness: what it counts, and that no fault of a peer ends a run."""

import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import cases, report, servers, systems
from benchmarks.durable import driving, engines, table
from benchmarks.durable import measuring as durable
from benchmarks.processes import CpuSampler, Group, cpu_ns, family

# A parent that does nothing; its children burn CPU, as forked workers do. With
# `reap` each one ends and is waited for before the next starts.
BURN_S = 0.4
PROGRAM = """
import os, sys, time
def child():
    end = time.process_time() + float(sys.argv[2])
    while time.process_time() < end: pass
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        child()
        if sys.argv[1] == "reap": os._exit(0)
        time.sleep(60)
    if sys.argv[1] == "reap": os.waitpid(pid, 0)
print("done", flush=True)
time.sleep(60)
"""


@contextmanager
def parent(mode: str, log: Path) -> Iterator[Group]:
    argv = [sys.executable, "-c", PROGRAM, mode, str(BURN_S)]
    group = Group(argv, {}, log)
    try:
        yield group
    finally:
        group.stop()


def wait_until_burnt(group: Group) -> float:
    """Return the CPU seconds counted once both children have used theirs."""
    deadline = time.monotonic() + 30
    seen = 0.0
    while time.monotonic() < deadline and seen < 2 * BURN_S:
        seen = cpu_ns(family(group.pid)) / 1e9
        time.sleep(0.02)
    return seen


@pytest.mark.parametrize("mode", ["keep", "reap"])
def test_the_cpu_of_living_and_of_ended_children_counts(
    mode: str, tmp_path: Path
) -> None:
    with parent(mode, tmp_path / "log") as group:
        assert 2 * BURN_S <= wait_until_burnt(group) < 2 * BURN_S + 0.5


def test_a_sampler_sees_children_that_are_forked_after_it_began(tmp_path: Path) -> None:
    begin = time.monotonic_ns()
    with (
        parent("keep", tmp_path / "log") as group,
        CpuSampler(group.pid, None) as sampler,
    ):
        wait_until_burnt(group)
        time.sleep(0.1)
    workers, _ = sampler.between(begin, time.monotonic_ns())
    # Interpolated from the first sample on, which may miss what Python's start took.
    assert workers / 1e9 > BURN_S * 1.8


def test_a_cpu_time_of_nobody_is_none() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert cpu_ns([ended.pid]) == 0


def broken(name: str, command: str) -> systems.System:
    argv = [sys.executable, "-c", command]
    return systems.System(name, name, "sqlite", worker=argv, producer=argv)


def test_a_peer_that_fails_is_a_failed_row_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cases, "PATIENCE_S", 8.0)
    fills = "import json, sys, time; print(json.dumps({'seconds': 1.0}));"
    works = "working = len(sys.argv) == 1;"
    peers = [
        broken("cannot fill", "raise SystemExit('no disk')"),
        broken("cannot start", f"{fills} {works} sys.exit(working)"),
        broken("starts nothing", f"{fills} {works} time.sleep(60 * working)"),
    ]
    ours = systems.ours("sqlite")[0]
    options = Namespace(quick=True, repeats=1)
    monkeypatch.setitem(benchmarks.QUICK, "drain", 200)
    rows = benchmarks._run_case("s", "drain", [*peers, ours], None, options)
    drained = {row.label: row.middle for row in rows if row.figure == "drain/s"}
    assert [drained.pop(peer.label) for peer in peers] == [None, None, None]
    assert (drained[ours.label] or 0) > 0


def test_a_run_never_shares_the_server_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with servers.valkey("everysec") as first:
        with servers.valkey("everysec") as second:
            assert first.pid != second.pid
            assert Path(f"/proc/{second.pid}").exists()
        with first.client() as client:
            folder = Path(client.config_get("dir")["dir"])
            with pytest.raises(RuntimeError, match="another server answers"):
                servers._check_ours(client, folder / "of somebody else")


# -- durable engines -------------------------------------------------------------------


def engine(label: str, program: str, **more: Any) -> engines.Engine:
    argv = [sys.executable, "-c", program]
    return engines.Engine("peer", label, engines.a_file, lambda: argv, **more)


def test_an_engine_that_fails_is_a_failed_figure_and_the_others_are_measured() -> None:
    told: list[str] = []

    def not_installed() -> list[str]:
        raise RuntimeError("no such package")

    absent = engines.Engine("peer", "absent", engines.a_file, not_installed)
    breaks = engine("breaks", "raise SystemExit('no disk')")
    half = engine("half", "import sys; sys.argv[2] == 'wf1' or 1 / 0; print('{}')")
    cases = ["wf1", "wf-long"]
    found = {
        each.label: durable.measure(each, cases, quick=True, told=told.append)
        for each in (absent, breaks, half)
    }
    assert found == {
        "absent": {"wf1": None, "wf-long": None},
        "breaks": {"wf1": None, "wf-long": None},
        "half": {"wf1": {}, "wf-long": None},
    }
    assert [line.partition(" failed")[0] for line in told] == [
        "absent",
        "breaks, wf1",
        "breaks, wf-long",
        "half, wf-long",
    ]


def test_the_load_of_several_drivers_counts_together() -> None:
    said = '{"workflows/s": 2.0, "CPU ms/workflow": 6.0}'
    twice = engine("twice", f"print({said!r})", drivers=2)
    found = durable.measure(twice, ["wf1", "wf-long"], quick=True, told=print)
    assert found == {"wf1": {"workflows/s": 4.0, "CPU ms/workflow": 3.0}}


def test_our_engine_has_figures_for_every_case() -> None:
    ours = engines.OURS[0]
    found = durable.measure(ours, durable.CASES, quick=True, told=print)
    assert {case: sorted(figures or ()) for case, figures in found.items()} == {
        "wf1": ["CPU ms/workflow", "workflows/s"],
        "wf10": ["CPU ms/step", "steps/s"],
        "wf-latency": ["total p50 ms", "total p99 ms"],
        "wf-long": ["last tenth / first", "ms/step"],
    }


def test_a_long_workflow_is_judged_by_its_first_and_its_last_tenth() -> None:
    stamps = [n * 1_000_000 for n in range(101)]
    late = [*stamps[:91], *(stamps[90] + n * 2_000_000 for n in range(1, 11))]
    assert driving.long_figures(late) == {"ms/step": 1.1, "last tenth / first": 2.0}


def test_the_tables_of_workflows_take_their_place_in_the_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    monkeypatch.setattr(table, "PAGE", page)
    runs = [
        ("ours, SQLite", "ours, SQLite, one process", {"workflows/s": 90.0}),
        ("DBOS", "DBOS, SQLite", {"workflows/s": 30.0}),
        ("Temporal, file", "Temporal", None),
    ]
    rows = report.collect(report.DURABLE, "wf1", runs)
    verdicts = [report.judge(goal, rows) for goal in report.GOALS]
    table.write_page("facts", [each for each in verdicts if each], rows)
    lines = page.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert "old" not in lines
    assert [line for line in lines if line.startswith("| wf1")] == [
        f"| wf1: workflows/s, ours, SQLite | {cells} |"
        for cells in (
            "3 x DBOS (3 to 3) | 2 | 5 | none | floor met",
            "**failed** | 1 | 50 | none | **failed**",
        )
    ]
    assert "| ours, SQLite, one process | 90 |  |  |  |  |  |  |  |" in lines
    assert "| Temporal | **failed** |  |  |  |  |  |  |  |" in lines
