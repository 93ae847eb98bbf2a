"""The checker of workflows: from the ledgers and the final dump, what was broken.

It reads nothing but the files in the folder. What must have happened comes from what
was acknowledged, what did happen from the activities' own lines.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import ledger
from tests.chaos.checker import Finding
from tests.chaos.flows import GAVE_UP, Expected, expected
from tests.chaos.ledger import Line

STORIES = 3


@dataclass(slots=True)
class Evidence:
    """All files of a run, indexed. `steps`: lines by `<workflow id>/<step>`."""

    starts: dict[str, Line] = field(default_factory=dict)
    signals: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    steps: dict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))
    faults: list[Line] = field(default_factory=list)
    runs: dict[str, list[Line]] = field(default_factory=lambda: defaultdict(list))
    store: Mapping[str, Any] = field(default_factory=dict)

    @property
    def harmed(self) -> frozenset[int]:
        """The generations that somebody killed or stopped."""
        return frozenset(line["gen"] for line in self.faults if "gen" in line)


def load(folder: Path) -> Evidence:
    """Read the files."""
    return gather(
        acks=ledger.read(folder / ledger.ACKS),
        steps=ledger.read(folder / ledger.RUNS),
        faults=ledger.read(folder / ledger.FAULTS),
        dump=ledger.read(folder / ledger.RECORDS),
    )


def gather(
    acks: Sequence[Line],
    steps: Sequence[Line],
    dump: Sequence[Line],
    faults: Sequence[Line] = (),
) -> Evidence:
    """Index the lines of all files."""
    evidence = Evidence(faults=[*faults])
    for line in acks:
        if "signal" in line:
            evidence.signals[line["id"]].append(line["signal"])
        else:
            evidence.starts[line["id"]] = line
    for line in steps:
        evidence.steps[line["id"]].append(line)
    for line in dump:
        if "flow" in line:
            evidence.runs[line["flow"]].append(line)
        else:
            evidence.store = line
    return evidence


def check(evidence: Evidence) -> list[Finding]:
    """Return every broken promise; none means that all held."""
    findings = [
        finding
        for flow, line in evidence.starts.items()
        for finding in _check_flow(evidence, flow, line)
    ]
    findings += _check_attempts(evidence)
    if not evidence.store:
        findings.append(Finding("no dump", None, "the dump is incomplete"))
    findings += [
        Finding("invariant broken", None, sentence)
        for sentence in evidence.store.get("fsck", ())
    ]
    return findings


def _check_flow(evidence: Evidence, flow: str, line: Line) -> Iterator[Finding]:
    wanted = expected(line["kind"], flow, line["size"], line["signals"])
    runs = evidence.runs.get(flow, [])
    if not runs:
        yield Finding("lost", flow, "acknowledged, but the store has no run of it")
        return
    statuses = Counter(run["status"] for run in runs)
    if statuses["running"]:
        yield Finding("stuck", flow, "still running at the end")
        return
    if statuses["completed"] != 1:
        yield Finding("wrong end", flow, f"its runs ended {dict(statuses)}")
        return
    (report,) = (run["result"] for run in runs if run["status"] == "completed")
    acked = evidence.signals.get(flow, [])
    if acked != [*wanted.signals]:
        yield Finding("not sent", flow, f"only {acked} were acknowledged")
    yield from _check_report(evidence, wanted, report)


def _check_report(
    evidence: Evidence, wanted: Expected, report: Mapping[str, Any]
) -> Iterator[Finding]:
    """Each result used once, each signal handled once and in order."""
    flow = wanted.flow
    steps = Counter(name for name, _ in report["steps"])
    if steps != Counter(wanted.steps):
        yield Finding("wrong steps", flow, f"{dict(steps)}, not {wanted.steps}")
    if report["signals"] != [*wanted.signals]:
        detail = f"handled {report['signals']}, not {[*wanted.signals]}"
        yield Finding("signals not handled once in order", flow, detail)
    for name, token in report["steps"]:
        yield from _check_step(evidence, flow, name, token)
    if report["children"].keys() != {child.flow for child in wanted.children}:
        yield Finding("wrong children", flow, f"{[*report['children']]}")
        return
    for child in wanted.children:
        if len(evidence.runs.get(child.flow, [])) != 1:
            yield Finding("child not run once", child.flow, f"by {flow}")
        yield from _check_report(evidence, child, report["children"][child.flow])


def _check_step(
    evidence: Evidence, flow: str, name: str, token: str
) -> Iterator[Finding]:
    """The result is of the last attempt, which had its effect."""
    lines = evidence.steps.get(f"{flow}/{name}", [])
    starts = [line for line in lines if line["e"] == "start"]
    effects = {line["run"] for line in lines if line["e"] == "effect"}
    if name == "once":
        if len(starts) > 1:
            detail = f"{name} started {len(starts)} times, one attempt was allowed"
            yield Finding("ran twice", flow, detail)
        if token == GAVE_UP:
            calm = [line for line in starts if line.get("gen") not in evidence.harmed]
            if calm:
                yield Finding("gave up for nothing", flow, f"{name} was not harmed")
            return
    if token not in effects:
        yield Finding("no effect", flow, f"the result of {name} is of no effect")
    last = max(starts, key=lambda line: int(line["at"]), default=None)
    if last is not None and last["run"] != token:
        detail = f"the result of {name} is not of its last attempt {last['run']}"
        yield Finding("late write accepted", flow, detail)


def _check_attempts(evidence: Evidence) -> Iterator[Finding]:
    """What was started again had failed, or its process was harmed."""
    harmed = evidence.harmed
    for step, lines in evidence.steps.items():
        failed = {line["run"] for line in lines if line["e"] == "fail"}
        calm = [
            line
            for line in lines
            if line["e"] == "start"
            and line["run"] not in failed
            and line.get("gen") not in harmed
        ]
        if len(calm) > 1:
            detail = f"{len(calm)} starts where nothing was killed"
            yield Finding("ran again for nothing", step.partition("/")[0], detail)


def story(evidence: Evidence, flow: str) -> str:
    """Return everything that the files know of a workflow, in order of time."""
    lines = [
        {**line, "e": f"{line['e']} {step.partition('/')[2]}"}
        for step, found in evidence.steps.items()
        for line in found
        if step.partition("/")[0] == flow
    ]
    lines += [{**line, "e": line["fault"]} for line in evidence.faults]
    lines.sort(key=lambda line: line["at"])
    begin = lines[0]["at"] if lines else 0
    told = [f"  {flow} {dict(evidence.starts.get(flow, {}))}"]
    told += [
        f"    {(line['at'] - begin) / 1e9:8.3f} s  {line['e']:<16}"
        f" generation {line.get('gen', '-')} {line.get('run', '')}"
        for line in lines
    ]
    told += [f"    run: {dict(run)}" for run in evidence.runs.get(flow, [])]
    return "\n".join(told)


def report(evidence: Evidence, findings: Sequence[Finding]) -> str:
    """Return the findings by kind, with the whole story of the first few."""
    told = []
    for what, count in Counter(finding.what for finding in findings).items():
        told.append(f"{what}: {count}")
        for finding in [one for one in findings if one.what == what][:STORIES]:
            told.append(f"  {finding.job or 'store'}: {finding.detail}")
            if finding.job:
                told.append(story(evidence, finding.job))
    return "\n".join(told)
