"""Signal and query handlers of a run: the class's own and those set at run time."""

import json
import logging
import warnings
from collections import Counter
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import replace
from inspect import isawaitable
from typing import Any

from workflows.engine.activation import Payload, Payloads, Query, Signal
from workflows.engine.commands import QueryResult
from workflows.engine.definition import (
    HandlerUnfinishedPolicy,
    QueryDefinition,
    SignalDefinition,
    argument_hints,
    check_handler,
)
from workflows.engine.instance.core import Core
from workflows.engine.instance.errors import UnfinishedSignalHandlersWarning

logger = logging.getLogger("workflows.engine")
Handler = SignalDefinition | QueryDefinition
UNFINISHED = (
    "The workflow ended while signal handlers were still running; their work may be "
    "half done. Wait for them before the end: `await workflow.wait_condition("
    "workflow.all_handlers_finished)`. If they may be interrupted, say so: "
    "`@workflow.signal(unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON)`. "
    "Unfinished signals: "
)


class Signals:
    """Signals in arrival order, each handled in a task of its own.

    One without a handler waits, in order, until its handler is set.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self.handlers = dict(core.definition.signals)
        self.instance: Any = None  # the workflow object, once it is made
        self._waiting: dict[str, list[Signal]] = {}
        self._running: dict[int, SignalDefinition] = {}
        self._count = 0

    def apply(self, signal: Signal) -> None:
        """Make the task of a signal's handler; it runs when the loop does."""
        handler = self.handlers.get(signal.name) or self.handlers.get(None)
        if handler is None:
            self._waiting.setdefault(signal.name, []).append(signal)
            return
        try:
            arguments = decode_arguments(
                self._core, handler, signal.name, signal.arguments
            )
        except Exception:
            logger.exception(
                "Dropped signal %s: its arguments cannot be decoded [%s]",
                signal.name,
                self._core.where(),
            )
            return
        self._run(handler, signal.name, arguments)

    def _run(self, handler: SignalDefinition, name: str, arguments: list[Any]) -> None:
        self._count += 1
        number = self._count
        self._running[number] = replace(handler, name=name)

        async def handle() -> None:
            result = call(handler, self.instance, arguments)
            if isawaitable(result):
                await result

        task = self._core.loop.create_task(
            self._core.top_level(handle), name=f"signal: {name}"
        )
        task.add_done_callback(lambda _: self._running.pop(number))

    def set(self, name: str | None, function: Callable[..., Any] | None) -> None:
        """Set or (None) remove a handler; signals that waited for it come at once."""
        self._core.require_writable("set signal handler")
        if function is None:
            self.handlers.pop(name, None)
            return
        check_handler(function, "set_signal_handler", dynamic=name is None)
        self.handlers[name] = SignalDefinition(
            name=name,
            function=function,
            method=False,
            unfinished_policy=HandlerUnfinishedPolicy.WARN_AND_ABANDON,
        )
        names = list(self._waiting) if name is None else [name]
        for each in names:
            for signal in self._waiting.pop(each, ()):
                self.apply(signal)

    @property
    def all_finished(self) -> bool:
        """Whether no handler is running."""
        return not self._running

    def warn_unfinished(self) -> None:
        """Warn about handlers that the end of the run cuts off."""
        counts = Counter(
            each.name
            for each in self._running.values()
            if each.unfinished_policy is HandlerUnfinishedPolicy.WARN_AND_ABANDON
        )
        if counts:
            listed = [{"name": name, "count": n} for name, n in counts.most_common()]
            text = UNFINISHED + json.dumps(listed)
            warnings.warn(UnfinishedSignalHandlersWarning(text), stacklevel=2)


class Queries:
    """Queries, answered at once and read-only. `built_in` ones need no handler."""

    def __init__(self, core: Core, built_in: dict[str, Callable[[], Payload]]) -> None:
        self._core = core
        self.handlers = dict(core.definition.queries)
        self.instance: Any = None
        self._built_in = built_in

    def answer(self, query: Query) -> None:
        """Answer a query; whatever goes wrong is the answer, never a failed task."""
        try:
            result = copy_context().run(self._ask, query)
            answer = QueryResult(query_id=query.query_id, result=result)
        except Exception as error:  # noqa: BLE001 - the asker gets it
            failure = self._core.conversion.to_failure(error)
            answer = QueryResult(query_id=query.query_id, failure=failure)
        self._core.emit(answer)

    def _ask(self, query: Query) -> Payload:
        with self._core.reading_only(querying=True):
            built_in = self._built_in.get(query.name)
            if built_in is not None:
                return built_in()
            handler = self._find(query.name)
            arguments = decode_arguments(
                self._core, handler, query.name, query.arguments
            )
            result = call(handler, self.instance, arguments)
            if isawaitable(result):
                result = _drive(result, query.name)
            return self._core.conversion.to_payloads([result])[0]

    def _find(self, name: str) -> QueryDefinition:
        handler = self.handlers.get(name) or self.handlers.get(None)
        if handler is None:
            known = sorted([*filter(None, self.handlers), *self._built_in])
            msg = (
                f"Query handler for '{name}' expected but not found, "
                f"known queries: [{' '.join(known)}]"
            )
            raise RuntimeError(msg)
        return handler

    def set(self, name: str | None, function: Callable[..., Any] | None) -> None:
        """Set or (None) remove a handler."""
        self._core.require_writable("set query handler")
        if function is None:
            self.handlers.pop(name, None)
            return
        check_handler(function, "set_query_handler", dynamic=name is None)
        self.handlers[name] = QueryDefinition(
            name=name, function=function, method=False
        )


def call(handler: Handler, instance: Any, arguments: list[Any]) -> Any:
    """Call a handler: a method of the class on its object, a function as it is."""
    if handler.method:
        return handler.function(instance, *arguments)
    return handler.function(*arguments)


def decode_arguments(
    core: Core, handler: Handler, name: str, payloads: Payloads
) -> list[Any]:
    """Return the arguments of a handler; a dynamic one gets name and raw values."""
    if handler.name is None:
        return [name, core.conversion.raw_values(payloads)]
    hints = argument_hints(handler.function, method=handler.method)
    return core.conversion.from_payloads(payloads, hints)


def _drive(awaitable: Any, name: str) -> Any:
    """Run an async query handler, which must not wait for anything."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    steps.close()
    msg = f"the handler of query {name} awaits something; a query answers at once"
    raise RuntimeError(msg)
