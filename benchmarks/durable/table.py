"""The tables of workflows: in one run's report, and in docs/performance.md."""

from collections.abc import Sequence

from benchmarks import report
from benchmarks.processes import REPOSITORY
from benchmarks.report import Row, Verdict

PAGE = REPOSITORY / "docs" / "performance.md"
BEGIN, END = "<!-- workflows, measured: begin -->", "<!-- end -->"
COLUMNS = (
    ("wf1", "workflows/s", "workflows of 1 step, /s"),
    ("wf1", "CPU ms/workflow", "CPU ms each"),
    ("wf10", "steps/s", "of 10 steps, steps/s"),
    ("wf10", "CPU ms/step", "CPU ms/step"),
    ("wf-latency", "total p50 ms", "1 step, p50 ms"),
    ("wf-latency", "total p99 ms", "p99 ms"),
    ("wf-long", "ms/step", "1,000 steps, ms/step"),
    ("wf-long", "last tenth / first", "last tenth / first"),
)


def engines(rows: Sequence[Row]) -> str:
    """Return one line per engine: the median of each figure."""
    found = [row for row in rows if row.setting == report.DURABLE]
    cells = {(row.label, row.case, row.figure): row for row in found}
    lines = [
        "| Engine | " + " | ".join(title for _, _, title in COLUMNS) + " |",
        "|---|" + "---|" * len(COLUMNS),
    ]
    for label in dict.fromkeys(row.label for row in found):
        shown = [_cell(cells.get((label, *column[:2]))) for column in COLUMNS]
        lines.append(f"| {label} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    return report.FAILED if row.middle is None else report.number(row.middle)


def write_page(facts: str, verdicts: Sequence[Verdict], rows: Sequence[Row]) -> None:
    """Put what was measured of workflows into the page, in place of what is there.

    Raises:
        ValueError: the page has lost the place for it.
    """
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        msg = f"{PAGE.name} needs the lines {BEGIN} and {END}"
        raise ValueError(msg)
    asked = [each for each in verdicts if each.goal.setting == report.DURABLE]
    text = "\n".join([BEGIN, "", facts, report.goals(asked), engines(rows), END])
    PAGE.write_text(before + text + after)
