"""A worker process: `python -m tests.scale.worker <task queue>`; ends with SIGTERM.

It hosts workflows that sleep, and one that does a step and tells what the process is
made of.
"""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.scale.shared_clock import SharedClock
from workflows import activity, workflow
from workflows.client import BlockingClient, Client, WorkflowService
from workflows.store import Store, StoreOptions
from workflows.stores import open_store
from workflows.worker import Worker

URL, CLOCK = "SCALE_URL", "SCALE_CLOCK"
CACHED = 100  # runs that a process may keep in memory
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Process:
    """What a process is made of: resident bytes, Python objects, threads."""

    resident: int
    objects: int
    threads: int


@activity.defn
def look() -> Process:
    """Look at this process, after all that can be freed is freed."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Process(
        resident=pages * os.sysconf("SC_PAGE_SIZE"),
        objects=len(gc.get_objects()),
        threads=threading.active_count(),
    )


@activity.defn
def step() -> None:
    """Do nothing."""


@workflow.defn
class Sleeper:
    """Sleeps, and ends."""

    @workflow.run
    async def run(self, seconds: float) -> None:
        """Sleep."""
        await workflow.sleep(seconds)


@workflow.defn
class Look:
    """One step that looks at its worker."""

    @workflow.run
    async def run(self) -> Process:
        """Look."""
        return await workflow.execute_activity(look, start_to_close_timeout=MINUTE)


@workflow.defn
class Step:
    """One step."""

    @workflow.run
    async def run(self) -> None:
        """Take it."""
        await workflow.execute_activity(step, start_to_close_timeout=MINUTE)


def open_here(environ: Mapping[str, str]) -> Store:
    """Open the store that the environment names, on the shared clock."""
    clock = SharedClock(Path(environ[CLOCK]))
    return open_store(environ[URL], StoreOptions(namespace="scale", clock=clock))


async def work(task_queue: str) -> None:
    """Work until SIGTERM."""
    store = open_here(os.environ)
    client = Client.of(BlockingClient(WorkflowService(store)))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with Worker(
        client,
        task_queue=task_queue,
        workflows=[Sleeper, Look, Step],
        activities=[look, step],
        max_cached_workflows=CACHED,
    ):
        await ended.wait()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
