"""What the parts of an instance share: commands, numbers, mode, and waiting."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, Literal

from workflows.engine.activation import Activation, Initialize, Payload
from workflows.engine.commands import (
    CancelTimer,
    CancelWorkflow,
    Command,
    FailWorkflow,
    StartTimer,
)
from workflows.engine.definition import Definition
from workflows.engine.instance.errors import (
    ContinueAsNewError,
    EvictedError,
    ReadOnlyContextError,
)
from workflows.engine.instance.options import InstanceOptions
from workflows.engine.loop import WorkflowLoop
from workflows.exceptions import CancelledError, FailureError, is_cancelled_exception

logger = logging.getLogger("workflows.engine")
Kind = Literal["timer", "activity", "child", "external_signal", "external_cancel"]


class Core:
    """The state that every part may use. Belongs to one instance."""

    def __init__(
        self,
        owner: Any,
        definition: Definition,
        start: Initialize,
        options: InstanceOptions,
    ) -> None:
        self.definition = definition
        self.start = start
        self.conversion = options.conversion
        self.namespace = options.namespace
        self.task_queue: str = start.attributes.get("taskQueue", {}).get("name", "")
        salt = int.from_bytes(sha256(start.seed.encode()).digest()[:8])
        self.loop = WorkflowLoop(self, owner, salt)  # type: ignore[abstract]
        self.activation = Activation(
            at=start.started_at,
            replaying=True,
            history_length=0,
            history_size=0,
            continue_as_new_suggested=False,
            jobs=(),
        )
        self.commands: list[Command] = []
        self.cancel_reason: str | None = None
        self.failed_with: BaseException | None = None  # fails the workflow task
        self.read_only = False
        self.querying = False
        self._evicting = False
        self._numbers: dict[Kind, int] = {}
        self._failures = (
            FailureError,
            TimeoutError,
            *definition.failure_exception_types,
            *options.failure_exception_types,
        )

    # -- mode -------------------------------------------------------------------------

    @property
    def evicting(self) -> bool:
        """Whether the instance is being torn down."""
        return self._evicting

    def begin_eviction(self) -> None:
        """From now on nothing that workflow code does has an effect."""
        self._evicting = True

    @property
    def replaying(self) -> bool:
        """Whether this activation happened before (a teardown counts, to be silent)."""
        return self.activation.replaying or self._evicting

    @contextmanager
    def reading_only(self, *, querying: bool = False) -> Iterator[None]:
        """Refuse every change inside the block; `querying`: it answers a query."""
        before = self.read_only, self.querying
        self.read_only, self.querying = True, querying
        try:
            yield
        finally:
            self.read_only, self.querying = before

    def require_writable(self, action: str, *, when_evicting: bool = False) -> None:
        """Raise ReadOnlyContextError in a query, EvictedError while torn down."""
        if self._evicting and not when_evicting:
            msg = f"{action}: the workflow is being evicted; this is no error"
            raise EvictedError(msg)
        if self.read_only:
            msg = f"{action}: a query (or other read-only code) must change nothing"
            raise ReadOnlyContextError(msg)

    # -- commands ---------------------------------------------------------------------

    def emit(self, command: Command) -> None:
        """Ask the engine for something."""
        self.require_writable(type(command).__name__)
        self.commands.append(command)

    def take_commands(self) -> list[Command]:
        """Return what was asked for since the last time."""
        taken, self.commands = self.commands, []
        return taken

    def next_number(self, kind: Kind) -> int:
        """Return the next `seq` of a kind."""
        number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return number

    def start_timer(self, duration_ms: int, summary: str | None) -> int:
        """See `workflows.engine.loop.Host`."""
        seq = self.next_number("timer")
        self.emit(
            StartTimer(seq=seq, duration_ms=duration_ms, summary=self.summary(summary))
        )
        return seq

    def cancel_timer(self, seq: int) -> None:
        """See `workflows.engine.loop.Host`. Nothing to forget while torn down."""
        if not self._evicting:
            self.emit(CancelTimer(seq=seq))

    def summary(self, text: str | None) -> Payload | None:
        """Return a text for people as a payload."""
        return self.conversion.to_payloads([text])[0] if text else None

    def report(self, message: str, error: BaseException | None) -> None:
        """See `workflows.engine.loop.Host`."""
        if not self.replaying:
            logger.error("%s [%s]", message, self.where(), exc_info=error)

    def where(self) -> str:
        """Name the run, for logs."""
        start = self.start
        return f"{start.workflow_type} {start.workflow_id} run {start.run_id}"

    # -- waiting and ending -----------------------------------------------------------

    async def outcome(
        self,
        future: "asyncio.Future[Any]",
        cancel: Callable[[asyncio.CancelledError], None],
        *,
        cancel_beats_outcome: bool = False,
        workflow_cancel_ends_wait: bool = False,
    ) -> Any:
        """Wait for something that the engine decides, also when cancelled.

        A cancellation is passed on by `cancel` and then forgotten (`uncancel`), so that
        the outcome says what became of it. `cancel_beats_outcome`: unless both came in
        one step.
        """
        while True:
            try:
                return await _shielded(self.loop, future)
            except asyncio.CancelledError as error:
                if self._evicting:
                    raise EvictedError from error
                if cancel_beats_outcome and future.done():
                    raise
                cancel(error)
                task = asyncio.current_task(self.loop)
                assert task is not None  # noqa: S101 - only tasks can be cancelled
                task.uncancel()
                if workflow_cancel_ends_wait and self.cancel_reason is not None:
                    raise

    def is_failure(self, error: BaseException) -> bool:
        """Return whether an error fails the workflow; others fail its task."""
        return isinstance(error, self._failures)

    async def top_level(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run the workflow itself or a signal handler; an error of it is an end."""
        try:
            await work()
        except ContinueAsNewError as request:
            self.emit(request.command)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001
            if not self._evicting:
                self._end_with(error)
        except BaseException as error:
            if self._evicting or isinstance(error, GeneratorExit):
                raise
            self.failed_with = RuntimeError(f"a workflow raised {error!r}")
            self.failed_with.__cause__ = error

    def _end_with(self, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError):
            cancelled = CancelledError(str(error))
            cancelled.__cause__ = error.__cause__
            error = cancelled.with_traceback(error.__traceback__)
        if self.cancel_reason is not None and is_cancelled_exception(error):
            self.emit(CancelWorkflow())
        elif self.is_failure(error):
            try:
                self.fail(error)
            except Exception as fault:  # noqa: BLE001 - it has details that are no data
                self.failed_with = fault
        else:
            self.failed_with = error

    def fail(self, error: BaseException) -> None:
        """Fail the workflow."""
        self.emit(FailWorkflow(failure=self.conversion.to_failure(error)))

    def raise_failure(self) -> None:
        """Raise what fails the workflow task, if something does."""
        if self.failed_with is not None and not self._evicting:
            raise self.failed_with


async def _shielded(loop: WorkflowLoop, inner: "asyncio.Future[Any]") -> Any:
    """Wait for a future that outlives its waiter."""
    waiter = loop.create_future()

    def wake(_: object) -> None:
        if not waiter.done():
            waiter.set_result(None)

    inner.add_done_callback(wake)
    try:
        await waiter
    finally:
        inner.remove_done_callback(wake)
    return inner.result()
