"""Nasty orders: several things in one workflow task, and things that cross."""

import asyncio
import time
from typing import Any

from tests.parity.temporal import gates
from tests.parity.temporal.program import Case, hold_task, program, seconds
from tests.parity.temporal.sdk import activity, common, exceptions, workflow

ONCE = {"start_to_close_timeout": seconds(20)}
SEEN: list[str] = []


@activity.defn
async def ends_at(gate: str) -> str:
    gates.open_gate(f"{gate} runs")
    await gates.passed(gate)
    return gate


@workflow.defn
class Watches:
    """Keep the order in which signals, results, timers and a cancel are seen."""

    def __init__(self) -> None:
        self.order: list[str] = []

    @workflow.signal
    async def tell(self, word: str) -> None:
        self.order.append(f"signal {word}")

    @workflow.run
    async def run(self, want: int) -> list[str]:
        tasks = [
            asyncio.create_task(self.activity("first")),
            asyncio.create_task(self.activity("second")),
            asyncio.create_task(self.timer()),
        ]
        try:
            await workflow.wait_condition(lambda: len(self.order) >= want)
        except asyncio.CancelledError:
            self.order.append("cancel")
        for task in tasks:
            task.cancel()
        return self.order

    async def activity(self, name: str) -> None:
        await workflow.execute_activity(ends_at, name, **ONCE)
        self.order.append(f"result {name}")

    async def timer(self) -> None:
        await asyncio.sleep(0.3)
        self.order.append("timer")


async def watched(case: Case, want: int, *, cancel: bool) -> None:
    """Let everything happen while no worker serves workflows; then serve them."""
    handle = await case.start(Watches, want)
    async with case.worker(only="activities"):
        async with case.worker(only="workflows", max_cached_workflows=0):
            await gates.passed("first runs")
            await gates.passed("second runs")
        await case.event(handle, "TIMER_FIRED")
        gates.open_gate("second")
        await case.event(handle, "ACTIVITY_TASK_COMPLETED")
        if cancel:
            await handle.cancel()
        gates.open_gate("first")
        await case.event(handle, "ACTIVITY_TASK_COMPLETED", 2)
        await handle.signal("tell", "one")
    async with case.worker():
        await case.outcome(handle)


@program(Watches, activities=[ends_at], by_hand=True)
async def everything_in_one_task(case: Case) -> None:
    await watched(case, 4, cancel=False)


@program(Watches, activities=[ends_at], by_hand=True)
async def everything_and_a_cancel_in_one_task(case: Case) -> None:
    await watched(case, 99, cancel=True)


@workflow.defn
class ConditionOrCancel:
    def __init__(self) -> None:
        self.told = False

    @workflow.signal
    def tell(self) -> None:
        self.told = True

    @workflow.run
    async def run(self) -> list[str]:
        said = []
        try:
            await workflow.wait_condition(lambda: self.told)
            said.append("condition")
            await asyncio.sleep(0.1)
            said.append("slept")
        except asyncio.CancelledError:
            said.append("cancelled")
        return said


@program(ConditionOrCancel, by_hand=True)
async def condition_and_cancel_in_one_task(case: Case) -> None:
    signal_first = await case.start(ConditionOrCancel)
    cancel_first = await case.start(ConditionOrCancel, suffix="cancel-first")
    async with case.worker(max_cached_workflows=0):
        for handle in (signal_first, cancel_first):
            await case.event(handle, "WORKFLOW_TASK_COMPLETED")
    await signal_first.signal("tell")
    await signal_first.cancel()
    await cancel_first.cancel()
    await cancel_first.signal("tell")
    async with case.worker():
        await case.outcome(signal_first, "signal first")
        await case.outcome(cancel_first, "cancel first")


@workflow.defn
class Held:
    """Hold the task that ends the run until something more has come."""

    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.signal
    def tell(self, word: str) -> None:
        self.words.append(word)

    @workflow.run
    async def run(self, how: str) -> list[str]:
        await workflow.wait_condition(lambda: bool(self.words))
        hold_task("task is held", "it came")
        if how == "again":
            return workflow.continue_as_new("never")
        if how == "fail":
            raise exceptions.ApplicationError(" ".join(self.words))
        return self.words


async def held(case: Case, how: str, came: str) -> Any:
    handle = await case.start(Held, how)
    await case.event(handle, "WORKFLOW_TASK_COMPLETED")
    await handle.signal("tell", "one")
    await gates.passed("task is held")
    if came == "cancel":
        await handle.cancel()
    else:
        await handle.signal("tell", "two")
    gates.open_gate("it came")
    return handle


@program(Held)
async def cancel_while_completing(case: Case) -> None:
    await case.outcome(await held(case, "complete", "cancel"))


@program(Held)
async def signal_while_failing(case: Case) -> None:
    await case.outcome(await held(case, "fail", "signal"))


