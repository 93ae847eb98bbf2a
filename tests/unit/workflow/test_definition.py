"""Classes that cannot be workflows are refused with the reason when defined."""

from collections.abc import Callable
from typing import Any

import pytest

from workflows import workflow
from workflows.engine.definition import (
    SIGNAL,
    Definition,
    handler_name,
    workflow_name,
)
from workflows.exceptions import InvalidArgumentError


class Base:
    @workflow.run
    async def run(self) -> None: ...

    @workflow.signal
    def poke(self) -> None: ...

    @workflow.query
    def ask(self) -> int:
        return 1


@workflow.defn(name="Named")
class Inherits(Base):
    @workflow.run
    async def run(self) -> None: ...


class TwoRuns:
    @workflow.run
    async def first(self) -> None: ...

    @workflow.run
    async def second(self) -> None: ...


class BareOverride(Base):
    async def run(self) -> None: ...


class BareSignal(Base):
    @workflow.run
    async def run(self) -> None: ...

    def poke(self) -> None: ...


class SameSignal:
    @workflow.run
    async def run(self) -> None: ...

    @workflow.signal(name="same")
    def one(self) -> None: ...

    @workflow.signal(name="same")
    def two(self) -> None: ...


class OtherInit:
    @workflow.init
    def __init__(self, a: int) -> None: ...

    @workflow.run
    async def run(self, a: str) -> None: ...


class DynamicRun:
    @workflow.run
    async def run(self) -> None: ...


class Nothing:
    pass


def test_handlers_are_inherited_and_the_run_method_is_overridden() -> None:
    found = Definition.of(Inherits)
    assert (found.name, set(found.signals), set(found.queries)) == (
        "Named",
        {"poke"},
        {"ask"},
    )
    assert workflow_name(Inherits.run) == ("Named", None)
    assert handler_name(Inherits.poke, SIGNAL) == "poke"


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        (Nothing, "Nothing is no workflow: it has no @workflow.run method"),
        (TwoRuns, "it has 2 @workflow.run methods: first, second"),
        (BareOverride, "@workflow.run of Base.run must be overridden and decorated"),
        (BareSignal, "@workflow.signal of Base.poke is missing on its override"),
        (SameSignal, "@workflow.signal same is defined by one and two"),
        (OtherInit, "@workflow.init and @workflow.run take different parameters"),
    ],
)
def test_a_class_that_is_no_workflow_is_refused(cls: type[Any], reason: str) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        workflow.defn(cls)


def define_twice() -> None:
    workflow.defn(Inherits)


def define_local() -> None:
    class Local:
        @workflow.run
        async def run(self) -> None: ...


def run_that_is_not_async() -> None:
    workflow.run(len)  # type: ignore[type-var]


def init_elsewhere() -> None:
    workflow.init(Base.poke)


def named_and_dynamic() -> None:
    workflow.defn(name="x", dynamic=True)(DynamicRun)


def dynamic_without_arguments() -> None:
    workflow.defn(dynamic=True)(DynamicRun)


def signal_with_keywords() -> None:
    @workflow.signal
    def handler(self: Any, *, key: int) -> None: ...


def dynamic_signal_with_a_name() -> None:
    @workflow.signal(name="x", dynamic=True)
    def handler(self: Any, name: str, args: Any) -> None: ...


def dynamic_query_without_arguments() -> None:
    @workflow.query(dynamic=True)
    def handler(self: Any) -> None: ...


def name_of_no_workflow() -> None:
    workflow_name(len)


def name_of_no_signal() -> None:
    handler_name(len, SIGNAL)


def definition_of_no_workflow() -> None:
    Definition.of(Base)


@pytest.mark.parametrize(
    ("define", "reason"),
    [
        (define_twice, "twice"),
        (define_local, "module level"),
        (run_that_is_not_async, "async def"),
        (init_elsewhere, "__init__ only"),
        (named_and_dynamic, "a dynamic workflow has no name"),
        (dynamic_without_arguments, r"takes \(self, args\)"),
        (signal_with_keywords, "`key` is keyword-only"),
        (dynamic_signal_with_a_name, "dynamic signal handler has no name"),
        (dynamic_query_without_arguments, "takes the name and the raw arguments"),
        (name_of_no_workflow, "neither a workflow's name nor"),
        (name_of_no_signal, "neither a name nor a method with @workflow.signal"),
        (definition_of_no_workflow, "decorate it: @workflow.defn"),
    ],
)
def test_a_mistake_is_refused_with_what_to_do(
    define: Callable[[], None], reason: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=reason):
        define()
