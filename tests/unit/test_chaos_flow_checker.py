"""The checker of workflows must see every kind of broken promise, and no ghost."""

from typing import Any

import pytest

from tests.chaos.flow_checker import check, gather
from tests.chaos.flows import GAVE_UP

pytestmark = pytest.mark.unit
Lines = list[dict[str, Any]]


def line(
    event: str, step: str = "s0", token: str = "t1", **more: Any
) -> dict[str, Any]:
    return {
        "e": event,
        "id": f"w/{step}",
        "run": token,
        "gen": 1,
        "at": 1,
        "attempt": 1,
        **more,
    }


def ran(step: str, token: str) -> Lines:
    return [line("start", step, token), line("effect", step, token)]


def run(status: str = "completed", **report: Any) -> dict[str, Any]:
    result = {"steps": [["s0", "t1"], ["once", "t2"]], "signals": [], "children": {}}
    return {"flow": "w", "run": "r", "status": status, "result": {**result, **report}}


GOOD = [*ran("s0", "t1"), *ran("once", "t2")]
AGAIN = line("start", "s0", "t3", attempt=2, gen=2, at=2)


def found(
    steps: Lines = GOOD, *runs: dict[str, Any], fsck: Lines | None = None, **said: Any
) -> set[str]:
    start = {"id": "w", "kind": "Sequential", "size": 1, "signals": 0, **said}
    store: dict[str, Any] = {"counts": {}, "fsck": fsck or []}
    faults: Lines = [{"fault": "kill", "gen": 1, "at": 1}]
    dump = [*(runs or [run()]), store]
    return {each.what for each in check(gather([start], steps, dump, faults))}


def test_a_whole_workflow_breaks_nothing() -> None:
    assert found() == set()


def test_an_attempt_that_began_late_and_was_refused_is_no_fault() -> None:
    late = line("start", "s0", "t0", attempt=1, at=9)
    done = [line("start", "s0", "t1", attempt=2), line("effect", "s0", "t1")]
    assert found([*done, late, *ran("once", "t2")]) == set()


def test_what_gave_up_after_a_kill_is_no_fault() -> None:
    steps = [*ran("s0", "t1"), line("start", "once", "t2")]
    assert found(steps, run(steps=[["s0", "t1"], ["once", GAVE_UP]])) == set()


@pytest.mark.parametrize(
    ("what", "steps", "runs"),
    [
        ("lost", GOOD, [{**run(), "flow": "other"}]),
        ("stuck", GOOD, [run("running")]),
        ("wrong end", GOOD, [run("failed")]),
        ("wrong end", GOOD, [run(), run()]),
        ("wrong steps", GOOD, [run(steps=[["s0", "t1"]] * 2 + [["once", "t2"]])]),
        ("signals not handled once in order", GOOD, [run(signals=[1])]),
        ("no effect", [line("start"), *ran("once", "t2")], [run()]),
        ("late write accepted", [*GOOD, AGAIN], [run()]),
        ("ran twice", [*GOOD, line("start", "once", "t4")], [run()]),
        (
            "ran again for nothing",
            [*GOOD, AGAIN, {**AGAIN, "run": "t5"}],
            [run(steps=[["s0", "t5"], ["once", "t2"]])],
        ),
        (
            "gave up for nothing",
            [*ran("s0", "t1"), line("start", "once", "t2", gen=2)],
            [run(steps=[["s0", "t1"], ["once", GAVE_UP]])],
        ),
        ("wrong children", GOOD, [run(children={"c": {}})]),
    ],
)
def test_a_broken_promise_is_seen(what: str, steps: Lines, runs: Lines) -> None:
    assert what in found(steps, *runs)


def test_a_signal_that_nobody_handled_is_seen() -> None:
    assert "signals not handled once in order" in found(kind="Rolling", signals=1)


def test_what_fsck_says_is_seen() -> None:
    assert found(fsck=[{"a": "sentence"}]) == {"invariant broken"}
