"""Cancelling activities, timers and whole workflows."""

import asyncio
from typing import Any

from tests.parity.temporal import gates
from tests.parity.temporal.program import Case, program, seconds
from tests.parity.temporal.sdk import activity, common, exceptions, workflow

LONG = {"start_to_close_timeout": seconds(30), "heartbeat_timeout": seconds(10)}
ONCE = common.RetryPolicy(maximum_attempts=1)


@activity.defn
async def cancellable(how: str) -> str:
    """Beat until the cancellation comes; then do `how`."""
    gates.open_gate("activity runs")
    if how == "fail unaware":
        await gates.passed("fail now")
        raise ValueError("knew nothing of its cancellation")
    try:
        while not gates.is_open("let it end"):
            activity.heartbeat("beating")
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        gates.open_gate("activity was cancelled")
        if how == "ignore":
            return "finished all the same"
        if how == "fail":
            raise ValueError("clean-up went wrong") from None
        raise
    return "was let go"


@workflow.defn
class CancelsActivity:
    """Start an activity, wait for a signal, cancel the activity, report."""

    def __init__(self) -> None:
        self.go = False

    @workflow.signal
    def proceed(self) -> None:
        self.go = True

    @workflow.run
    async def run(self, kind: str, how: str) -> list[str]:
        handle = workflow.start_activity(
            cancellable,
            how,
            cancellation_type=workflow.ActivityCancellationType[kind],
            retry_policy=ONCE,
            **LONG,
        )
        await workflow.wait_condition(lambda: self.go)
        handle.cancel()
        try:
            return ["result", await handle]
        except exceptions.ActivityError as error:
            return [
                "failure",
                error.message,
                type(error.cause).__name__,
                str(error.cause),
                error.retry_state.name if error.retry_state else "no retry state",
            ]


async def cancels_activity(case: Case, kind: str, how: str) -> None:
    handle = await case.start(CancelsActivity, kind, how)
    await gates.passed("activity runs")
    await asyncio.sleep(0.3)
    await handle.signal("proceed")
    await case.outcome(handle)
    gates.open_gate("let it end")


@program(
    CancelsActivity,
    activities=[cancellable],
    max_heartbeat_throttle_interval=seconds(0.1),
    default_heartbeat_throttle_interval=seconds(0.1),
)
async def activity_try_cancel(case: Case) -> None:
    await cancels_activity(case, "TRY_CANCEL", "raise")


@program(
    CancelsActivity,
    activities=[cancellable],
    max_heartbeat_throttle_interval=seconds(0.1),
    default_heartbeat_throttle_interval=seconds(0.1),
)
async def activity_wait_cancellation_completed(case: Case) -> None:
    await cancels_activity(case, "WAIT_CANCELLATION_COMPLETED", "raise")


@program(
    CancelsActivity,
    activities=[cancellable],
    max_heartbeat_throttle_interval=seconds(0.1),
    default_heartbeat_throttle_interval=seconds(0.1),
)
async def activity_ignores_its_cancellation(case: Case) -> None:
    await cancels_activity(case, "WAIT_CANCELLATION_COMPLETED", "ignore")


@program(
    CancelsActivity,
    activities=[cancellable],
    max_heartbeat_throttle_interval=seconds(0.1),
    default_heartbeat_throttle_interval=seconds(0.1),
)
async def activity_fails_when_cancelled(case: Case) -> None:
    await cancels_activity(case, "WAIT_CANCELLATION_COMPLETED", "fail")


@program(CancelsActivity, activities=[cancellable])
async def activity_fails_unaware_of_its_cancellation(case: Case) -> None:
    handle = await case.start(
        CancelsActivity, "WAIT_CANCELLATION_COMPLETED", "fail unaware"
    )
    await gates.passed("activity runs")
    await handle.signal("proceed")
    await case.event(handle, "ACTIVITY_TASK_CANCEL_REQUESTED")
    gates.open_gate("fail now")
    await case.outcome(handle)


@program(CancelsActivity, activities=[cancellable])
async def activity_abandoned(case: Case) -> None:
    await cancels_activity(case, "ABANDON", "raise")


@workflow.defn
class CancelsUnsent:
    @workflow.run
    async def run(self) -> list[str]:
        handle = workflow.start_activity(cancellable, "raise", **LONG)
        if workflow.info().attempt:
            handle.cancel()
        try:
            await handle
        except exceptions.ActivityError as error:
            return [error.message, type(error.cause).__name__, str(error.cause)]
        except asyncio.CancelledError as error:
            return ["bare", str(error)]
        return ["completed"]


@program(CancelsUnsent, activities=[cancellable])
async def activity_cancelled_unsent(case: Case) -> None:
    await case.outcome(await case.start(CancelsUnsent))


@workflow.defn
class CancelsStartedTaskUnsent:
    """The await has begun when the cancellation comes, in the same workflow task."""

    @workflow.run
    async def run(self) -> list[str]:
        task = asyncio.create_task(self.work())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except exceptions.ActivityError as error:
            return [error.message, type(error.cause).__name__, str(error.cause)]
        except asyncio.CancelledError as error:
            return ["bare", str(error)]
        return ["completed"]

    async def work(self) -> None:
        await workflow.execute_activity(cancellable, "raise", **LONG)