@workflow.defn
class Again:
    """Continue as new at once, and leave signals that nobody handles behind."""

    @workflow.run
    async def run(self, left: int) -> str:
        if left:
            await asyncio.sleep(0.5)
            return workflow.continue_as_new(left - 1)
        heard: list[str] = []
        workflow.set_signal_handler("tell", heard.append)
        await asyncio.sleep(0.2)
        return f"heard {heard}"


@program(Again)
async def continue_as_new_loses_unhandled_signals(case: Case) -> None:
    handle = await case.start(Again, 1)
    await case.event(handle, "TIMER_STARTED")
    await handle.signal("tell", "nobody listens yet")
    await case.outcome(handle)


@workflow.defn
class KeepsOptions:
    @workflow.run
    async def run(self, left: int) -> list[Any]:
        if left:
            return workflow.continue_as_new(left - 1)
        info = workflow.info()
        return [
            dict(workflow.memo()),
            info.run_timeout.total_seconds() if info.run_timeout else None,
            info.execution_timeout.total_seconds() if info.execution_timeout else None,
            info.task_timeout.total_seconds(),
            info.retry_policy.maximum_attempts if info.retry_policy else None,
        ]


@program(KeepsOptions)
async def continue_as_new_keeps_options(case: Case) -> None:
    handle = await case.start(
        KeepsOptions,
        1,
        memo={"kept": True},
        run_timeout=seconds(20),
        execution_timeout=seconds(40),
        task_timeout=seconds(5),
        retry_policy=common.RetryPolicy(maximum_attempts=3),
    )
    await case.outcome(handle)


@activity.defn
async def fails_first(gate: str) -> str:
    if activity.info().attempt == 1:
        gates.open_gate(f"{gate} failed")
        raise ValueError("first attempt")
    return "second attempt"


@workflow.defn
class CancelsWaiting:
    """Cancel an activity that waits for its next attempt, or for a worker."""

    def __init__(self) -> None:
        self.go = False

    @workflow.signal
    def proceed(self) -> None:
        self.go = True

    @workflow.run
    async def run(self, queue: str | None) -> list[str]:
        handle = workflow.start_activity(
            fails_first,
            "activity",
            task_queue=queue,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            retry_policy=common.RetryPolicy(initial_interval=seconds(60)),
            **ONCE,
        )
        await workflow.wait_condition(lambda: self.go)
        handle.cancel()
        try:
            return [await handle]
        except exceptions.ActivityError as error:
            return [error.message, type(error.cause).__name__, error.retry_state.name]


@program(CancelsWaiting, activities=[fails_first])
async def activity_cancelled_between_attempts(case: Case) -> None:
    handle = await case.start(CancelsWaiting, None)
    await gates.passed("activity failed")
    await asyncio.sleep(0.3)
    await handle.signal("proceed")
    await case.outcome(handle)


@program(CancelsWaiting, activities=[fails_first])
async def activity_cancelled_before_a_worker_took_it(case: Case) -> None:
    handle = await case.start(CancelsWaiting, "nobody serves it")
    await case.event(handle, "ACTIVITY_TASK_SCHEDULED")
    await handle.signal("proceed")
    await case.outcome(handle)


@activity.defn
async def beats() -> None:
    gates.open_gate("activity beats")
    try:
        while not gates.is_open("let it end"):
            activity.heartbeat()
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        SEEN.append("not found" if details and details.not_found else "something else")
        gates.open_gate("activity was stopped")
        raise


@workflow.defn
class RunsBeats:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(beats, heartbeat_timeout=seconds(10), **ONCE)


@program(
    RunsBeats,
    activities=[beats],
    max_heartbeat_throttle_interval=seconds(0.1),
    default_heartbeat_throttle_interval=seconds(0.1),
)
async def activity_of_a_terminated_workflow(case: Case) -> None:
    SEEN.clear()
    handle = await case.start(RunsBeats)
    await gates.passed("activity beats")
    await handle.terminate("done")
    await case.outcome(handle)
    await gates.passed("activity was stopped")
    case.note("why it was stopped", SEEN)
    gates.open_gate("let it end")


@activity.defn
async def echo(word: str) -> str:
    return word


@workflow.defn
class Replayed:
    """Everything that must be the same in every replay, with nothing cached."""

    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.signal
    def tell(self, word: str) -> None:
        self.words.append(word)

    @workflow.run
    async def run(self) -> list[Any]:
        SEEN.append(f"{workflow.uuid4()} {workflow.random().random()} {workflow.now()}")
        first = await workflow.execute_activity(echo, "a", **ONCE)
        await asyncio.sleep(0.1)
        await workflow.wait_condition(lambda: bool(self.words), timeout=60)
        second, third = await asyncio.gather(
            workflow.execute_local_activity(echo, "local", **ONCE),
            workflow.execute_child_workflow(
                ReplayedChild.run, id=f"{workflow.info().workflow_id}-child"
            ),
        )
        return [first, second, third, self.words]


