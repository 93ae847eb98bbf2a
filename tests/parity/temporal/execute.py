"""Run one program on a connected client and collect everything it left behind."""

import importlib
import pkgutil
from typing import Any

from tests.parity.temporal import gates, programs
from tests.parity.temporal.normalise import hide_ids, normalise_runs
from tests.parity.temporal.program import PROGRAMS, Case, Program

Json = Any


def load_programs() -> dict[str, Program]:
    """Import every program module and return the programs by name."""
    for module in pkgutil.iter_modules(programs.__path__):
        importlib.import_module(f"{programs.__name__}.{module.name}")
    return dict(PROGRAMS)


def load_program(name: str) -> Program:
    """Return one program; modules that this engine cannot load yet are passed over.

    LookupError names what was wrong with them if the program is in none of the others.
    """
    broken = []
    for module in pkgutil.iter_modules(programs.__path__):
        try:
            importlib.import_module(f"{programs.__name__}.{module.name}")
        except Exception as error:  # noqa: BLE001 - told below
            broken.append(f"{module.name}: {error!r}")
        if name in PROGRAMS:
            return PROGRAMS[name]
    raise LookupError(f"{name!r} could not be loaded: {'; '.join(broken)}")


async def execute(client: Any, program: Program) -> tuple[Json, Json]:
    """Run `program`; return its golden document and its raw histories."""
    gates.reset()
    case = Case(client, program)
    if program.by_hand:
        await program.drive(case)
    else:
        async with case.worker():
            await program.drive(case)
    runs = await _collect(client, case.started)
    document = {
        "program": program.name,
        "outcomes": hide_ids(case.outcomes),
        "notes": hide_ids(case.notes),
        "runs": normalise_runs(runs),
    }
    return document, {"program": program.name, "runs": runs}


async def _collect(client: Any, started: list[tuple[str, str]]) -> list[Json]:
    """Fetch the runs that were started and, in order, those they led to."""
    runs = []
    waiting = list(started)
    seen = set()
    while waiting:
        execution = waiting.pop(0)
        if execution in seen:
            continue
        seen.add(execution)
        workflow_id, run_id = execution
        handle = client.get_workflow_handle(workflow_id, run_id=run_id)
        history = (await handle.fetch_history()).to_json_dict()
        description = await handle.describe()
        runs.append(
            {
                "workflowId": workflow_id,
                "runId": run_id,
                "status": description.status.name,
                "history": history,
            }
        )
        waiting += _led_to(workflow_id, history["events"])
    return runs


def _led_to(workflow_id: str, events: list[Json]) -> list[tuple[str, str]]:
    found = []
    for event in events:
        child = event.get("childWorkflowExecutionStartedEventAttributes")
        if child:
            execution = child["workflowExecution"]
            found.append((execution["workflowId"], execution["runId"]))
        for name, attributes in event.items():
            if name.endswith("EventAttributes") and attributes.get("newExecutionRunId"):
                found.append((workflow_id, attributes["newExecutionRunId"]))
    return found
