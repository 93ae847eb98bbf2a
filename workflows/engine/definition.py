"""Reading workflow classes: what a decorated class says, checked when it is defined."""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, get_type_hints

from workflows.engine.datetime_calls import datetime_calls
from workflows.exceptions import InvalidArgumentError

Function = Callable[..., Any]
RUN, INIT = "__workflow_run__", "__workflow_init__"
SIGNAL, QUERY = "__workflow_signal__", "__workflow_query__"
DEFINITION = "__workflow_definition__"
DYNAMIC = "<dynamic>"


class HandlerUnfinishedPolicy(Enum):
    """What to do about handlers that still run when their run closes."""

    WARN_AND_ABANDON = 1
    ABANDON = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalDefinition:
    """A signal handler; `name` None: the one for signals without their own."""

    name: str | None
    function: Function
    method: bool
    unfinished_policy: HandlerUnfinishedPolicy
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDefinition:
    """A query handler; `name` None: the one for queries without their own."""

    name: str | None
    function: Function
    method: bool
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A workflow type; `name` None: the one for types without their own."""

    name: str | None
    cls: type[Any]
    run: Function
    takes_input: bool  # the constructor gets the arguments of run
    signals: Mapping[str | None, SignalDefinition] = field(default_factory=dict)
    queries: Mapping[str | None, QueryDefinition] = field(default_factory=dict)
    failure_exception_types: tuple[type[BaseException], ...] = ()

    @staticmethod
    def of(workflow: type[Any]) -> "Definition":
        """Return the definition of a class.

        Raises:
            InvalidArgumentError: the class was not decorated (a base class does not
                count).
        """
        found = vars(workflow).get(DEFINITION)
        if not isinstance(found, Definition):
            msg = f"{workflow.__qualname__} is no workflow; decorate it: @workflow.defn"
            raise InvalidArgumentError(msg)
        return found

    @staticmethod
    def of_run(method: Any) -> "Definition | None":
        """Return the definition that a `@workflow.run` method belongs to."""
        found = getattr(method, DEFINITION, None)
        return found if isinstance(found, Definition) else None


def workflow_name(workflow: str | Function) -> tuple[str, Any]:
    """Return the type name and the result hint of a workflow named by its run method.

    Raises:
        InvalidArgumentError: it is neither a name nor the run method of a workflow, or
            it is the dynamic workflow, which has no name.
    """
    if isinstance(workflow, str):
        return workflow, None
    found = Definition.of_run(workflow)
    if found is None and isinstance(workflow, type):
        found = Definition.of(workflow)
    if found is None:
        msg = f"{workflow!r} is neither a workflow's name nor its @workflow.run method"
        raise InvalidArgumentError(msg)
    if found.name is None:
        msg = f"{found.cls.__qualname__} is dynamic: pass the name of a type instead"
        raise InvalidArgumentError(msg)
    return found.name, result_hint(found.run)


def handler_name(handler: str | Function, attribute: str) -> str:
    """Return the name of a signal or query, given as text or as its handler.

    Raises:
        InvalidArgumentError: it is neither, or is dynamic.
    """
    if isinstance(handler, str):
        return handler
    found = getattr(handler, attribute, None)
    kind = attribute.strip("_").removeprefix("workflow_")
    if not isinstance(found, SignalDefinition | QueryDefinition):
        msg = f"{handler!r} is neither a name nor a method with @workflow.{kind}"
        raise InvalidArgumentError(msg)
    if found.name is None:
        msg = f"the dynamic {kind} handler has no name: pass the name as text"
        raise InvalidArgumentError(msg)
    return found.name


@lru_cache(maxsize=4096)
def argument_hints(function: Function, *, method: bool) -> tuple[Any, ...]:
    """Return a hint (or None) for each positional parameter; a method's self aside."""
    hints = _hints(function)
    found = positional(function)[1 if method else 0 :]
    return tuple(hints.get(parameter.name) for parameter in found)


@lru_cache(maxsize=4096)
def result_hint(function: Function) -> Any:
    """Return the hint of what a function returns, or None."""
    hint = _hints(function).get("return")
    return None if hint is type(None) else hint


def _hints(function: Function) -> Mapping[str, Any]:
    """Return hints; none if a name in them is known to type checkers only."""
    try:
        return get_type_hints(function)
    except NameError:
        return {}


def positional(function: Function) -> list[inspect.Parameter]:
    """Return the parameters of a function that take positional arguments."""
    return [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind
        in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]


# -- what the decorators check -------------------------------------------------------


