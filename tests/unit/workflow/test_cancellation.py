"""Cancelling activities, children, signals and workflows; what their ends are."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.workflow.driver import (
    CONVERSION,
    Driver,
    activity_done,
    activity_ended,
    application,
    cancelled,
    child_done,
    child_started,
    failed,
    failure,
    fire,
    kinds,
    result,
    signal,
)
from workflows import activity, workflow
from workflows.common import RetryPolicy
from workflows.engine.activation import (
    Backoff,
    CancelRequested,
    ChildNotStarted,
    ResolveCancelExternal,
    ResolveChild,
    ResolveChildStart,
    ResolveSignalExternal,
)
from workflows.engine.commands import (
    CancelActivity,
    CancelChild,
    CancelExternal,
    CancellationType,
    CancelSignal,
    ScheduleActivity,
    ScheduleLocalActivity,
    SignalExternal,
    StartChild,
    StartTimer,
)
from workflows.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    InvalidArgumentError,
    WorkflowAlreadyStartedError,
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


# -- activities ------------------------------------------------------------------------


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


# -- the workflow itself ---------------------------------------------------------------


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


# -- children --------------------------------------------------------------------------


@workflow.defn
class Child:
    @workflow.run
    async def run(self, n: int) -> int:
        return n

    @workflow.signal
    def poke(self, text: str) -> None: ...


@workflow.defn
class Parent:
    @workflow.run
    async def run(self) -> int:
        handle = await workflow.start_child_workflow(
            Child.run,
            1,
            id="child",
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            memo={"a": 1},
            run_timeout=SECONDS,
        )
        assert isinstance(handle, asyncio.Task)
        assert (handle.id, handle.first_execution_run_id) == ("child", "child-run-1")
        await handle.signal(Child.poke, "hi")
        return await handle


def test_a_child_is_awaited_twice_once_for_its_start_and_once_for_its_result() -> None:
    driver = Driver(Parent)
    (start,) = driver.start()
    assert isinstance(start, StartChild)
    assert (start.workflow_type, start.workflow_id) == ("Child", "child")
    assert (start.parent_close_policy, start.task_queue) == ("abandon", "queue")
    assert (start.run_timeout_ms, [*start.memo]) == (10_000, ["a"])
    (sent,) = driver.send(child_started(1))
    assert isinstance(sent, SignalExternal)
    assert (sent.child_workflow_id, sent.name) == ("child", "poke")
    driver.send(ResolveSignalExternal(seq=1))
    assert result(driver.send(child_done(1, 5))) == 5


@workflow.defn
class TakenId:
    @workflow.run
    async def run(self) -> str:
        try:
            await workflow.execute_child_workflow(Child.run, 1, id="c")
        except WorkflowAlreadyStartedError as error:
            return f"{error.workflow_id} is a {error.workflow_type}"
        return "started"


def test_a_child_whose_id_is_taken_does_not_start() -> None:
    driver = Driver(TakenId)
    driver.start()
    taken = ChildNotStarted(workflow_id="c", workflow_type="Child")
    commands = driver.send(ResolveChildStart(seq=1, resolution=taken))
    assert result(commands) == "c is a Child"


@workflow.defn
class Waits:
    @workflow.run
    async def run(self, catch: bool) -> str:
        try:
            return str(await workflow.execute_child_workflow(Child.run, 1))
        except ChildWorkflowError as error:
            if not catch:
                raise
            return f"child: {error.cause}"


def test_cancelling_a_parent_asks_its_child_and_waits_for_its_word() -> None:
    driver = Driver(Waits, True)
    driver.start()
    driver.send(child_started(1))
    assert driver.send(CancelRequested()) == [CancelChild(seq=1)]
    resolution = cancelled(ChildWorkflowError)
    ended = driver.send(ResolveChild(seq=1, resolution=resolution))
    assert result(ended) == "child: Cancelled"


def test_a_child_that_failed_is_a_child_workflow_error_with_its_cause() -> None:
    driver = Driver(Waits, False)
    driver.start()
    driver.send(child_started(1))
    resolution = failed(application(), ChildWorkflowError)
    error = failure(driver.send(ResolveChild(seq=1, resolution=resolution)))
    assert isinstance(error, ChildWorkflowError)
    assert isinstance(error.cause, ApplicationError)


def test_a_parent_that_is_cancelled_stops_waiting_for_the_start_of_a_child() -> None:
    driver = Driver(Waits, True)
    driver.start()
    commands = driver.send(CancelRequested())
    assert kinds(commands) == ["CancelChild", "CancelWorkflow"]
    late = ResolveChildStart(seq=1, resolution=cancelled(ChildWorkflowError))
    assert driver.send(late) == []


@workflow.defn
class CancelsChild:
    @workflow.run
    async def run(self) -> str:
        handle = await workflow.start_child_workflow(Child.run, 1, id="c")
        handle.cancel("enough")
        try:
            await handle
        except ChildWorkflowError:
            return "gone"
        return "completed"


def test_the_text_of_a_cancel_is_the_reason_that_the_child_sees() -> None:
    driver = Driver(CancelsChild)
    driver.start()
    assert driver.send(child_started(1)) == [CancelChild(seq=1, reason="enough")]
    assert result(driver.send(child_done(1, 1))) == "completed"


@workflow.defn
class CancelsStart:
    @workflow.run
    async def run(self) -> str:
        start = asyncio.create_task(workflow.start_child_workflow(Child.run, 1, id="c"))
        await asyncio.sleep(0)
        start.cancel()
        try:
            await start
        except ChildWorkflowError as error:
            return str(error.cause)
        return "started"


def test_a_child_cancelled_before_it_was_sent_is_a_child_workflow_error() -> None:
    driver = Driver(CancelsStart)
    assert kinds(driver.start()) == ["StartChild", "CancelChild"]
    resolution = cancelled(ChildWorkflowError)
    ended = driver.send(ResolveChildStart(seq=1, resolution=resolution))
    assert result(ended) == "Cancelled"


# -- others ----------------------------------------------------------------------------


@workflow.defn
class Talks:
    @workflow.run
    async def run(self, cancel: bool) -> str:
        other = workflow.get_external_workflow_handle_for(Child.run, "other")
        task = asyncio.create_task(other.signal("poke", args=["a"]))
        await asyncio.sleep(0)
        if cancel:
            task.cancel()
        try:
            await task
        except ApplicationError as error:
            return str(error.type)
        except CancelledError as error:
            return error.message
        await workflow.get_external_workflow_handle("x", run_id="r").cancel("why")
        return "told"


def test_other_workflows_are_signalled_and_cancelled_and_the_outcome_awaited() -> None:
    driver = Driver(Talks, False)
    (sent,) = driver.start()
    assert isinstance(sent, SignalExternal)
    assert (sent.seq, sent.workflow_id, sent.child_workflow_id) == (1, "other", "")
    assert driver.send(ResolveSignalExternal(seq=1)) == [
        CancelExternal(seq=1, workflow_id="x", run_id="r", reason="why")
    ]
    assert result(driver.send(ResolveCancelExternal(seq=1))) == "told"


def test_a_signal_to_nobody_raises_by_type() -> None:
    driver = Driver(Talks, False)
    driver.start()
    missing = ApplicationError(
        "Unable to signal", type="ExternalWorkflowExecutionNotFound"
    )
    job = ResolveSignalExternal(seq=1, failure=CONVERSION.to_failure(missing))
    assert result(driver.send(job)) == "ExternalWorkflowExecutionNotFound"


def test_a_signal_that_is_cancelled_is_taken_back_if_it_was_not_sent() -> None:
    driver = Driver(Talks, True)
    sent, taken = driver.start()
    assert isinstance(sent, SignalExternal)
    assert taken == CancelSignal(seq=1)
    error = CancelledError("Signal was cancelled before being sent")
    job = ResolveSignalExternal(seq=1, failure=CONVERSION.to_failure(error))
    assert result(driver.send(job)).startswith("Signal was cancelled")
