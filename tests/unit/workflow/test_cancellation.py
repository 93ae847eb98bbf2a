"""Cancelling a workflow, and what else ends one."""

import asyncio
from typing import Any

import pytest

from tests.unit.workflow.driver import (
    Driver,
    application,
    failure,
    fire,
    kinds,
    result,
    signal,
)
from workflows import workflow
from workflows.engine.activation import (
    CancelRequested,
)
from workflows.exceptions import (
    ApplicationError,
    CancelledError,
    InvalidArgumentError,
)


@workflow.defn
class Cancellable:
    @workflow.run
    async def run(self, how: str) -> str:
        try:
            await workflow.sleep(100)
        except asyncio.CancelledError:
            if how == "swallow":
                return f"swallowed {workflow.cancellation_reason()!r}"
            if how == "clean up":
                await asyncio.shield(workflow.sleep(1))
            if how == "fail":
                raise application() from None
            raise
        return "slept"


@pytest.mark.parametrize("reason", ["", "too slow"])
def test_a_workflow_may_swallow_its_cancellation_and_complete(reason: str) -> None:
    driver = Driver(Cancellable, "swallow")
    driver.start()
    commands = driver.send(CancelRequested(reason=reason))
    assert kinds(commands) == ["CancelTimer", "CompleteWorkflow"]
    assert result(commands) == f"swallowed {reason!r}"


def test_a_workflow_that_lets_its_cancellation_pass_is_cancelled() -> None:
    driver = Driver(Cancellable, "")
    driver.start()
    assert kinds(driver.send(CancelRequested())) == ["CancelTimer", "CancelWorkflow"]


def test_a_cancelled_workflow_may_clean_up_first() -> None:
    driver = Driver(Cancellable, "clean up")
    driver.start()
    assert kinds(driver.send(CancelRequested())) == ["CancelTimer", "StartTimer"]
    assert kinds(driver.send(fire(2))) == ["CancelWorkflow"]


def test_a_cancelled_workflow_that_fails_has_failed() -> None:
    driver = Driver(Cancellable, "fail")
    driver.start()
    assert str(failure(driver.send(CancelRequested()))) == "Boom: boom"


def test_a_cancel_in_the_first_task_reaches_a_run_that_has_begun() -> None:
    driver = Driver(Cancellable, "swallow")
    commands = driver.start(CancelRequested())
    assert kinds(commands) == ["StartTimer", "CancelTimer", "CompleteWorkflow"]


@workflow.defn
class CancelsItself:
    @workflow.run
    async def run(self) -> None:
        raise asyncio.CancelledError


def test_a_cancelled_error_without_a_request_fails_the_workflow() -> None:
    assert isinstance(failure(Driver(CancelsItself).start()), CancelledError)


@workflow.defn
class HandlerGoesOn:
    def __init__(self) -> None:
        self.handled = False

    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.sleep(100)
        except asyncio.CancelledError:
            await workflow.wait_condition(lambda: self.handled)
        return "both"

    @workflow.signal
    async def work(self) -> None:
        await workflow.sleep(5)
        self.handled = True


def test_cancelling_a_workflow_leaves_its_handlers_alone() -> None:
    driver = Driver(HandlerGoesOn)
    driver.start(signal("work"))
    assert kinds(driver.send(CancelRequested())) == ["CancelTimer"]
    assert result(driver.send(fire(1))) == "both"


@workflow.defn
class TaskFails:
    @workflow.run
    async def run(self) -> None:
        msg = "a bug"
        raise ValueError(msg)


def test_an_error_that_is_no_failure_fails_the_task_only() -> None:
    with pytest.raises(ValueError, match="a bug"):
        Driver(TaskFails).start()


@workflow.defn(failure_exception_types=[ValueError])
class ValueErrorsFail:
    @workflow.run
    async def run(self) -> None:
        msg = "expected"
        raise ValueError(msg)


def test_a_class_may_name_errors_that_fail_its_workflows() -> None:
    error = failure(Driver(ValueErrorsFail).start())
    assert isinstance(error, ApplicationError)
    assert error.type == "ValueError"


@workflow.defn
class HandlerFails:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(100)

    @workflow.signal
    def bad(self, bug: bool) -> None:
        if bug:
            msg = "a bug"
            raise ValueError(msg)
        raise application()


def test_a_failure_of_a_signal_handler_fails_the_workflow_and_a_bug_the_task() -> None:
    driver = Driver(HandlerFails)
    driver.start()
    assert str(failure(driver.send(signal("bad", False)))) == "Boom: boom"
    other = Driver(HandlerFails)
    other.start()
    with pytest.raises(ValueError, match="a bug"):
        other.send(signal("bad", True))


@workflow.defn
class NoJson:
    @workflow.run
    async def run(self) -> Any:
        return object()


def test_a_result_that_cannot_be_encoded_fails_the_task() -> None:
    with pytest.raises(InvalidArgumentError):
        Driver(NoJson).start()
