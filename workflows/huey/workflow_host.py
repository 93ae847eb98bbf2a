"""Workflows under Huey's consumer: a worker per registered task queue and process."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from workflows.converter import DataConverter
from workflows.engine.limits import Limits
from workflows.exceptions import InvalidArgumentError
from workflows.runtime.registration import Registry, WorkerParts, make_worker
from workflows.runtime.workflow_worker import (
    WORKFLOW_THREADS,
    WorkerOptions,
    WorkflowWorker,
)
from workflows.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What one task queue hosts in every consumer of an instance."""

    task_queue: str
    registry: Registry
    data_converter: DataConverter
    cached: int

    @property
    def names(self) -> Iterator[tuple[str, str]]:
        """What is hosted, for people: each kind with the name of its type."""
        registry = self.registry
        yield from (("workflow", name) for name in registry.workflows)
        yield from (("activity", name) for name in registry.activities)
        if registry.dynamic_workflow is not None:
            yield "workflow", "(any other)"
        if registry.dynamic_activity is not None:
            yield "activity", "(any other)"


class Registrations:
    """The workflows and activities of an instance, by task queue."""

    def __init__(self) -> None:
        self._by_queue: dict[str, Registration] = {}

    def add(
        self,
        task_queue: str,
        workflows: Sequence[type[Any]],
        activities: Sequence[Callable[..., Any]],
        *,
        data_converter: DataConverter,
        cached: int,
    ) -> None:
        """Register what a task queue hosts; once per queue."""
        if task_queue in self._by_queue:
            msg = f"task queue {task_queue!r} is registered already"
            raise InvalidArgumentError(msg)
        self._by_queue[task_queue] = Registration(
            task_queue=task_queue,
            registry=Registry(workflows, activities),
            data_converter=data_converter,
            cached=cached,
        )

    def __iter__(self) -> Iterator[Registration]:
        """Iterate over the registrations."""
        return iter(self._by_queue.values())

    def __bool__(self) -> bool:
        """Whether anything is registered."""
        return bool(self._by_queue)


class WorkflowHosts:
    """The workflow workers of one process, and the loop of their async activities."""

    def __init__(
        self,
        store: Store,
        registrations: Registrations,
        *,
        threads: int,
        lease_ms: int,
        sweep_interval_ms: int,
        namespace: str,
        limits: Limits,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="activities", daemon=True
        )
        identity = f"{os.getpid()}@{socket.gethostname()}"
        self._workers: list[WorkflowWorker] = [
            make_worker(
                WorkerParts(
                    store=store,
                    namespace=namespace,
                    data_converter=one.data_converter,
                    registry=one.registry,
                    identity=identity,
                    cached=one.cached,
                    limits=limits,
                    loop=self._loop,
                    options=WorkerOptions(
                        task_queue=one.task_queue,
                        workflow_types=tuple(one.registry.workflows),
                        activities=one.registry.activities,
                        dynamic_workflow=one.registry.dynamic_workflow is not None,
                        dynamic_activity=one.registry.dynamic_activity is not None,
                        workflow_threads=max(2, min(threads, WORKFLOW_THREADS)),
                        activity_threads=max(2, threads),
                        lease_ms=lease_ms,
                        sweep_interval_ms=sweep_interval_ms,
                    ),
                )
            )
            for one in registrations
        ]

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()
        for worker in self._workers:
            worker.start()

    def stop_claiming(self) -> None:
        """Take nothing more; what runs goes on. Repeatable."""
        for worker in self._workers:
            worker.stop_claiming()

    def stop(self, grace_s: float) -> None:
        """Take nothing more, let what runs end within the grace, then end."""
        self.stop_claiming()
        until = time.monotonic() + grace_s
        for worker in self._workers:
            worker.stop(max(until - time.monotonic(), 0.0))
        self._loop.call_soon_threadsafe(self._loop.stop)
