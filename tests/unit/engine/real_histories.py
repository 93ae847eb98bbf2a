"""The histories that a real Temporal server recorded (tests/parity/temporal)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from workflows.engine.commands import ScheduleLocalActivity
from workflows.engine.events import EventType as E
from workflows.engine.history import Event
from workflows.engine.inbox import Said, Start
from workflows.engine.local_activities import LocalOutcome
from workflows.engine.markers import local_outcome
from workflows.engine.workflow_tasks import RecordedTask

RAW = sorted((Path(__file__).parents[2] / "parity/temporal/golden/raw").glob("*.json"))
OF_A_SERVER = {  # what only a server with namespaces, versions and requests has
    *("namespace", "namespaceId", "parentWorkflowNamespace", "inheritBuildId"),
    *("parentWorkflowNamespaceId", "requestId", "workerVersion", "meteringMetadata"),
    *("useWorkflowBuildId", "prevAutoResetPoints", "sdkMetadata", "historySizeBytes"),
    *("workflowTaskBuildId", "identity", "control", "eagerExecutionAccepted"),
}


def real_runs() -> list[Any]:
    """Return all runs, as parameters of tests."""
    return [
        pytest.param(run, id=f"{path.stem}-{n}")
        for path in RAW
        for n, run in enumerate(json.loads(path.read_text())["runs"])
    ]


def real_chains() -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield each run that another follows, with that one."""
    for path in RAW:
        runs = {run["runId"]: run for run in json.loads(path.read_text())["runs"]}
        for run in runs.values():
            last = run["history"]["events"][-1]
            for said in last.values():
                if isinstance(said, dict) and said.get("newExecutionRunId") in runs:
                    yield run, runs[said["newExecutionRunId"]]


def real_children() -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield each first run of a child, with its parent's run."""
    for path in RAW:
        runs = {run["runId"]: run for run in json.loads(path.read_text())["runs"]}
        for run in runs.values():
            said = run["history"]["events"][0][
                "workflowExecutionStartedEventAttributes"
            ]
            parent = said.get("parentWorkflowExecution", {}).get("runId")
            if parent in runs and "continuedExecutionRunId" not in said:
                yield runs[parent], run


def plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes without what only a server has, and without empty ones."""
    found = {}
    for name, value in attributes.items():
        if name in OF_A_SERVER:
            continue
        kept = plain(value) if isinstance(value, dict) else value
        if kept not in ({}, None, ""):
            found[name] = kept
    return found


class Item:
    """A told event as an inbox entry."""

    def __init__(self, seq: int, at: int, said: Said) -> None:
        self.seq, self.at = seq, at
        self.data = msgspec.json.encode(said)


def entries(task: RecordedTask) -> list[Item]:
    """Return what lay in the inbox for a task: its events, and starts inside them."""
    starts: dict[str, Start] = {}
    found: list[Item] = []
    for _, event in task.told:
        said = dict(event.attributes)
        if event.type is E.ACTIVITY_TASK_STARTED:
            starts[said["scheduledEventId"]] = Start(
                at=event.at,
                attempt=said["attempt"],
                identity=said.get("identity", ""),
                last_failure=said.get("lastFailure"),
            )
        elif not event.type.startswith(("WORKFLOW_TASK_", "WORKFLOW_EXECUTION_STAR")):
            start = starts.get(said.get("scheduledEventId", ""))
            found.append(Item(len(found) + 1, event.at, _said(event, said, start)))
    return found


def _said(event: Event, said: dict[str, Any], start: Start | None) -> Said:
    if "scheduledEventId" in said or "initiatedEventId" in said:
        said.pop("startedEventId", None)
    said.pop("latestCancelRequestedEventId", None)
    return Said(type=event.type, attributes=said, start=start)


class RecordedLocals:
    """Runs local activities as the markers of a task say."""

    def __init__(self, task: RecordedTask) -> None:
        self.ends = [found[0] for _, e in task.commands if (found := local_outcome(e))]
        self.running: set[int] = set()

    def start(self, command: ScheduleLocalActivity, at: int) -> None:
        self.running.add(command.seq)

    def cancel(self, seq: int) -> None:
        self.running.discard(seq)

    def wait(self) -> Sequence[LocalOutcome]:
        for end in self.ends:
            if end.seq in self.running:
                self.running.discard(end.seq)
                return [end]
        raise AssertionError("nothing runs")
