"""The checker: from the ledgers and the final dump, what was promised and broken.

It reads nothing but the files in the folder.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import ledger
from tests.chaos.ledger import Line

LIVE = frozenset({"waiting", "delayed", "active"})
# kind -> the reason of its dead letter (None: it completes), and how often it fails
FATES: Mapping[str, tuple[str | None, int]] = {
    "good": (None, 0),
    "flaky": (None, 1),
    "broken": ("exhausted", 3),
    "refused": ("non_retryable", 1),
    "poison": ("stalled", 0),
}
STORIES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise."""

    what: str
    job: str | None
    detail: str


@dataclass(slots=True)
class Evidence:
    """All files of a run, indexed."""

    kinds: dict[str, str] = field(default_factory=dict)
    runs: dict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))
    faults: list[Line] = field(default_factory=list)
    records: dict[str, Line] = field(default_factory=dict)
    store: Mapping[str, Any] = field(default_factory=dict)
    generations: frozenset[int] = frozenset()  # that the harness harmed
    dead: frozenset[int] = frozenset()  # processes that a poison job took down

    def faulted(self, run: Line) -> bool:
        """Whether whatever wrote this line was killed, stopped or cut off."""
        return run["gen"] in self.generations or run["pid"] in self.dead


def load(folder: Path) -> Evidence:
    """Read the files."""
    evidence = Evidence()
    for line in ledger.read(folder / ledger.ACKS):
        evidence.kinds[line["id"]] = line["kind"]
    for line in ledger.read(folder / ledger.RUNS):
        evidence.runs[line["id"]].append(line)
        if line["e"] == "death":
            evidence.dead |= {line["pid"]}
    evidence.faults = ledger.read(folder / ledger.FAULTS)
    harmed = (line["gen"] for line in evidence.faults if "gen" in line)
    evidence.generations = frozenset(harmed)
    for line in ledger.read(folder / ledger.RECORDS):
        if "id" in line:
            evidence.records[line["id"]] = line
        else:
            evidence.store = line
    return evidence


def check(evidence: Evidence, *, max_stalls: int = 3) -> list[Finding]:
    """Return every broken promise; none means that all held."""
    findings = [
        finding
        for job, kind in evidence.kinds.items()
        for finding in _check_job(evidence, job, kind, max_stalls)
    ]
    findings += _check_store(evidence)
    return findings


def _check_job(
    evidence: Evidence, job: str, kind: str, max_stalls: int
) -> Iterator[Finding]:
    record = evidence.records.get(job)
    if record is None:
        yield Finding("lost", job, "acknowledged, but the store has no record of it")
        return
    if record["state"] in LIVE:
        yield Finding("unfinished", job, f"still {record['state']} at the end")
        return
    yield from _check_end(evidence, record, kind, max_stalls)
    yield from _check_runs(evidence, record, kind)


def _check_end(
    evidence: Evidence, record: Line, kind: str, max_stalls: int
) -> Iterator[Finding]:
    job, state, reason = record["id"], record["state"], record["reason"]
    outcomes = Counter(attempt["outcome"] for attempt in record["attempts"])
    completions = outcomes["completed"]
    if completions > 1:
        yield Finding("completed twice", job, f"{completions} times in the record")
    if (state == "completed") != (completions > 0):
        yield Finding("false record", job, f"{state}, but completed {completions} x")
    deaths = outcomes["dead"]
    if deaths > 1:
        yield Finding("died twice", job, f"{deaths} times in the record")
    wanted, fails = FATES[kind]
    if reason == "stalled":
        yield from _check_stalled(evidence, job, max_stalls)
    elif reason != wanted or state != ("failed" if wanted else "completed"):
        detail = f"a {kind} job ended {state} ({reason}), not {wanted or 'completed'}"
        yield Finding("wrong end", job, detail)
    else:
        yield from _check_attempts(evidence, record, fails, spends=fails + (not wanted))


def _check_attempts(
    evidence: Evidence, record: Line, fails: int, *, spends: int
) -> Iterator[Finding]:
    """Every attempt is spent, but a failure whose process was hit may go unwritten."""
    spent: int = record["attempts_made"]
    unwritten = 0
    if record["state"] == "completed":
        runs = evidence.runs[record["id"]]
        lost = [run for run in runs if run["e"] == "fail" and evidence.faulted(run)]
        unwritten = min(len(lost), fails)
    if not spends - unwritten <= spent <= spends:
        detail = f"{spent} attempts spent, {spends} expected"
        yield Finding("attempts miscounted", record["id"], detail)


