"""This project: a worker process, a client process, or both in one.

python -m benchmarks.durable.ours work
python -m benchmarks.durable.ours drive|both <case> <amount> <prefix>
"""

import asyncio
import os
import signal
import sys
import threading
import time
from datetime import timedelta
from typing import Any

from benchmarks.durable.driving import drive
from workflows import activity, workflow
from workflows.client import Client
from workflows.worker import Worker

QUEUE = "bench"
CALLERS = int(os.environ.get("BENCH_CALLERS", "32"))


@activity.defn
def stamp(_: int) -> int:
    """Do nothing but say when."""
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


def _drive(client: Client) -> None:
    blocking = client.blocking

    def execute(workflow_id: str, steps: int) -> list[int]:
        found: list[int] = blocking.execute_workflow(
            Steps.run, steps, id=workflow_id, task_queue=QUEUE
        )
        return found

    drive(execute, CALLERS)


async def _work(client: Client, body: Any) -> None:
    async with Worker(client, task_queue=QUEUE, workflows=[Steps], activities=[stamp]):
        await asyncio.to_thread(body)


async def main() -> None:
    """Do as told."""
    client = await Client.connect(os.environ["BENCH_URL"])
    command = sys.argv[1]
    if command == "drive":
        await asyncio.to_thread(_drive, client)
    elif command == "both":
        await _work(client, lambda: _drive(client))
    else:
        ended = threading.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, ended.set)
        await _work(client, ended.wait)


if __name__ == "__main__":
    asyncio.run(main())
