"""The parity suite's programs, and the histories that Temporal recorded of them."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.unit.workflow.driver import CONVERSION
from workflows.engine.activation import Initialize
from workflows.engine.definition import Definition
from workflows.engine.instance import Instance, InstanceOptions
from workflows.engine.workflow_instance import NewInstance

RAW = sorted((Path(__file__).parents[2] / "parity/temporal/golden/raw").glob("*.json"))
OTHERS = {
    "child_with_default_id": "a default child id is random, and not Temporal's",
    "plain_exception_fails_only_the_task": "it was mended while it ran",
    "uuid_and_random": "it returns whether it is being replayed",
}
Make = Callable[[Definition, Initialize, InstanceOptions], Instance]


def programs() -> dict[str, Any]:
    """Return all programs by name."""
    found: ModuleType = importlib.import_module("tests.parity.temporal.programs")
    for module in pkgutil.iter_modules(found.__path__, found.__name__ + "."):
        importlib.import_module(module.name)
    registry = importlib.import_module("tests.parity.temporal.program")
    known: dict[str, Any] = registry.PROGRAMS
    return known


def recorded_runs(
    path: Path, make: Make = Instance
) -> Iterator[tuple[Mapping[str, Any], NewInstance]]:
    """Yield each recorded run of a program, and what makes its workflow anew."""
    recorded = json.loads(path.read_bytes())
    program = programs()[recorded["program"]]
    definitions = {one.name: one for one in map(Definition.of, program.workflows)}
    types = program.worker_options.get("workflow_failure_exception_types", ())
    options = InstanceOptions(
        conversion=CONVERSION, failure_exception_types=tuple(types)
    )

    def new(start: Initialize) -> Instance:
        known = definitions.get(start.workflow_type) or definitions[None]
        return make(known, start, options)

    for run in recorded["runs"]:
        yield run, new