def _check_stalled(evidence: Evidence, job: str, max_stalls: int) -> Iterator[Finding]:
    """A stalled dead letter needs the crashes that made it one.

    One of its stalls may have hit it before it wrote its start.
    """
    broken_off = _broken_off(evidence.runs[job])
    if broken_off < max_stalls:
        detail = f"stalled, but only {broken_off} of its runs were broken off"
        yield Finding("false dead letter", job, detail)


def _broken_off(runs: Sequence[Line]) -> int:
    events = [str(line["e"]) for line in runs]
    return events.count("start") - events.count("effect") - events.count("fail")


def _check_runs(evidence: Evidence, record: Line, kind: str) -> Iterator[Finding]:
    """Whatever ran again must have been hit by a fault."""
    job, runs = record["id"], evidence.runs[record["id"]]
    effects = sum(line["e"] == "effect" for line in runs)
    starts = [line for line in runs if line["e"] == "start"]
    harmed = any(evidence.faulted(line) for line in runs)
    if record["state"] == "completed":
        if not effects:
            yield Finding("no effect", job, "completed, but it never ran to its end")
        yield from _check_result(record, starts)
    elif effects and not harmed:
        yield Finding("effect of a dead job", job, f"{effects} effects")
    wanted, fails = FATES[kind]
    calm = [line for line in starts if not evidence.faulted(line)]
    allowed = fails + (wanted is None)
    if kind != "poison" and len(calm) > allowed:
        detail = f"{len(calm)} starts where nothing was killed, {allowed} expected"
        yield Finding("ran again for nothing", job, detail)


def _check_result(record: Line, starts: Sequence[Line]) -> Iterator[Finding]:
    """The recorded result is of the run that held the last lease."""
    last = max(starts, key=lambda line: int(line["at"]), default=None)
    if last is not None and last["run"] not in record["result"]:
        detail = f"its result is not of its last run {last['run']}"
        yield Finding("late write accepted", record["id"], detail)


def _check_store(evidence: Evidence) -> Iterator[Finding]:
    """The counters tell the same as the records, and every invariant holds."""
    records = evidence.records.values()
    if not evidence.store:
        yield Finding("no dump", None, "the dump of the store is incomplete")
        return
    states = Counter(record["state"] for record in records)
    for state, count in evidence.store["counts"].items():
        if states[state] != count:
            detail = f"counter {state} = {count}, records {states[state]}"
            yield Finding("counter wrong", None, detail)
    completed = evidence.store["totals"].get("completed", 0)
    if completed != states["completed"]:
        detail = f"{completed} completions counted, {states['completed']} records"
        yield Finding("completed twice", None, detail)
    for sentence in evidence.store["fsck"]:
        yield Finding("invariant broken", None, sentence)


def story(evidence: Evidence, job: str) -> str:
    """Return everything that the files know of a job, in order of time."""
    lines = [dict(line) for line in evidence.runs.get(job, [])]
    gens = {line["gen"] for line in lines}
    lines += [
        {**line, "e": line["fault"]}
        for line in evidence.faults
        if line.get("gen") in gens or "gen" not in line
    ]
    lines.sort(key=lambda line: line["at"])
    begin = lines[0]["at"] if lines else 0
    told = [f"  {job} ({evidence.kinds.get(job, 'never acknowledged')})"]
    for line in lines:
        seconds = (line["at"] - begin) / 1e9
        told.append(
            f"    {seconds:8.3f} s  {line['e']:<8} generation {line.get('gen', '-')}"
            f" pid {line.get('pid', '-')}"
        )
    told.append(f"    record: {json.dumps(evidence.records.get(job))}")
    return "\n".join(told)


def report(evidence: Evidence, findings: Sequence[Finding]) -> str:
    """Return the findings by kind, with the whole story of the first few jobs."""
    told = []
    for what, count in Counter(finding.what for finding in findings).items():
        told.append(f"{what}: {count}")
        first = [finding for finding in findings if finding.what == what][:STORIES]
        for finding in first:
            told.append(f"  {finding.job or 'store'}: {finding.detail}")
            if finding.job:
                told.append(story(evidence, finding.job))
    return "\n".join(told)