def define(
    cls: type[Any],
    *,
    name: str | None,
    dynamic: bool,
    failure_exception_types: Sequence[type[BaseException]],
) -> None:
    """Read a class and mark it, and its run method, with its definition.

    Raises:
        InvalidArgumentError: all that is wrong with the class, in one text.
    """
    if DEFINITION in vars(cls):
        msg = f"{cls.__qualname__} is decorated with @workflow.defn twice"
        raise InvalidArgumentError(msg)
    if dynamic and name:
        msg = f"{cls.__qualname__}: a dynamic workflow has no name; drop one of them"
        raise InvalidArgumentError(msg)
    problems: list[str] = []
    run = _run_method(cls, problems)
    definition = Definition(
        name=None if dynamic else name or cls.__name__,
        cls=cls,
        run=run or _missing,
        takes_input=hasattr(vars(cls).get("__init__"), INIT),
        signals=_handlers(cls, SIGNAL, problems),
        queries=_handlers(cls, QUERY, problems),
        failure_exception_types=tuple(failure_exception_types),
    )
    _check_init(definition, problems)
    if run and dynamic and len(positional(run)) != 2:
        problems.append("the run method of a dynamic workflow takes (self, args)")
    if problems:
        msg = f"{cls.__qualname__} is no workflow: {'; '.join(problems)}"
        raise InvalidArgumentError(msg)
    for site in datetime_calls(cls):
        msg = f"{site} is not the same when it is replayed; use workflow.now()"
        warnings.warn(msg, RuntimeWarning, stacklevel=4)
    setattr(cls, DEFINITION, definition)
    setattr(run, DEFINITION, definition)


def check_run(function: Function) -> None:
    """Raise InvalidArgumentError if a function cannot be a run method."""
    name = function.__qualname__
    if not inspect.iscoroutinefunction(function):
        msg = f"@workflow.run needs an async method: write `async def {name}`"
        raise InvalidArgumentError(msg)
    if "<locals>" in name:
        msg = (
            f"{name} is defined inside a function; a workflow class must stand at "
            "module level, where each process finds it"
        )
        raise InvalidArgumentError(msg)
    _check_positional(function, "@workflow.run")


def check_handler(function: Function, decorator: str, *, dynamic: bool) -> None:
    """Raise InvalidArgumentError if a function cannot be a handler."""
    _check_positional(function, decorator)
    if dynamic and len(positional(function)) not in (2, 3):
        msg = (
            f"{function.__qualname__}: a dynamic handler takes the name and the raw "
            "arguments: (self, name: str, args: Sequence[RawValue])"
        )
        raise InvalidArgumentError(msg)


def _check_positional(function: Function, decorator: str) -> None:
    for parameter in inspect.signature(function).parameters.values():
        needed = parameter.default is parameter.empty
        if parameter.kind is parameter.KEYWORD_ONLY and needed:
            msg = (
                f"{function.__qualname__}: {decorator} takes positional parameters "
                f"only; `{parameter.name}` is keyword-only"
            )
            raise InvalidArgumentError(msg)


def _run_method(cls: type[Any], problems: list[str]) -> Function | None:
    own = [each for each in vars(cls).values() if hasattr(each, RUN)]
    names = [each.__name__ for each in own]
    if len(own) > 1:
        problems.append(f"it has {len(own)} @workflow.run methods: {', '.join(names)}")
    for name, base in _inherited(cls, RUN):
        if name not in names:
            problems.append(
                f"@workflow.run of {base.__qualname__}.{name} must be overridden and "
                "decorated in the workflow class itself"
            )
    if not own and not problems:
        problems.append("it has no @workflow.run method")
    return own[0] if own else None


def _handlers(cls: type[Any], attribute: str, problems: list[str]) -> dict[Any, Any]:
    decorator = "@workflow." + attribute.strip("_").removeprefix("workflow_")
    found: dict[Any, Any] = {}
    for name, member in inspect.getmembers(cls, inspect.isfunction):
        one = getattr(member, attribute, None)
        if one is None:
            continue
        if one.name in found:
            other = found[one.name].function.__name__
            problems.append(
                f"{decorator} {one.name or DYNAMIC} is defined by {other} and {name}"
            )
        found[one.name] = one
    for name, base in _inherited(cls, attribute):
        if not hasattr(getattr(cls, name), attribute):
            problems.append(
                f"{decorator} of {base.__qualname__}.{name} is missing on its override"
            )
    return found


def _inherited(cls: type[Any], attribute: str) -> list[tuple[str, type[Any]]]:
    return [
        (name, base)
        for base in cls.__mro__[1:]
        for name, member in vars(base).items()
        if inspect.isfunction(member) and hasattr(member, attribute)
    ]


def _check_init(definition: Definition, problems: list[str]) -> None:
    if not definition.takes_input or definition.run is _missing:
        return
    init = inspect.signature(definition.cls.__init__)
    shapes = [
        [(each.kind, each.annotation) for each in signature.parameters.values()][1:]
        for signature in (init, inspect.signature(definition.run))
    ]
    if shapes[0] != shapes[1]:
        problems.append("@workflow.init and @workflow.run take different parameters")


def _missing() -> None: ...
