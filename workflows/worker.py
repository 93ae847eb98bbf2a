"""`Worker`: hosts workflows and activities of a task queue; and the `Replayer`.

Shaped like `temporalio.worker`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from workflows.engine.limits import Limits
from workflows.replayer import (
    Replayer,
    WorkflowReplayResult,
    WorkflowReplayResults,
)
from workflows.runtime.heartbeats import Throttle
from workflows.runtime.registration import Registry, WorkerParts, make_worker
from workflows.runtime.workflow_worker import (
    WORKFLOW_THREADS,
    WorkerOptions,
    WorkflowWorker,
)
from workflows.runtime.yielding import LIMIT_MS

if TYPE_CHECKING:
    from workflows.client import Client

__all__ = ["Replayer", "Worker", "WorkflowReplayResult", "WorkflowReplayResults"]


class Worker:
    """Polls a task queue of the client's store until it is shut down.

    `limits`: how big its runs may grow and how long they are kept closed; default is
    what the client's settings say.
    Any number may run in one process and in any number of processes. `run` works until
    `shutdown` or until it is cancelled; `async with` does both ends.
    """

    def __init__(  # noqa: PLR0913 - Temporal's signature
        self,
        client: "Client",
        *,
        task_queue: str,
        activities: Sequence[Callable[..., Any]] = (),
        workflows: Sequence[type[Any]] = (),
        activity_executor: Executor | None = None,  # noqa: ARG002 - threads of our own
        workflow_task_executor: Executor | None = None,  # noqa: ARG002
        identity: str | None = None,
        max_cached_workflows: int = 1000,
        max_concurrent_workflow_tasks: int | None = None,
        max_concurrent_activities: int | None = None,
        max_heartbeat_throttle_interval: timedelta = timedelta(seconds=60),
        default_heartbeat_throttle_interval: timedelta = timedelta(seconds=30),
        graceful_shutdown_timeout: timedelta = timedelta(),
        workflow_failure_exception_types: Sequence[type[BaseException]] = (),
        debug_mode: bool = False,
        disable_eager_activity_execution: bool = False,
        on_fatal_error: Callable[[BaseException], Awaitable[None]] | None = None,  # noqa: ARG002
        limits: Limits | None = None,
        lease: timedelta = timedelta(seconds=30),
        **accepted: Any,  # noqa: ARG002 - options of Temporal that mean nothing here
    ) -> None:
        self._client = client
        self._registry = Registry(
            workflows, activities, workflow_failure_exception_types
        )
        self._grace_s = graceful_shutdown_timeout.total_seconds()
        self._identity = identity or client.identity
        self._cached = max_cached_workflows
        self._yield_ms = None if debug_mode else LIMIT_MS
        self._limits = limits or client.service_client.limits
        self._options = WorkerOptions(
            task_queue=task_queue,
            workflow_types=tuple(self._registry.workflows),
            activities=self._registry.activities,
            dynamic_workflow=self._registry.dynamic_workflow is not None,
            dynamic_activity=self._registry.dynamic_activity is not None,
            workflow_threads=max_concurrent_workflow_tasks or WORKFLOW_THREADS,
            activity_threads=max_concurrent_activities or 32,
            lease_ms=_ms(lease),
            inline=not disable_eager_activity_execution,
        )
        self._throttle = Throttle(
            default_ms=_ms(default_heartbeat_throttle_interval),
            most_ms=_ms(max_heartbeat_throttle_interval),
        )
        self._stop = asyncio.Event()
        self._stopped = asyncio.Event()
        self._started = False
        self._run_task: asyncio.Task[None] | None = None

    @property
    def task_queue(self) -> str:
        """The task queue it polls."""
        return self._options.task_queue

    @property
    def is_running(self) -> bool:
        """Whether it works and was not asked to stop."""
        return self._started and not self._stop.is_set()

    @property
    def is_shutdown(self) -> bool:
        """Whether it has stopped."""
        return self._stopped.is_set()

    async def run(self) -> None:
        """Work until shut down.

        Raises:
            RuntimeError: it ran before.
        """
        if self._started:
            msg = "Already started"
            raise RuntimeError(msg)
        self._started = True
        worker = self._make(asyncio.get_running_loop())
        worker.start()
        try:
            await self._stop.wait()
        finally:
            self._stop.set()
            await asyncio.shield(asyncio.to_thread(worker.stop, self._grace_s))
            self._stopped.set()

    async def shutdown(self) -> None:
        """Ask it to stop, and wait until it has."""
        self._stop.set()
        if self._started:
            await self._stopped.wait()

    async def __aenter__(self) -> Self:
        """Begin to work."""
        self._run_task = asyncio.create_task(self.run())
        await asyncio.sleep(0)
        if self._run_task.done():
            await self._run_task
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Shut it down."""
        await self.shutdown()
        if self._run_task is not None:
            await self._run_task

    def _make(self, loop: asyncio.AbstractEventLoop) -> WorkflowWorker:
        client = self._client
        return make_worker(
            WorkerParts(
                store=client.store,
                namespace=client.namespace,
                data_converter=client.data_converter,
                registry=self._registry,
                options=self._options,
                identity=self._identity,
                cached=self._cached,
                limits=self._limits,
                throttle=self._throttle,
                loop=loop,
                client=client,
                yield_ms=self._yield_ms,
            )
        )


def _ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)