@workflow.defn
class ReplayedChild:
    @workflow.run
    async def run(self) -> list[Any]:
        info = workflow.info()
        await asyncio.sleep(0.1)
        return [
            info.parent.workflow_id if info.parent else None,
            info.root.workflow_id if info.root else None,
        ]


@program(Replayed, ReplayedChild, activities=[echo], max_cached_workflows=0)
async def replayed_at_every_task(case: Case) -> None:
    SEEN.clear()
    handle = await case.start(Replayed)
    await case.event(handle, "TIMER_FIRED")
    await handle.signal("tell", "word")
    await case.outcome(handle)
    case.note("replayed", len(SEEN) > 3)
    case.note("values seen", len(set(SEEN)))


@workflow.defn
class FailsFirst:
    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.signal
    def tell(self, word: str) -> None:
        self.words.append(word)

    @workflow.run
    async def run(self) -> list[str]:
        if workflow.info().attempt == 1:
            raise exceptions.ApplicationError("first")
        await workflow.wait_condition(lambda: bool(self.words))
        return self.words


@program(FailsFirst)
async def signal_between_two_attempts(case: Case) -> None:
    policy = common.RetryPolicy(initial_interval=seconds(0.8), maximum_attempts=2)
    handle = await case.start(FailsFirst, retry_policy=policy)
    first = case.handle(run_id=handle.result_run_id)
    await case.event(first, "WORKFLOW_EXECUTION_FAILED")
    await case.handle().signal("tell", "in between")
    await case.outcome(handle)


@program(FailsFirst)
async def cancel_between_two_attempts(case: Case) -> None:
    policy = common.RetryPolicy(initial_interval=seconds(3), maximum_attempts=2)
    begin = time.monotonic()
    handle = await case.start(FailsFirst, retry_policy=policy)
    first = case.handle(run_id=handle.result_run_id)
    await case.event(first, "WORKFLOW_EXECUTION_FAILED")
    await case.handle().cancel()
    await case.outcome(handle)
    case.note("the cancel ends the delay", time.monotonic() - begin < 2.5)


@activity.defn
async def local_tries() -> str:
    if activity.info().attempt < 3:
        raise ValueError(f"attempt {activity.info().attempt}")
    return f"attempt {activity.info().attempt}, local {activity.info().is_local}"


@workflow.defn
class LocalRetries:
    @workflow.run
    async def run(self, attempts: int) -> list[str]:
        policy = common.RetryPolicy(
            initial_interval=seconds(0.05), maximum_attempts=attempts
        )
        try:
            return [
                await workflow.execute_local_activity(
                    local_tries, retry_policy=policy, **ONCE
                )
            ]
        except exceptions.FailureError as error:
            return [type(error).__name__, str(error), repr(error.__cause__)]


@program(LocalRetries, activities=[local_tries])
async def local_activity_retried(case: Case) -> None:
    await case.outcome(await case.start(LocalRetries, 5), "retried")
    await case.outcome(await case.start(LocalRetries, 2, suffix="max"), "exhausted")


@workflow.defn
class CancelsSignalUnsent:
    @workflow.run
    async def run(self) -> list[str]:
        other = workflow.get_external_workflow_handle("nobody")
        task = asyncio.create_task(other.signal("tell", "x"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except (exceptions.FailureError, asyncio.CancelledError) as error:
            return [type(error).__name__, str(error)]
        return ["sent"]


@program(CancelsSignalUnsent)
async def external_signal_cancelled_unsent(case: Case) -> None:
    await case.outcome(await case.start(CancelsSignalUnsent))


@workflow.defn
class Shielded:
    """The run is cancelled while it waits for a shielded activity."""

    @workflow.run
    async def run(self) -> list[str]:
        work = workflow.start_activity(ends_at, "work", **ONCE)
        said = []
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            said.append("cancelled")
        said.append(await work)
        return said


@program(Shielded, activities=[ends_at])
async def workflow_cancelled_around_a_shield(case: Case) -> None:
    handle = await case.start(Shielded)
    await gates.passed("work runs")
    await handle.cancel()
    await case.event(handle, "WORKFLOW_TASK_COMPLETED", 2)
    gates.open_gate("work")
    await case.outcome(handle)


@workflow.defn
class NumbersOfUnsent:
    """Commands that are taken back before they are sent, and the ids of the next."""

    @workflow.run
    async def run(self) -> str:
        for work in (self.nap, self.ask):
            task = asyncio.create_task(work())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self.nap()
        return await self.ask()

    async def nap(self) -> None:
        await asyncio.sleep(0.05)

    async def ask(self) -> str:
        return await workflow.execute_activity(echo, "sent", **ONCE)


@program(NumbersOfUnsent, activities=[echo])
async def ids_after_unsent_commands(case: Case) -> None:
    await case.outcome(await case.start(NumbersOfUnsent))
