"""Decorators of workflow classes and their methods."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, overload

from workflows.engine import definition as reading
from workflows.engine.definition import (
    HandlerUnfinishedPolicy,
    QueryDefinition,
    SignalDefinition,
)
from workflows.exceptions import InvalidArgumentError

ClassType = TypeVar("ClassType", bound=type)
CallableType = TypeVar("CallableType", bound=Callable[..., Any])
AsyncType = TypeVar("AsyncType", bound=Callable[..., Awaitable[Any]])


@overload
def defn(cls: ClassType) -> ClassType: ...


@overload
def defn(
    *,
    name: str | None = None,
    sandboxed: bool = True,
    dynamic: bool = False,
    failure_exception_types: Sequence[type[BaseException]] = (),
) -> Callable[[ClassType], ClassType]: ...


def defn(
    cls: ClassType | None = None,
    *,
    name: str | None = None,
    sandboxed: bool = True,  # noqa: ARG001 - there is no sandbox; guards instead
    dynamic: bool = False,
    failure_exception_types: Sequence[type[BaseException]] = (),
) -> ClassType | Callable[[ClassType], ClassType]:
    """Make a class a workflow type.

    Args:
        cls: the class, if the decorator is used without parentheses.
        name: its type; default is the class's name.
        sandboxed: accepted and ignored.
        dynamic: it takes the runs of all types that no other class of a worker has;
            its run method gets a sequence of RawValue.
        failure_exception_types: more errors that fail the workflow; others fail the
            workflow task, which is then tried again.

    Raises:
        InvalidArgumentError: the class cannot be a workflow; the text says why.
    """

    def mark(target: ClassType) -> ClassType:
        reading.define(
            target,
            name=name,
            dynamic=dynamic,
            failure_exception_types=failure_exception_types,
        )
        return target

    return mark if cls is None else mark(cls)


def run(fn: AsyncType) -> AsyncType:
    """Mark the async method that is the workflow. An override needs it too.

    Raises:
        InvalidArgumentError: it is not async, or has keyword-only parameters.
    """
    reading.check_run(fn)
    setattr(fn, reading.RUN, True)
    return fn


def init(init_fn: CallableType) -> CallableType:
    """Mark `__init__` as taking the same arguments as the run method.

    Raises:
        InvalidArgumentError: it is another method.
    """
    if init_fn.__name__ != "__init__":
        msg = f"{init_fn.__qualname__}: @workflow.init goes on __init__ only"
        raise InvalidArgumentError(msg)
    setattr(init_fn, reading.INIT, True)
    return init_fn


@overload
def signal(fn: CallableType) -> CallableType: ...


@overload
def signal(
    *,
    name: str | None = None,
    dynamic: bool | None = False,
    unfinished_policy: HandlerUnfinishedPolicy = (
        HandlerUnfinishedPolicy.WARN_AND_ABANDON
    ),
    description: str | None = None,
) -> Callable[[CallableType], CallableType]: ...


def signal(
    fn: CallableType | None = None,
    *,
    name: str | None = None,
    dynamic: bool | None = False,
    unfinished_policy: HandlerUnfinishedPolicy = (
        HandlerUnfinishedPolicy.WARN_AND_ABANDON
    ),
    description: str | None = None,
) -> CallableType | Callable[[CallableType], CallableType]:
    """Mark a method, sync or async, as the handler of a signal.

    Args:
        fn: the method, if the decorator is used without parentheses.
        name: the signal; default is the method's name.
        dynamic: it takes the signals that have no handler: (self, name, raw values).
        unfinished_policy: whether to warn if the run closes before it has finished.
        description: one line for people.

    Raises:
        InvalidArgumentError: name and dynamic together, or wrong parameters.
    """

    def mark(target: CallableType) -> CallableType:
        _check(target, "signal", name, dynamic=bool(dynamic))
        made = SignalDefinition(
            name=None if dynamic else name or target.__name__,
            function=target,
            method=True,
            unfinished_policy=unfinished_policy,
            description=description or _first_line(target),
        )
        setattr(target, reading.SIGNAL, made)
        return target

    return mark if fn is None else mark(fn)


@overload
def query(fn: CallableType) -> CallableType: ...


@overload
def query(
    *,
    name: str | None = None,
    dynamic: bool | None = False,
    description: str | None = None,
) -> Callable[[CallableType], CallableType]: ...


def query(
    fn: CallableType | None = None,
    *,
    name: str | None = None,
    dynamic: bool | None = False,
    description: str | None = None,
) -> CallableType | Callable[[CallableType], CallableType]:
    """Mark a method as the handler of a query; it may read, and change nothing.

    Args:
        fn: the method, if the decorator is used without parentheses.
        name: the query; default is the method's name.
        dynamic: it takes the queries that have no handler: (self, name, raw values).
        description: one line for people.

    Raises:
        InvalidArgumentError: name and dynamic together, or wrong parameters.
    """

    def mark(target: CallableType) -> CallableType:
        _check(target, "query", name, dynamic=bool(dynamic))
        made = QueryDefinition(
            name=None if dynamic else name or target.__name__,
            function=target,
            method=True,
            description=description or _first_line(target),
        )
        setattr(target, reading.QUERY, made)
        return target

    return mark if fn is None else mark(fn)


def _check(
    target: Callable[..., Any], kind: str, name: str | None, *, dynamic: bool
) -> None:
    if dynamic and name:
        msg = f"{target.__qualname__}: a dynamic {kind} handler has no name"
        raise InvalidArgumentError(msg)
    reading.check_handler(target, f"@workflow.{kind}", dynamic=dynamic)


def _first_line(target: Callable[..., Any]) -> str | None:
    return (target.__doc__ or "").strip().partition("\n")[0] or None
