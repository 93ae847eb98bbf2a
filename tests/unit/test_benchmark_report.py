"""How benchmark figures become verdicts."""

import pytest

from benchmarks.report import FAILED, Goal, Row, collect, judge, markdown

pytestmark = pytest.mark.unit
RATIO = Goal("s", "drain", "drain/s", "peer", 3, 5, 10)
BOUND = Goal("s", "drain", "CPU", None, 90, 45, at_least=False)


def rows(figure: str, **values: list[float | None]) -> list[Row]:
    return [
        Row("s", "drain", name.split("_")[0], name, figure, tuple(numbers))
        for name, numbers in values.items()
    ]


def test_a_ratio_is_taken_repeat_by_repeat_and_its_median_decides() -> None:
    measured = rows("drain/s", ours=[40.0, 100.0, 70.0], peer=[10.0, 20.0, 10.0])
    verdict = judge(RATIO, measured)
    assert verdict is not None
    assert (verdict.value, verdict.spread) == (5.0, (4.0, 7.0))
    assert verdict.level == "target met"


def test_each_system_counts_with_its_best_configuration() -> None:
    measured = rows(
        "drain/s", ours_a=[10.0], ours_b=[40.0], peer_a=[9.0], peer_b=[10.0]
    )
    verdict = judge(RATIO, measured)
    assert verdict is not None
    assert verdict.value == 4.0


@pytest.mark.parametrize(
    ("cpu", "level"),
    [(100.0, "**FLOOR MISSED**"), (90.0, "floor met"), (45.0, "target met")],
)
def test_a_bound_is_met_from_below(cpu: float, level: str) -> None:
    verdict = judge(BOUND, rows("CPU", ours=[cpu]))
    assert verdict is not None
    assert verdict.level == level


def test_what_was_not_measured_gets_no_verdict() -> None:
    assert judge(RATIO, rows("drain/s", ours=[1.0])) is None


def test_repeats_of_one_system_become_one_row() -> None:
    runs = [("ours", "ours, 2", {"a": 1.0}), ("ours", "ours, 2", {"a": 2.0})]
    assert [row.values for row in collect("s", "drain", runs)] == [(1.0, 2.0)]


def test_a_failed_repeat_leaves_a_gap_and_the_others_count() -> None:
    measured = rows("drain/s", ours=[40.0, 90.0, 50.0], peer=[10.0, None, 10.0])
    verdict = judge(RATIO, measured)
    assert verdict is not None
    assert (verdict.value, verdict.spread) == (4.5, (4.0, 5.0))


def test_a_configuration_that_failed_is_never_the_best() -> None:
    measured = rows("drain/s", ours=[40.0], peer_a=[None], peer_b=[10.0])
    verdict = judge(RATIO, measured)
    assert verdict is not None
    assert verdict.value == 4.0


def test_a_peer_that_always_failed_is_named_as_failed() -> None:
    figures = {"drain/s": 40.0}
    measured = collect(
        "s", "drain", [("ours", "ours", figures), ("peer", "peer", None)]
    )
    verdict = judge(RATIO, measured)
    assert verdict is not None
    assert (verdict.value, verdict.level) == (None, FAILED)
    text = markdown([verdict], measured)
    assert f"| s | drain/s | peer | {FAILED} |" in text
    assert "| s | drain/s | ours | 40 | 40 | 40 |" in text
