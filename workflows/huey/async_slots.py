"""Slots for `async def` jobs: one event loop per process, no worker thread each."""

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from workflows.huey.handler import HueyHandler
from workflows.runtime.lease import Lease
from workflows.runtime.pool import Pool

logger = logging.getLogger("workflows.huey")

LOOP_ENDS_S = 1.0  # unless a job blocks it


class AsyncSlots:
    """Takes jobs of its pool on one thread and runs them on the loop of another."""

    def __init__(self, pool: Pool, handler: HueyHandler) -> None:
        self._pool = pool
        self._handler = handler
        self._loop = asyncio.new_event_loop()
        self._free = threading.Semaphore(pool.capacity)
        self._running: set[asyncio.Task[None]] = set()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="async-settle")
        self._threads = [
            threading.Thread(target=self._loop.run_forever, name="jobs", daemon=True),
            threading.Thread(target=self._feed, name="async-claim", daemon=True),
        ]

    def start(self) -> None:
        """Begin to take jobs."""
        for thread in self._threads:
            thread.start()

    def drain(self, timeout_s: float | None) -> None:
        """Wait for the running jobs to end, after the pool stopped claiming."""
        give_up = None if timeout_s is None else time.monotonic() + timeout_s
        while self._running and (give_up is None or time.monotonic() < give_up):
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the loop; what still runs stays for the process to give back."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._threads[0].join(LOOP_ENDS_S)
        if not self._running and not self._loop.is_running():
            self._loop.close()
        self._writer.shutdown(wait=True)

    def _feed(self) -> None:
        while True:
            self._free.acquire()
            lease = self._pool.take()
            if lease is None:
                return
            self._loop.call_soon_threadsafe(self._start, lease)

    def _start(self, lease: Lease) -> None:
        task = self._loop.create_task(self._run(lease))
        self._running.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._running.discard)

    async def _run(self, lease: Lease) -> None:
        try:
            ended = await self._handler.run_async(lease)
            self._pool.end(lease, ended)
        except BaseException:
            logger.exception("async_job_failed job_id=%s", lease.job.id)
            raise
        finally:
            self._free.release()
        self._writer.submit(self._pool.flush)