@program(CancelsStartedTaskUnsent, activities=[cancellable])
async def activity_awaited_and_cancelled_unsent(case: Case) -> None:
    await case.outcome(await case.start(CancelsStartedTaskUnsent))


@workflow.defn
class Waits:
    """Wait for a cancellation and treat it in one of many ways."""

    @workflow.run
    async def run(self, how: str) -> str:
        try:
            await self.wait(how)
        except asyncio.CancelledError:
            if how == "swallow":
                return "swallowed"
            if how == "clean":
                await asyncio.shield(
                    workflow.execute_activity(clean_up, "shielded", **LONG)
                )
                await workflow.execute_activity(clean_up, "later", **LONG)
            if how == "fail":
                raise exceptions.ApplicationError("broke", type="Broken") from None
            if how == "reason":
                return f"because {workflow.cancellation_reason()!r}"
            raise
        except exceptions.ActivityError:
            if how == "activity swallowed":
                return "activity swallowed"
            raise
        return "was not cancelled"

    async def wait(self, how: str) -> None:
        if how.startswith("activity"):
            await workflow.execute_activity(
                cancellable, "raise", retry_policy=ONCE, **LONG
            )
        elif how == "condition":
            await workflow.wait_condition(lambda: False)
        else:
            await asyncio.sleep(60)


@activity.defn
async def clean_up(what: str) -> str:
    return what


async def cancelled_wait(case: Case, how: str, **options: Any) -> None:
    handle = await case.start(Waits, how)
    if how.startswith("activity"):
        await gates.passed("activity runs")
        await asyncio.sleep(0.2)
    elif how == "condition":
        await case.event(handle, "WORKFLOW_TASK_COMPLETED")
    else:
        await case.event(handle, "TIMER_STARTED")
    await handle.cancel(**options)
    await case.outcome(handle)
    gates.open_gate("let it end")


@program(Waits)
async def workflow_cancelled(case: Case) -> None:
    await cancelled_wait(case, "raise")


@program(Waits)
async def workflow_cancelled_in_condition(case: Case) -> None:
    await cancelled_wait(case, "condition")


@program(Waits)
async def workflow_cancel_swallowed(case: Case) -> None:
    await cancelled_wait(case, "swallow")


@program(Waits, activities=[clean_up])
async def workflow_cancelled_with_clean_up(case: Case) -> None:
    await cancelled_wait(case, "clean")


@program(Waits)
async def workflow_fails_when_cancelled(case: Case) -> None:
    await cancelled_wait(case, "fail")


@program(
    Waits,
    activities=[cancellable],
    max_heartbeat_throttle_interval=seconds(0.1),
    default_heartbeat_throttle_interval=seconds(0.1),
)
async def workflow_cancelled_in_activity(case: Case) -> None:
    await cancelled_wait(case, "activity")


@program(
    Waits,
    activities=[cancellable],
    max_heartbeat_throttle_interval=seconds(0.1),
    default_heartbeat_throttle_interval=seconds(0.1),
)
async def workflow_cancelled_in_activity_swallowed(case: Case) -> None:
    await cancelled_wait(case, "activity swallowed")


@program(Waits, by_hand=True)
async def workflow_cancelled_before_it_ran(case: Case) -> None:
    raised = await case.start(Waits, "raise")
    swallowed = await case.start(Waits, "swallow", suffix="swallow")
    await raised.cancel()
    await swallowed.cancel()
    async with case.worker():
        await case.outcome(raised)
        await case.outcome(swallowed, "swallowed")


@workflow.defn
class CancelledTwice:
    @workflow.run
    async def run(self) -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            gates.open_gate("first cancel seen")
        await asyncio.sleep(0.7)
        return "cancelled once"


@program(CancelledTwice)
async def workflow_cancelled_twice(case: Case) -> None:
    handle = await case.start(CancelledTwice)
    await case.event(handle, "TIMER_STARTED")
    await handle.cancel()
    await case.event(handle, "TIMER_STARTED", 2)
    await case.attempt("second cancel", handle.cancel())
    await case.outcome(handle)
    await case.attempt("cancel after close", handle.cancel())
    await case.attempt("signal after close", handle.signal("anything"))
    await case.attempt("terminate after close", handle.terminate())


@workflow.defn
class RaisesCancelled:
    @workflow.run
    async def run(self, how: str) -> None:
        if how == "asyncio":
            raise asyncio.CancelledError("nobody asked")
        raise exceptions.CancelledError("nobody asked")


@program(RaisesCancelled)
async def workflow_raises_cancelled_unasked(case: Case) -> None:
    await case.outcome(await case.start(RaisesCancelled, "asyncio"), "asyncio")
    await case.outcome(
        await case.start(RaisesCancelled, "temporal", suffix="temporal"), "temporal"
    )


@program(Waits)
async def workflow_terminated(case: Case) -> None:
    handle = await case.start(Waits, "raise")
    await case.event(handle, "TIMER_STARTED")
    await handle.terminate("first", {"second": 2}, reason="no longer wanted")
    await case.outcome(handle)


@program(Waits)
async def workflow_terminated_without_reason(case: Case) -> None:
    handle = await case.start(Waits, "raise")
    await case.event(handle, "TIMER_STARTED")
    await handle.terminate()
    await case.outcome(handle)
