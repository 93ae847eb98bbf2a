"""From figures to tables: medians, ratios to the peers, floors and targets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from benchmarks.cases import Figures


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one system: its repeats, in the order they ran."""

    setting: str  # the server's durability
    case: str
    system: str
    label: str
    figure: str
    values: tuple[float | None, ...]  # None: this repeat failed

    @property
    def numbers(self) -> list[float]:
        """The repeats that did not fail."""
        return [value for value in self.values if value is not None]

    @property
    def middle(self) -> float | None:
        """The median of the repeats; None if all failed."""
        return median(self.numbers) if self.numbers else None


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked of a figure: a ratio to a peer, or with no peer a bound."""

    setting: str
    case: str
    figure: str
    peer: str | None
    floor: float
    target: float
    stretch: float | None = None
    at_least: bool = True  # False: smaller is better
    mine: str = "ours"


FAST, FULL = "Valkey, AOF everysec", "SQLite, synchronous FULL"
STRICT = "Valkey, AOF always"
DURABLE = "Workflows"
_JOBS = (
    Goal(FAST, "drain", "drain/s", "RedisHuey", 3, 5, 10),
    Goal(FAST, "drain", "drain/s", "BullMQ", 1, 1.5),
    Goal(FAST, "enqueue", "enqueue/s", "RedisHuey", 0.9, 1),
    Goal(FAST, "bulk", "bulk/s", "BullMQ", 1.5, 4, 8),
    Goal(FAST, "drain", "CPU µs/job", None, 90, 45, 25, at_least=False),
    Goal(FAST, "drain", "round trips/job", None, 0.3, 0.3, at_least=False),
    Goal(FAST, "latency", "latency p50 ms", None, 1.0, 0.7, 0.55, at_least=False),
    Goal(FAST, "latency", "latency p99 ms", None, 2.0, 1.3, 1.0, at_least=False),
    Goal(FAST, "timers", "late p99 ms", None, 50, 50, at_least=False),
    Goal(FULL, "drain", "drain/s", "SqliteHuey", 2, 5, 10),
    Goal(FULL, "syncs", "syncs/job", None, 0.2, 0.2, at_least=False),
    Goal(FULL, "latency", "latency p50 ms", None, 10, 3, 1, at_least=False),
    Goal(FULL, "timers", "late p99 ms", None, 50, 50, at_least=False),
)


def _durable(mine: str) -> tuple[Goal, ...]:
    """Return what is asked of workflows, on one of our stores."""

    def ratio(case: str, peer: str, floor: float, target: float) -> Goal:
        figure = "workflows/s" if case == "wf1" else "steps/s"
        return Goal(DURABLE, case, figure, peer, floor, target, mine=mine)

    def bound(case: str, figure: str, floor: float, target: float) -> Goal:
        return Goal(
            DURABLE, case, figure, None, floor, target, at_least=False, mine=mine
        )

    memory, file = "Temporal, memory", "Temporal, file"
    return (
        ratio("wf1", "DBOS", 2, 5),
        ratio("wf1", memory, 1, 20),
        ratio("wf1", file, 1, 50),
        ratio("wf10", "DBOS", 2, 6),
        ratio("wf10", memory, 1, 20),
        bound("wf-latency", "total p50 ms", 7, 4),
        bound("wf-latency", "total p99 ms", 15, 10),
        bound("wf-long", "ms/step", 2.5, 1),
        bound("wf-long", "last tenth / first", 1.25, 1.15),
    )


GOALS = (*_JOBS, *_durable("ours, SQLite"), *_durable("ours, Valkey"))

FAILED = "**failed**"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal, what was measured (None: a side failed), and how far it got."""

    goal: Goal
    value: float | None
    spread: tuple[float, float] | None
    level: str


def collect(
    setting: str, case: str, runs: Sequence[tuple[str, str, Figures | None]]
) -> list[Row]:
    """Make rows of the (system, label, figures) of all repeats of a case.

    Figures are None where the run failed: its place in the rows stays empty, and a
    system that failed always has the rows that the others have.
    """
    asked = list(dict.fromkeys(name for _, _, found in runs for name in found or ()))
    grouped: dict[tuple[str, str], list[Figures | None]] = {}
    for system, label, figures in runs:
        grouped.setdefault((system, label), []).append(figures)
    rows: list[Row] = []
    for (system, label), repeats in grouped.items():
        known = {name for found in repeats for name in found or ()}
        for name in [name for name in asked if name in known] or asked or [case]:
            values = tuple((found or {}).get(name) for found in repeats)
            rows.append(Row(setting, case, system, label, name, values))
    return rows


