"""A live workflow: activations in, commands out."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextvars import Context
from functools import cached_property
from typing import Any, get_args

from workflows.engine.activation import (
    Activation,
    ActivationJob,
    CancelRequested,
    FireTimer,
    Initialize,
    NotifyPatch,
    Payload,
    Query,
    ResolveActivity,
    ResolveCancelExternal,
    ResolveChild,
    ResolveChildStart,
    ResolveSignalExternal,
    Signal,
)
from workflows.engine.commands import Command, CompleteWorkflow, TerminalCommand
from workflows.engine.definition import Definition, argument_hints
from workflows.engine.instance import guards
from workflows.engine.instance.activities import Activities
from workflows.engine.instance.attributes import Attributes
from workflows.engine.instance.children import Children
from workflows.engine.instance.core import Core
from workflows.engine.instance.external import External
from workflows.engine.instance.handlers import Queries, Signals
from workflows.engine.instance.info import Info, read_info
from workflows.engine.instance.options import InstanceOptions
from workflows.engine.instance.patches import Patches
from workflows.engine.instance.reports import (
    await_site,
    interactions,
    message_payload,
    stack_locations,
    stack_traces,
)
from workflows.engine.instance.streams import Streams
from workflows.exceptions import FailureError

logger = logging.getLogger("workflows.engine")
TERMINAL: tuple[type[Any], ...] = get_args(TerminalCommand)
TEARDOWN_STEPS = 10_000  # callbacks; code that goes on after that is cut off


class TeardownLimit(BaseException):
    """Too many steps in a teardown."""


class Instance:
    """See `workflows.engine.workflow_instance.WorkflowInstance`."""

    def __init__(
        self, definition: Definition, start: Initialize, options: InstanceOptions
    ) -> None:
        guards.install()
        guards.cover(definition.run)
        self.core = core = Core(self, definition, start, options)
        self.object: Any = None  # of the author's class
        self.streams = Streams(start.seed)
        self.activities = Activities(core)
        self.external = External(core)
        self.children = Children(core, self.external)
        self.patches = Patches(core)
        self.attributes = Attributes(core)
        self.signals = Signals(core)
        self.queries = Queries(
            core,
            {
                "__stack_trace": self._stack_trace,
                "__enhanced_stack_trace": self._stack_locations,
                "__temporal_workflow_metadata": self._metadata,
            },
        )
        self.current_details = ""
        self._arguments: list[Any] = []
        self._main: asyncio.Task[None] | None = None
        self._context = Context()  # nothing of the worker's own is seen inside

    # -- the engine's side ------------------------------------------------------------

    def activate(self, activation: Activation) -> Sequence[Command]:
        """See the protocol."""
        self._context.run(self._activate, activation)
        commands = self.core.take_commands()
        ended = any(isinstance(command, TERMINAL) for command in commands)
        if ended and not activation.replaying:
            self.signals.warn_unfinished()
        return commands

    def await_site(self) -> str:
        """See the protocol."""
        return await_site(self._main)

    def evict(self) -> None:
        """See the protocol. Code that does not end by itself is closed by force."""
        if not self.core.evicting:
            self.core.begin_eviction()
            self._context.run(self._tear_down)

    def _activate(self, activation: Activation) -> None:
        self.core.activation = activation
        self.core.loop.now_ms = activation.at
        before = self._enter()
        try:
            self._run(activation.jobs)
        except Exception as error:
            if not self.core.is_failure(error):
                raise
            self.core.fail(error)
        except (SystemExit, KeyboardInterrupt) as error:
            msg = f"workflow code raised {type(error).__name__}; raise a failure"
            raise RuntimeError(msg) from error  # not to end the worker's thread
        finally:
            asyncio._set_running_loop(before)  # noqa: SLF001 - asyncio's own seam

    def _run(self, jobs: Sequence[ActivationJob]) -> None:
        """Apply the jobs in four sets, and run the workflow after each."""
        sets: tuple[list[ActivationJob], ...] = ([], [], [], [])
        for job in jobs:
            sets[_set_of(job)].append(job)
            if isinstance(job, Initialize):
                self._arguments = self._decode_input(job)
        for number, jobs_of_set in enumerate(sets):
            if not jobs_of_set:
                continue
            for job in jobs_of_set:
                self._apply(job)
            self._make_object()
            self.core.loop.run(
                conditions=number in (1, 2), after_each=self.core.raise_failure
            )

    def _apply(self, job: ActivationJob) -> None:  # noqa: C901 - one per job
        match job:
            case Initialize():
                work = self.core.top_level(self._run_main)
                self._main = self.core.loop.create_task(work, name="run")
            case NotifyPatch():
                self.patches.notify(job.patch_id)
            case Signal():
                self.signals.apply(job)
            case FireTimer():
                self.core.loop.fire(job.seq)
            case ResolveActivity():
                self.activities.resolve(job)
            case ResolveChildStart():
                self.children.resolve_start(job)
            case ResolveChild():
                self.children.resolve(job)
            case ResolveSignalExternal():
                self.external.resolve_signal(job)
            case ResolveCancelExternal():
                self.external.resolve_cancel(job)
            case CancelRequested():
                self._cancel(job.reason)
            case Query():
                self.queries.answer(job)

    def _cancel(self, reason: str) -> None:
        self.core.cancel_reason = reason
        if self._main is not None:
            # Later, so that a run that has not begun yet can catch it.
            self.core.loop.call_soon(self._main.cancel)

    # -- the author's side ------------------------------------------------------------

    @cached_property
    def info(self) -> Info:
        """About the run; read again after attributes changed."""
        return read_info(self.core, self.attributes.memo, self.attributes.search)

    def forget_info(self) -> None:
        """Read `info` again when it is asked for next."""
        self.__dict__.pop("info", None)

    async def _run_main(self) -> None:
        definition = self.core.definition
        result = await definition.run(self.object, *self._arguments)
        payload = self.core.conversion.to_payloads([result])[0]
        self.core.emit(CompleteWorkflow(result=payload))

    def _make_object(self) -> None:
        """Make the author's object, before any handler and before `run`."""
        if self.object is not None:
            return
        definition = self.core.definition
        arguments = self._arguments if definition.takes_input else ()
        self.object = definition.cls(*arguments)
        self.signals.instance = self.queries.instance = self.object

    def _decode_input(self, job: Initialize) -> list[Any]:
        definition, conversion = self.core.definition, self.core.conversion
        if definition.name is None:
            return [conversion.raw_values(job.arguments)]
        hints = argument_hints(definition.run, method=True)
        try:
            return conversion.from_payloads(job.arguments, hints)
        except FailureError:
            raise
        except Exception as error:
            msg = f"the arguments of {definition.name} cannot be decoded: {error}"
            raise RuntimeError(msg) from error

    # -- built-in queries -------------------------------------------------------------

    def _stack_trace(self) -> Payload:
        traces = stack_traces(self.core.loop.tasks)
        return self.core.conversion.to_payloads([traces])[0]

    def _stack_locations(self) -> Payload:
        form = stack_locations(self.core.loop.tasks)
        return message_payload(form, "temporal.api.sdk.v1.EnhancedStackTrace")

    def _metadata(self) -> Payload:
        form = {
            "definition": {
                "type": self.core.start.workflow_type,
                "queryDefinitions": interactions(self.queries.handlers.values()),
                "signalDefinitions": interactions(self.signals.handlers.values()),
                "updateDefinitions": [],
            },
            "currentDetails": self.current_details,
        }
        return message_payload(form, "temporal.api.sdk.v1.WorkflowMetadata")

    # -- inside and out ---------------------------------------------------------------

    def _enter(self) -> asyncio.AbstractEventLoop | None:
        """Let this thread run the workflow's loop; return the loop it runs itself."""
        before: asyncio.AbstractEventLoop | None
        before = asyncio._get_running_loop()  # noqa: SLF001 - asyncio's own seam
        asyncio._set_running_loop(self.core.loop)  # noqa: SLF001
        return before

    def _tear_down(self) -> None:
        loop, before = self.core.loop, self._enter()
        try:
            count = _limited(TEARDOWN_STEPS)
            while loop.tasks:
                count()
                for task in list(loop.tasks):
                    task.cancel()
                loop.run(conditions=False, after_each=count)
        except TeardownLimit:
            logger.warning("Cut off tasks that ignore the end of %s", self._where())
            loop.abandon()
        finally:
            asyncio._set_running_loop(before)  # noqa: SLF001 - asyncio's own seam

    def _where(self) -> str:
        return self.core.where()


def _set_of(job: ActivationJob) -> int:
    if isinstance(job, NotifyPatch):
        return 0
    if isinstance(job, Signal):
        return 1
    return 3 if isinstance(job, Query) else 2


def _limited(steps: int) -> Callable[[], None]:
    left = steps

    def count() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise TeardownLimit

    return count
