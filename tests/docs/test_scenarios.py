"""Each scenario of the marketplace has a test, or is struck with a reason."""

import re

from tests.docs.test_snippets import ROOT

COUNTS = {  # of the specification: so many scenarios of each kind
    "WA": 15,
    "OE": 10,
    "VF": 11,
    "DR": 9,
    "CR": 12,
    "BT": 12,
    "CT": 11,
    "PR": 13,
    "LC": 9,
}
ALL = {f"{kind}-{n}" for kind, count in COUNTS.items() for n in range(1, count + 1)}
TEST = re.compile(r"^(?:async )?def test_(\w+)", re.M)
KINDS = "|".join(COUNTS).lower()
NAMED = re.compile(
    rf"(?:^|_)({KINDS})_(\d+)((?:_(?:to|and)(?:_(?:{KINDS}))?_\d+)?)(?=_)"
)
STRUCK = re.compile(r"^\| ((?:[A-Z]{2}-\d+(?:, )?)+) \| (\S.*) \|$", re.M)


def scenarios(name: str) -> set[str]:
    """Return what a test's name names; `dr_1_and_2`, `cr_3_to_cr_5` are several."""
    found = set()
    for kind, first, more in NAMED.findall(f"{name}_"):
        numbers = {int(first)}
        if more:
            last = int(re.findall(r"\d+", more)[-1])
            numbers |= set(range(int(first), last + 1)) if "to" in more else {last}
        found |= {f"{kind.upper()}-{number}" for number in numbers}
    return found


def held() -> set[str]:
    names = (
        name
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for name in TEST.findall(path.read_text(encoding="utf-8"))
    )
    return {one for name in names for one in scenarios(name)}


def struck() -> set[str]:
    page = (ROOT / "docs" / "marketplace.md").read_text(encoding="utf-8")
    return {one for row, _ in STRUCK.findall(page) for one in row.split(", ")}


def test_the_specification_has_102_scenarios() -> None:
    assert len(ALL) == 102


def test_every_scenario_has_a_test_or_is_struck_with_a_reason() -> None:
    assert ALL - held() - struck() == set()
    assert struck() & held() == set(), "these have a test: strike them no more"
    assert struck() | (held() & ALL) == ALL


def test_names_of_several_scenarios_are_read() -> None:
    assert scenarios("dr_1_and_2_an_order") == {"DR-1", "DR-2"}
    assert scenarios("cr_3_to_cr_5_receipts") == {"CR-3", "CR-4", "CR-5"}
    assert scenarios("lc_9_three_timeouts_at_10_56_20") == {"LC-9"}