def judge(goal: Goal, rows: Iterable[Row]) -> Verdict | None:
    """Hold a goal against what was measured; None if it was not measured.

    Each system counts with the best of its configurations. Ratios are taken repeat
    by repeat (the machine drifts), and their median decides.
    """
    fitting = [
        row
        for row in rows
        if (row.setting, row.case, row.figure) == (goal.setting, goal.case, goal.figure)
    ]
    mine = _best(fitting, goal.mine, goal)
    if mine is None:
        return None
    values = mine.numbers
    if goal.peer is not None:
        peer = _best(fitting, goal.peer, goal)
        if peer is None:
            return None
        pairs = zip(mine.values, peer.values, strict=True)
        values = [a / b for a, b in pairs if a is not None and b is not None]
    if not values:
        return Verdict(goal, None, None, FAILED)
    value = median(values)
    return Verdict(goal, value, (min(values), max(values)), _level(goal, value))


def _best(rows: Iterable[Row], system: str, goal: Goal) -> Row | None:
    worst = float("-inf") if goal.at_least else float("inf")
    choose = max if goal.at_least else min
    own = [row for row in rows if row.system == system]
    return choose(own, key=lambda row: row.middle or worst) if own else None


def _level(goal: Goal, value: float) -> str:
    sign = 1 if goal.at_least else -1

    def holds(bound: float | None) -> bool:
        return bound is not None and sign * value >= sign * bound

    if holds(goal.stretch):
        return "stretch met"
    if holds(goal.target):
        return "target met"
    return "floor met" if holds(goal.floor) else "**FLOOR MISSED**"


def markdown(verdicts: Iterable[Verdict], rows: Iterable[Row]) -> str:
    """Return both tables: first the goals with their ratios, then every figure."""
    lines = [
        goals(verdicts),
        "| setting | figure | system | median | min | max |",
        "|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: (row.setting, row.case, row.figure)):
        cells = _cells(row)
        lines.append(f"| {row.setting} | {_named(row)} | {row.label} | {cells} |")
    return "\n".join(lines) + "\n"


def goals(verdicts: Iterable[Verdict]) -> str:
    """Return the table of what was asked and what was measured."""
    lines = [
        "| goal | measured (min to max) | floor | target | stretch | |",
        "|---|---|---|---|---|---|",
    ]
    for verdict in verdicts:
        goal = verdict.goal
        unit = f" x {goal.peer}" if goal.peer else ""
        stretch = "none" if goal.stretch is None else number(goal.stretch)
        lines.append(
            f"| {_asked(goal)} "
            f"| {_measured(verdict, unit)} "
            f"| {number(goal.floor)} | {number(goal.target)} | {stretch} "
            f"| {verdict.level} |"
        )
    return "\n".join(lines) + "\n"


def _asked(goal: Goal) -> str:
    if goal.setting == DURABLE:
        return f"{goal.case}: {goal.figure}, {goal.mine}"
    return f"{goal.figure}, {goal.setting}"


def _named(row: Row) -> str:
    """Return the figure; of workflows with the case, for they share figures."""
    return f"{row.case}: {row.figure}" if row.setting == DURABLE else row.figure


def _measured(verdict: Verdict, unit: str) -> str:
    if verdict.value is None or verdict.spread is None:
        return FAILED
    low, high = verdict.spread
    return f"{number(verdict.value)}{unit} ({number(low)} to {number(high)})"


def _cells(row: Row) -> str:
    if row.middle is None:
        return f"{FAILED} | | "
    numbers = (row.middle, min(row.numbers), max(row.numbers))
    cells = " | ".join(map(number, numbers))
    failed = len(row.values) - len(row.numbers)
    return f"{cells} ({failed} {FAILED})" if failed else cells


def as_json(verdicts: Iterable[Verdict], rows: Iterable[Row]) -> dict[str, object]:
    """Return the same as plain data."""
    return {
        "goals": [asdict(verdict) for verdict in verdicts],
        "figures": [asdict(row) for row in rows],
    }


def facts(values: Mapping[str, str]) -> str:
    """Return the line that says where and with what this was measured."""
    return " · ".join(f"{name} {value}" for name, value in values.items()) + "\n"


def number(value: float) -> str:
    """Return a figure in three digits or so."""
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
