"""Temporal's SDK: a worker process and a client process. Runs in its own environment.

python temporal.py work
python temporal.py drive <case> <amount> <prefix>
"""

import asyncio
import os
import sys
import time
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.durable.driving import drive_async

QUEUE = "bench"
CALLERS = int(os.environ.get("BENCH_CALLERS", "32"))


@activity.defn
async def stamp(_: int) -> int:
    """Do nothing but say when; async, the SDK's cheaper kind."""
    return time.monotonic_ns()


@workflow.defn
class Steps:
    """So many activities, one after the other."""

    @workflow.run
    async def run(self, steps: int) -> list[int]:
        """Return when each began."""
        return [
            await workflow.execute_activity(
                stamp, number, start_to_close_timeout=timedelta(minutes=1)
            )
            for number in range(steps)
        ]


async def main() -> None:
    """Do as told."""
    client = await Client.connect(os.environ["BENCH_URL"])
    if sys.argv[1] == "work":
        worker = Worker(
            client,
            task_queue=QUEUE,
            workflows=[Steps],
            activities=[stamp],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        await worker.run()
        return

    async def execute(workflow_id: str, steps: int) -> list[int]:
        return await client.execute_workflow(
            Steps.run, steps, id=workflow_id, task_queue=QUEUE
        )

    await drive_async(execute, CALLERS)


if __name__ == "__main__":
    asyncio.run(main())
