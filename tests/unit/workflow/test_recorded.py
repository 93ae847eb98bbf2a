"""Histories that Temporal's own server recorded replay on our engine without a word.

The programs are those of the parity suite; what each returned or failed with must come
out again.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.workflow.driver import CONVERSION
from tests.unit.workflow.recorded_programs import OTHERS, RAW, recorded_runs
from workflows.engine.activation import Activation, Initialize
from workflows.engine.commands import Command, CompleteWorkflow, FailWorkflow
from workflows.engine.definition import Definition
from workflows.engine.history import from_temporal_json
from workflows.engine.instance import Instance, InstanceOptions
from workflows.engine.replay import Replay

# What differs between two runs of the same program, or is of the writer alone.
UNCOMPARED = {
    *("stackTrace", "source", "identity", "runId", "namespace"),
    *("scheduledEventId", "startedEventId", "initiatedEventId"),
}


class Spy(Instance):
    """Remembers how the run ended."""

    end: Command | None = None

    def activate(self, activation: Activation) -> list[Command]:
        commands = list(super().activate(activation))
        for command in commands:
            if isinstance(command, CompleteWorkflow | FailWorkflow):
                self.end = self.end or command
        return commands


@pytest.mark.parametrize("path", RAW, ids=lambda path: path.stem)
def test_what_temporal_recorded_replays(path: Path) -> None:
    if path.stem in OTHERS:
        pytest.skip(OTHERS[path.stem])
    live: list[Spy] = []

    def make(known: Definition, start: Initialize, options: InstanceOptions) -> Spy:
        live.append(Spy(known, start, options))
        return live[-1]

    for run, new in recorded_runs(path, make):
        live.clear()
        events = run["history"]["events"]
        first = events[0]["workflowExecutionStartedEventAttributes"]
        replay = Replay(first["workflowId"], first["originalExecutionRunId"], new)
        replay.feed(from_temporal_json(run["history"]))
        replay.evict()
        if live:
            compare_end(events[-1], live[0].end)


def compare_end(event: dict[str, Any], end: Command | None) -> None:
    completed = event.get("workflowExecutionCompletedEventAttributes")
    failed = event.get("workflowExecutionFailedEventAttributes")
    if completed is not None:
        assert isinstance(end, CompleteWorkflow)
        assert end.result is not None
        payloads = tuple(completed["result"]["payloads"])
        ours = CONVERSION.from_payloads((end.result,))
        assert ours == CONVERSION.from_payloads(payloads)
    if failed is not None:
        assert isinstance(end, FailWorkflow)
        assert stripped(end.failure) == stripped(failed["failure"])


def stripped(form: Any) -> Any:
    if isinstance(form, dict):
        pairs = form.items()
        return {key: stripped(v) for key, v in pairs if key not in UNCOMPARED}
    return [stripped(each) for each in form] if isinstance(form, list) else form
