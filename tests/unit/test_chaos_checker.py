"""The checker itself: it must see every kind of broken promise, and no ghost."""

from pathlib import Path
from typing import Any

import pytest

from tests.chaos import checker
from tests.chaos.checker import Evidence, check
from tests.chaos.ledger import Ledger, Tail, read

pytestmark = pytest.mark.unit


def run(event: str, gen: int = 1, job: str = "a", at: int = 0) -> dict[str, Any]:
    return {
        "e": event,
        "id": job,
        "gen": gen,
        "pid": gen * 10,
        "at": at or gen,
        "run": f"run{gen}",
    }


def record(state: str = "completed", **values: Any) -> dict[str, Any]:
    outcomes = values.pop("outcomes", ["completed"] if state == "completed" else [])
    return {
        "id": "a",
        "state": state,
        "reason": None,
        "attempts_made": 1,
        "result": "run1",
        "stalls": 0,
        "attempts": [{"outcome": outcome} for outcome in outcomes],
        **values,
    }


def evidence(
    *runs: dict[str, Any],
    kind: str = "good",
    kept: dict[str, Any] | None = None,
    faults: tuple[int, ...] = (),
) -> Evidence:
    records = {} if kept is None else {"a": kept}
    counts = {kept["state"]: 1} if kept else {}
    done = counts.get("completed", 0)
    return Evidence(
        kinds={"a": kind},
        runs={"a": list(runs)},
        faults=[{"fault": "kill", "gen": gen, "at": 2} for gen in faults],
        records=dict(records),
        store={"counts": counts, "totals": {"completed": done}, "fsck": []},
        generations=frozenset(faults),
    )


def found(held: Evidence) -> set[str]:
    return {finding.what for finding in check(held)}


def test_a_job_that_ran_once_and_completed_breaks_no_promise() -> None:
    assert found(evidence(run("start"), run("effect"), kept=record())) == set()


def test_an_acknowledged_job_without_a_record_is_lost() -> None:
    assert found(evidence()) == {"lost"}


def test_a_job_still_leased_at_the_end_is_unfinished() -> None:
    assert found(evidence(run("start"), kept=record("active"))) == {"unfinished"}


def test_a_job_completed_twice_in_its_record_is_found() -> None:
    kept = record(outcomes=["completed", "completed"])
    assert "completed twice" in found(evidence(run("start"), run("effect"), kept=kept))


def test_a_completion_counted_twice_is_found() -> None:
    held = evidence(run("start"), run("effect"), kept=record())
    held.store = {**held.store, "totals": {"completed": 2}}
    assert found(held) == {"completed twice"}


def test_a_completed_job_that_never_ran_is_found() -> None:
    assert found(evidence(kept=record())) == {"no effect"}


def test_a_second_run_without_any_fault_is_found() -> None:
    runs = [run("start"), run("effect"), run("start", 2), run("effect", 2)]
    kept = record(result="run2")
    assert found(evidence(*runs, kept=kept)) == {"ran again for nothing"}


def test_a_second_run_after_a_kill_is_excused() -> None:
    runs = [run("start"), run("start", 2), run("effect", 2)]
    assert found(evidence(*runs, kept=record(result="run2"), faults=(1,))) == set()


def test_a_result_of_a_run_that_had_lost_its_lease_is_found() -> None:
    runs = [run("start"), run("start", 2), run("effect", 1), run("effect", 2)]
    held = evidence(*runs, kept=record(result="run1"), faults=(1,))
    assert found(held) == {"late write accepted"}


def test_a_good_job_in_the_dead_letters_is_found() -> None:
    kept = record("failed", reason="exhausted", outcomes=["dead"])
    assert found(evidence(run("start"), run("fail"), kept=kept)) == {"wrong end"}


def test_a_stalled_dead_letter_needs_its_crashes() -> None:
    kept = record("failed", reason="stalled", outcomes=["dead"])
    few = evidence(run("start"), run("start", 2), kept=kept, faults=(1, 2))
    many = evidence(
        *(run("start", gen) for gen in (1, 2, 3)), kept=kept, faults=(1, 2, 3)
    )
    assert found(few) == {"false dead letter"}
    assert found(many) == set()


def test_a_broken_job_dies_exhausted_after_three_attempts() -> None:
    runs = [run(event) for _ in range(3) for event in ("start", "fail")]
    kept = record(
        "failed",
        reason="exhausted",
        attempts_made=3,
        outcomes=["retry", "retry", "dead"],
    )
    assert found(evidence(*runs, kind="broken", kept=kept)) == set()
    kept = {**kept, "attempts_made": 2}
    assert found(evidence(*runs, kind="broken", kept=kept)) == {"attempts miscounted"}


def test_a_failure_of_a_harmed_process_may_go_unwritten_no_other() -> None:
    runs = [run("start"), run("fail"), run("start", 2), run("effect", 2)]
    kept = record(result="run2")
    assert found(evidence(*runs, kind="flaky", kept=kept, faults=(1,))) == set()
    calm = evidence(*runs, kind="flaky", kept=kept)
    assert found(calm) == {"attempts miscounted"}


def test_a_broken_invariant_of_the_store_is_a_finding() -> None:
    held = evidence(run("start"), run("effect"), kept=record())
    held.store = {**held.store, "fsck": ["a counter is wrong"]}
    assert found(held) == {"invariant broken"}


def test_a_run_without_a_whole_dump_is_never_clean() -> None:
    held = evidence(run("start"), run("effect"), kept=record())
    held.store = {}
    assert found(held) == {"no dump"}


def test_a_report_tells_the_whole_story_of_an_offending_job() -> None:
    held = evidence(run("start", at=1), run("start", 2, at=3), faults=(1,))
    told = checker.report(held, check(held))
    assert "lost: 1" in told
    assert "kill" in told
    assert told.index("generation 1") < told.index("generation 2")


def test_a_ledger_keeps_whole_lines_in_order(tmp_path: Path) -> None:
    book = Ledger(tmp_path / "runs")
    tail = Tail(tmp_path / "runs")
    book.add(e="start", id="a")
    assert [line["e"] for line in tail.new()] == ["start"]
    book.add(e="effect", id="a")
    with (tmp_path / "runs").open("a") as torn:
        torn.write('{"e": "sta')
    assert [line["e"] for line in tail.new()] == ["effect"]
    assert read(tmp_path / "nothing") == []
