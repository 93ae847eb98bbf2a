"""Signals and cancel requests to other workflows."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from workflows.engine.activation import (
    Failure,
    ResolveCancelExternal,
    ResolveSignalExternal,
)
from workflows.engine.commands import CancelExternal, CancelSignal, SignalExternal
from workflows.engine.definition import SIGNAL, handler_name
from workflows.engine.instance.core import Core

W = TypeVar("W")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalCall:
    """One signal to a child or to any other workflow."""

    name: str
    arguments: Sequence[Any]
    workflow_id: str = ""
    run_id: str = ""
    child_workflow_id: str = ""


class External:
    """What one instance sent and was not told the outcome of."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._signals: dict[int, asyncio.Future[None]] = {}
        self._cancels: dict[int, asyncio.Future[None]] = {}

    async def signal(self, call: SignalCall) -> None:
        """Send a signal; returns when it is delivered.

        Raises:
            ApplicationError: nobody to deliver it to (type
                ExternalWorkflowExecutionNotFound).
            CancelledError: it was cancelled before it was sent.
        """
        arguments = self.core.conversion.to_payloads(call.arguments)
        seq = self.core.next_number("external_signal")
        self.core.emit(
            SignalExternal(
                seq=seq,
                name=call.name,
                arguments=arguments,
                workflow_id=call.workflow_id,
                run_id=call.run_id,
                child_workflow_id=call.child_workflow_id,
            )
        )
        done = self._signals[seq] = self.core.loop.create_future()

        def take_back(_: asyncio.CancelledError) -> None:
            if seq in self._signals:
                self.core.emit(CancelSignal(seq=seq))

        await self.core.outcome(done, take_back)

    async def cancel(self, workflow_id: str, run_id: str, reason: str) -> None:
        """Ask another workflow to cancel; returns when the request is delivered.

        Raises:
            ApplicationError: no such workflow runs.
        """
        seq = self.core.next_number("external_cancel")
        self.core.emit(
            CancelExternal(
                seq=seq, workflow_id=workflow_id, run_id=run_id, reason=reason
            )
        )
        done = self._cancels[seq] = self.core.loop.create_future()
        await done

    def resolve_signal(self, job: ResolveSignalExternal) -> None:
        """A signal was delivered or not."""
        self._settle(self._signals, job.seq, job.failure, "signal")

    def resolve_cancel(self, job: ResolveCancelExternal) -> None:
        """A cancel request was delivered or not."""
        self._settle(self._cancels, job.seq, job.failure, "cancel request")

    def _settle(
        self,
        waiting: "dict[int, asyncio.Future[None]]",
        seq: int,
        failure: Failure | None,
        what: str,
    ) -> None:
        done = waiting.pop(seq, None)
        if done is None:
            msg = f"no {what} {seq} waits for an outcome"
            raise RuntimeError(msg)
        if done.done():  # its waiter was cancelled
            return
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(self.core.conversion.from_failure(failure))


class ExternalWorkflowHandle(Generic[W]):
    """Another workflow, by id: the current run, or the one with `run_id`."""

    def __init__(
        self, external: External, workflow_id: str, run_id: str | None
    ) -> None:
        self._external = external
        self._id, self._run_id = workflow_id, run_id

    @property
    def id(self) -> str:
        """Its workflow id."""
        return self._id

    @property
    def run_id(self) -> str | None:
        """The run that is meant; None: the current one."""
        return self._run_id

    async def signal(
        self, signal: Any, arg: Any = ..., *, args: Sequence[Any] = ()
    ) -> None:
        """Send a signal (name or handler); see `External.signal`."""
        call = SignalCall(
            name=handler_name(signal, SIGNAL),
            arguments=args if arg is ... else [arg],
            workflow_id=self._id,
            run_id=self._run_id or "",
        )
        await self._external.signal(call)

    async def cancel(self, reason: str = "") -> None:
        """Ask it to cancel; see `External.cancel`."""
        await self._external.cancel(self._id, self._run_id or "", reason)
