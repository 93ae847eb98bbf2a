"""A parity program (workflows, activities, a driver) and the driver's tools."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.parity.temporal import gates, sdk
from tests.parity.temporal.outcome import describe_error, plain

WAIT_SECONDS = 20.0
SOON_SECONDS = WAIT_SECONDS if sdk.LIBRARY == "temporalio" else 2.0
"""How long to wait for what is accepted not to come here."""

_POLL_SECONDS = 0.03

Driver = Callable[["Case"], Awaitable[None]]


@dataclass(frozen=True)
class Program:
    """One program as data; `by_hand` leaves it to the driver to start workers."""

    name: str
    workflows: Sequence[type]
    activities: Sequence[Callable[..., Any]]
    drive: Driver
    by_hand: bool = False
    worker_options: dict[str, Any] = field(default_factory=dict)


PROGRAMS: dict[str, Program] = {}


def program(
    *workflows: type,
    activities: Sequence[Callable[..., Any]] = (),
    by_hand: bool = False,
    **worker_options: Any,
) -> Callable[[Driver], Driver]:
    """Register the driver below as the program of its name."""

    def register(drive: Driver) -> Driver:
        name = drive.__name__
        if name in PROGRAMS:
            raise ValueError(f"two programs are called {name!r}")
        PROGRAMS[name] = Program(
            name, workflows, activities, drive, by_hand, worker_options
        )
        return drive

    return register


class Case:
    """One execution of a program: what its driver starts, sees and notes."""

    def __init__(self, client: Any, program: Program) -> None:
        self.client = client
        self.program = program
        self.task_queue = f"parity-{program.name}"
        self.outcomes: dict[str, Any] = {}
        self.notes: dict[str, Any] = {}
        self.started: list[tuple[str, str]] = []

    def id(self, suffix: str = "") -> str:
        """Return the workflow id of this program, or a further one."""
        return f"{self.program.name}{'-' if suffix else ''}{suffix}"

    def note(self, name: str, value: Any) -> None:
        """Keep a value that must be the same on both engines."""
        self.notes[name] = plain(value)

    @asynccontextmanager
    async def worker(self, only: str = "", **options: Any) -> AsyncIterator[Any]:
        """Run a worker of the program's workflows and activities in the block.

        `only` narrows it to "workflows" or "activities".
        """
        given = {**self.program.worker_options, **options}
        runner = getattr(sdk.worker, "UnsandboxedWorkflowRunner", None)
        if runner is not None:
            given.setdefault("workflow_runner", runner())
        with ThreadPoolExecutor(4) as threads:
            worker = sdk.worker.Worker(
                self.client,
                task_queue=self.task_queue,
                workflows=[] if only == "activities" else [*self.program.workflows],
                activities=[] if only == "workflows" else [*self.program.activities],
                activity_executor=threads,
                **given,
            )
            async with worker:
                yield worker

    async def start(
        self, workflow: Any, *args: Any, suffix: str = "", **options: Any
    ) -> Any:
        """Start a run whose history (and those it leads to) is compared."""
        options.setdefault("id", self.id(suffix))
        options.setdefault("task_queue", self.task_queue)
        method = getattr(workflow, "run", workflow)
        handle = await self.client.start_workflow(method, args=list(args), **options)
        execution = (handle.id, handle.result_run_id or handle.first_execution_run_id)
        if execution not in self.started:
            self.started.append(execution)
        return handle

    def handle(self, suffix: str = "", run_id: str | None = None) -> Any:
        """Return a handle of a workflow that need not have been started here."""
        return self.client.get_workflow_handle(self.id(suffix), run_id=run_id)

    async def outcome(
        self, handle: Any, label: str = "main", **options: Any
    ) -> dict[str, Any]:
        """Wait for the end of `handle` and keep its result or failure."""
        return await self.attempt(label, handle.result(**options))

    async def attempt(
        self, label: str, call: Awaitable[Any], *, within: float = WAIT_SECONDS
    ) -> dict[str, Any]:
        """Keep what an awaitable returns or raises."""
        try:
            value = await asyncio.wait_for(call, within)
            said = {"result": plain(value)}
        except Exception as error:  # noqa: BLE001 - every failure is an outcome
            said = {"failure": describe_error(error)}
        self.outcomes[label] = said
        return said

    async def event(self, handle: Any, name: str, count: int = 1) -> None:
        """Wait until the history of `handle` has `count` events called `name`."""
        wanted = f"EVENT_TYPE_{name}"
        await self.until(
            lambda: self._count(handle, wanted), lambda found: found >= count, name
        )

    async def comes(self, handle: Any, name: str) -> bool:
        """Say whether an event comes soon, for what may differ."""
        try:
            await asyncio.wait_for(self.event(handle, name), SOON_SECONDS)
        except TimeoutError:
            return False
        return True

    async def _count(self, handle: Any, wanted: str) -> int:
        events = (await handle.fetch_history()).to_json_dict()["events"]
        return sum(event["eventType"] == wanted for event in events)

    async def until(
        self,
        look: Callable[[], Awaitable[Any]],
        true: Callable[[Any], bool],
        name: str = "it",
    ) -> Any:
        """Look until the value satisfies `true`; TimeoutError names what was seen."""
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            seen = await look()
            if true(seen):
                return seen
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited for {name}, last saw {seen!r}")
            await asyncio.sleep(_POLL_SECONDS)

    async def next_run(self, handle: Any, run_id: str) -> None:
        """Wait until the current run of `handle` is another one than `run_id`."""
        await self.until(
            handle.describe, lambda seen: bool(seen.run_id != run_id), "the next run"
        )

    async def status(self, handle: Any) -> str:
        """Return the status of `handle` by name."""
        return str((await handle.describe()).status.name)


def hold_task(held: str, awaited: str, limit: float = 1.0) -> None:
    """Hold this workflow task until the gate `awaited` opens, and open `held` first.

    Only the first task is held: what is awaited has come before any other. This blocks
    a thread, which workflow code must never do, hence the permission.
    """
    with sdk.workflow.unsafe.sandbox_unrestricted():
        if not gates.is_open(held):
            gates.open_gate(held)
            gates.block(awaited, limit)


def seconds(value: float) -> timedelta:
    """Return a duration, short to read."""
    return timedelta(seconds=value)
