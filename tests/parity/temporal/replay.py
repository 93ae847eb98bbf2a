"""Replay Temporal's own histories with the programs' code, on the library at hand.

`python -m tests.parity.temporal.replay` does it with Temporal's SDK: what even that
cannot replay is no fixture.
"""

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ["PARITY_SDK"] = "temporalio"

from tests.parity.temporal import gates, sdk
from tests.parity.temporal.execute import load_programs
from tests.parity.temporal.program import Program

RAW = Path(__file__).with_name("golden") / "raw"

NEVER_RAN = frozenset({"unknown_workflow_type", "arguments_that_do_not_fit"})
"""Programs whose workflow code never began: there is nothing to replay."""


async def replay(program: Program) -> list[str]:
    """Replay every recorded run of `program`; return what went wrong, by run."""
    gates.reset()
    gates.open_all()
    options: dict[str, Any] = {}
    runner = getattr(sdk.worker, "UnsandboxedWorkflowRunner", None)
    if runner is not None:
        options["workflow_runner"] = runner()
    replayer = sdk.worker.Replayer(workflows=list(program.workflows), **options)
    failed = []
    for run in json.loads((RAW / f"{program.name}.json").read_text())["runs"]:
        history = sdk.client.WorkflowHistory.from_json(
            run["workflowId"], run["history"]
        )
        try:
            await asyncio.wait_for(replayer.replay_workflow(history), 20)
        except Exception as error:  # noqa: BLE001 - every failure is told
            failed.append(f"{run['workflowId']} {run['runId']}: {error!r}")
    return failed


def main() -> int:
    """Replay everything; return the number of programs that failed."""
    logging.disable(logging.CRITICAL)
    failed = 0
    for name, program in load_programs().items():
        if name not in NEVER_RAN:
            found = asyncio.run(replay(program))
            failed += bool(found)
            print("\n".join([f"{name:44} {'FAILED' if found else 'ok'}", *found]))
    return failed


if __name__ == "__main__":
    sys.exit(main())
