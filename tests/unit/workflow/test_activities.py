"""Activities as workflow code sees them: their calls, ends and cancellations."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.workflow.driver import (
    Driver,
    activity_done,
    activity_ended,
    application,
    cancelled,
    failed,
    failure,
    fire,
    kinds,
    result,
)
from workflows import activity, workflow
from workflows.common import RetryPolicy
from workflows.engine.activation import (
    Backoff,
    CancelRequested,
)
from workflows.engine.commands import (
    CancelActivity,
    CancellationType,
    ScheduleActivity,
    ScheduleLocalActivity,
    StartTimer,
)
from workflows.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    InvalidArgumentError,
)

SECONDS = timedelta(seconds=10)


@activity.defn
async def greet(name: str) -> str:
    return f"hello {name}"


@activity.defn(name="shout")
def shout(name: str, times: int) -> list[str]:
    return [name] * times


class Speaker:
    @activity.defn
    async def speak(self, text: str) -> str:
        return text


@activity.defn
class Whisper:
    async def __call__(self, text: str) -> str:
        return text


@workflow.defn
class Calls:
    @workflow.run
    async def run(self) -> list[Any]:
        config = workflow.ActivityConfig(start_to_close_timeout=SECONDS)
        return [
            await workflow.execute_activity(
                greet,
                "Ada",
                task_queue="other",
                schedule_to_close_timeout=SECONDS,
                heartbeat_timeout=timedelta(seconds=1),
                retry_policy=RetryPolicy(maximum_attempts=3),
                activity_id="greeting",
                summary="greets",
            ),
            await workflow.execute_activity(shout, args=["a", 2], **config),
            await workflow.execute_activity_method(Speaker.speak, "b", **config),
            await workflow.execute_activity_class(Whisper, "c", **config),
            await workflow.execute_activity("by name", **config),
        ]


def test_activities_are_named_by_function_method_class_or_text() -> None:
    driver = Driver(Calls)
    names = []
    commands = driver.start()
    first = commands[0]
    assert isinstance(first, ScheduleActivity)
    assert (first.activity_id, first.task_queue) == ("greeting", "other")
    assert (first.schedule_to_close_ms, first.heartbeat_ms) == (10_000, 1000)
    assert first.retry_policy is not None
    assert first.retry_policy["maximumAttempts"] == 3
    for seq in range(1, 6):
        (command,) = commands
        assert isinstance(command, ScheduleActivity)
        assert command.seq == seq
        names.append(command.activity_type)
        commands = driver.send(activity_done(seq, "x" if seq != 2 else ["x"]))
    assert names == ["greet", "shout", "speak", "Whisper", "by name"]


def test_a_result_that_is_not_of_its_type_fails_the_task() -> None:
    driver = Driver(Calls)
    driver.start()
    with pytest.raises(InvalidArgumentError):
        driver.send(activity_done(1, {"no": "text"}))


@workflow.defn
class NoTimeout:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(greet, "x")


def test_an_activity_without_a_timeout_that_ends_it_is_refused() -> None:
    with pytest.raises(
        InvalidArgumentError, match="must have start_to_close_timeout or"
    ):
        Driver(NoTimeout).start()


@workflow.defn
class Fails:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(
            greet, "x", start_to_close_timeout=SECONDS
        )


def test_a_failed_activity_fails_the_workflow_with_its_chain_of_causes() -> None:
    driver = Driver(Fails)
    driver.start()
    error = failure(driver.send(activity_ended(1, failed(application()))))
    assert isinstance(error, ActivityError)
    assert isinstance(error.cause, ApplicationError)
    assert (error.cause.type, error.cause.message) == ("Boom", "boom")


def test_a_cancelled_workflow_waits_for_the_word_on_its_activity() -> None:
    driver = Driver(Fails)
    driver.start()
    assert driver.send(CancelRequested()) == [CancelActivity(seq=1)]
    assert kinds(driver.send(activity_ended(1, cancelled()))) == ["CancelWorkflow"]


def test_an_activity_cancelled_without_a_request_fails_the_workflow() -> None:
    driver = Driver(Fails)
    driver.start()
    error = failure(driver.send(activity_ended(1, cancelled())))
    assert isinstance(error.__cause__, CancelledError)


@workflow.defn
class CancelsActivity:
    def __init__(self) -> None:
        self.late = False

    @workflow.run
    async def run(self, kind: str, yield_first: bool) -> str:
        handle = workflow.start_activity(
            greet,
            "x",
            start_to_close_timeout=SECONDS,
            cancellation_type=workflow.ActivityCancellationType[kind],
        )
        assert isinstance(handle, asyncio.Task)
        if yield_first:
            await asyncio.sleep(0)
        handle.cancel()
        try:
            return await handle
        except ActivityError as error:
            return f"cancelled: {error.cause}"
        except asyncio.CancelledError:
            return "never started"


def test_cancelling_an_activity_asks_the_engine_and_waits_for_its_word() -> None:
    driver = Driver(CancelsActivity, "WAIT_CANCELLATION_COMPLETED", True)
    schedule, cancel = driver.start()
    assert isinstance(schedule, ScheduleActivity)
    wanted = CancellationType.WAIT_CANCELLATION_COMPLETED
    assert schedule.cancellation_type is wanted
    assert cancel == CancelActivity(seq=1)
    assert result(driver.send(activity_done(1, "it finished"))) == "it finished"


def test_a_cancelled_activity_raises_an_activity_error_with_its_cause() -> None:
    driver = Driver(CancelsActivity, "TRY_CANCEL", True)
    driver.start()
    commands = driver.send(activity_ended(1, cancelled()))
    assert result(commands) == "cancelled: Cancelled"


def test_an_activity_cancelled_before_its_task_ran_is_cancelled_all_the_same() -> None:
    driver = Driver(CancelsActivity, "TRY_CANCEL", False)
    commands = driver.start()
    assert kinds(commands) == ["ScheduleActivity", "CancelActivity", "CompleteWorkflow"]
    assert result(commands) == "never started"
    assert driver.send(activity_ended(1, cancelled())) == []


@workflow.defn
class ManyCancels:
    @workflow.run
    async def run(self) -> str:
        handle = workflow.start_activity(greet, "x", start_to_close_timeout=SECONDS)
        for _ in range(3):
            await asyncio.sleep(0)
            handle.cancel()
        return await handle


def test_an_activity_is_asked_to_cancel_once() -> None:
    driver = Driver(ManyCancels)
    assert kinds(driver.start()) == ["ScheduleActivity", "CancelActivity"]
    assert result(driver.send(activity_done(1, "ok"))) == "ok"


@workflow.defn
class CancelMeetsResult:
    def __init__(self) -> None:
        self.handle: Any = None

    @workflow.run
    async def run(self) -> str:
        self.handle = workflow.start_activity(
            greet, "x", start_to_close_timeout=SECONDS
        )
        try:
            return str(await self.handle)
        except asyncio.CancelledError:
            return "cancelled"


def test_a_cancellation_that_meets_the_result_is_not_swallowed() -> None:
    driver = Driver(CancelMeetsResult)
    driver.start()
    commands = driver.send(activity_done(1, "ok"), CancelRequested())
    assert kinds(commands) == ["CompleteWorkflow"]
    assert result(commands) == "cancelled"


@workflow.defn
class Local:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_local_activity(
            greet,
            "x",
            start_to_close_timeout=SECONDS,
            local_retry_threshold=timedelta(seconds=5),
        )


def test_a_local_activity_that_backs_off_sleeps_and_goes_on_under_a_new_number() -> (
    None
):
    driver = Driver(Local)
    (first,) = driver.start()
    assert isinstance(first, ScheduleLocalActivity)
    assert (first.attempt, first.scheduled_at) == (1, None)
    assert first.local_retry_threshold_ms == 5000
    backoff = Backoff(attempt=4, delay_ms=7000, scheduled_at=99)
    assert driver.send(activity_ended(1, backoff)) == [
        StartTimer(seq=1, duration_ms=7000)
    ]
    (again,) = driver.send(fire(1))
    assert isinstance(again, ScheduleLocalActivity)
    assert (again.seq, again.attempt, again.scheduled_at) == (2, 4, 99)
    assert result(driver.send(activity_done(2, "hi", local=True))) == "hi"


def test_the_sleep_of_a_local_activity_is_cancelled_like_any_other() -> None:
    driver = Driver(Local)
    driver.start()
    driver.send(activity_ended(1, Backoff(attempt=2, delay_ms=7000, scheduled_at=9)))
    commands = driver.send(CancelRequested())
    assert kinds(commands) == ["CancelTimer", "CancelWorkflow"]
