"""Handlers that are set while the workflow runs."""

from collections.abc import Callable
from typing import Any

from workflows.engine.definition import QueryDefinition, SignalDefinition
from workflows.engine.instance.context import current

Handler = Callable[..., Any]


def set_signal_handler(name: str, handler: Handler | None) -> None:
    """Set or (None) remove a signal's handler. Signals that waited for it come now."""
    current().signals.set(name, handler)


def set_dynamic_signal_handler(handler: Handler | None) -> None:
    """Set or (None) remove the handler `(name, raw values)` of signals without one."""
    current().signals.set(None, handler)


def get_signal_handler(name: str) -> Handler | None:
    """Return a signal's handler, bound; None if there is none."""
    return _bound(current().signals.handlers.get(name))


def get_dynamic_signal_handler() -> Handler | None:
    """Return the handler of signals without one."""
    return _bound(current().signals.handlers.get(None))


def set_query_handler(name: str, handler: Handler | None) -> None:
    """Set or (None) remove a query's handler."""
    current().queries.set(name, handler)


def set_dynamic_query_handler(handler: Handler | None) -> None:
    """Set or (None) remove the handler `(name, raw values)` of queries without one."""
    current().queries.set(None, handler)


def get_query_handler(name: str) -> Handler | None:
    """Return a query's handler, bound; None if there is none."""
    return _bound(current().queries.handlers.get(name))


def get_dynamic_query_handler() -> Handler | None:
    """Return the handler of queries without one."""
    return _bound(current().queries.handlers.get(None))


def all_handlers_finished() -> bool:
    """Return whether no signal handler is running; wait for it before the end."""
    return current().signals.all_finished


def _bound(handler: SignalDefinition | QueryDefinition | None) -> Handler | None:
    if handler is None:
        return None
    if not handler.method:
        return handler.function
    bound: Handler = handler.function.__get__(current().object)
    return bound
