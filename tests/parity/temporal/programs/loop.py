"""Timers, conditions and asyncio's own tools in workflow code."""

import asyncio
from typing import Any

from tests.parity.temporal.program import Case, program, seconds
from tests.parity.temporal.sdk import activity, exceptions, workflow

SHORT = {"start_to_close_timeout": seconds(5)}


@activity.defn
async def echo(value: str) -> str:
    return value


@activity.defn
async def slow_echo(value: str, delay: float) -> str:
    await asyncio.sleep(delay)
    return value


@activity.defn
async def breaks(what: str) -> None:
    raise exceptions.ApplicationError(what, type="Broken", non_retryable=True)


@workflow.defn
class Timers:
    @workflow.run
    async def run(self) -> list[bool]:
        begin = workflow.now()
        await asyncio.sleep(0.3)
        middle = workflow.now()
        await workflow.sleep(seconds(0.2))
        end = workflow.now()
        await asyncio.sleep(0)
        return [
            0.3 <= (middle - begin).total_seconds() < 3,
            0.2 <= (end - middle).total_seconds() < 3,
            workflow.now() == end,
        ]


@program(Timers)
async def timers_in_order(case: Case) -> None:
    await case.outcome(await case.start(Timers))


@workflow.defn
class TimersAtOnce:
    @workflow.run
    async def run(self) -> list[str]:
        order: list[str] = []

        async def nap(name: str, delay: float) -> None:
            await asyncio.sleep(delay)
            order.append(name)

        await asyncio.gather(nap("slow", 0.9), nap("quick", 0.1), nap("middle", 0.5))
        return order


@program(TimersAtOnce)
async def timers_fire_by_time(case: Case) -> None:
    await case.outcome(await case.start(TimersAtOnce))


@workflow.defn
class TimerWithSummary:
    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(0.1, summary="a nap")
        return await workflow.execute_activity(echo, "x", summary="an echo", **SHORT)


@program(TimerWithSummary, activities=[echo])
async def summaries(case: Case) -> None:
    await case.outcome(await case.start(TimerWithSummary, static_summary="the whole"))


@workflow.defn
class Conditions:
    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.signal
    def tell(self, word: str) -> None:
        self.words.append(word)

    @workflow.run
    async def run(self) -> list[str]:
        said = []
        try:
            await workflow.wait_condition(lambda: bool(self.words), timeout=0.2)
        except TimeoutError as error:
            said.append(f"{type(error).__name__} {error}")
        await workflow.wait_condition(lambda: bool(self.words), timeout=60)
        await workflow.wait_condition(lambda: True)
        return said + self.words


@program(Conditions)
async def condition_times_out_then_holds(case: Case) -> None:
    handle = await case.start(Conditions)
    await case.event(handle, "TIMER_STARTED", 2)
    await handle.signal("tell", "now")
    await case.outcome(handle)


@workflow.defn
class ConditionFails:
    @workflow.run
    async def run(self, how: str) -> None:
        if how == "timeout":
            await workflow.wait_condition(lambda: False, timeout=0.1)

        def broken() -> bool:
            raise exceptions.ApplicationError("condition broke", type="Broken")

        await workflow.wait_condition(broken)


@program(ConditionFails)
async def condition_fails_the_workflow(case: Case) -> None:
    await case.outcome(await case.start(ConditionFails, "timeout"), "timeout")
    await case.outcome(await case.start(ConditionFails, "x", suffix="raise"), "raise")


@workflow.defn
class AsyncioTimeout:
    @workflow.run
    async def run(self) -> list[str]:
        said = []
        try:
            async with asyncio.timeout(0.2):
                await asyncio.sleep(60)
        except TimeoutError:
            said.append("timeout")
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.2)
        except TimeoutError:
            said.append("wait_for")
        try:
            async with asyncio.timeout(0.3):
                await workflow.execute_activity(slow_echo, args=["x", 0.9], **SHORT)
        except (exceptions.ActivityError, TimeoutError) as error:
            said.append(type(error).__name__)
        async with asyncio.timeout(60):
            said.append(await workflow.execute_activity(echo, "in time", **SHORT))
        return said


@program(AsyncioTimeout, activities=[echo, slow_echo])
async def asyncio_timeout(case: Case) -> None:
    await case.outcome(await case.start(AsyncioTimeout))


@workflow.defn
class Shield:
    @workflow.run
    async def run(self) -> list[str]:
        inner = workflow.start_activity(slow_echo, args=["kept", 0.4], **SHORT)
        outer = asyncio.create_task(self.wait(inner))
        await asyncio.sleep(0.1)
        outer.cancel()
        said = []
        try:
            await outer
        except asyncio.CancelledError:
            said.append("outer cancelled")
        return [*said, await inner]

    async def wait(self, inner: Any) -> str:
        return str(await asyncio.shield(inner))


@program(Shield, activities=[slow_echo])
async def asyncio_shield(case: Case) -> None:
    await case.outcome(await case.start(Shield))


@workflow.defn
class TaskGroup:
    @workflow.run
    async def run(self) -> list[str]:
        said = []
        async with asyncio.TaskGroup() as group:
            one = group.create_task(self.ask("one"))
            two = group.create_task(self.ask("two"))
        said += [one.result(), two.result()]
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(60))
                group.create_task(
                    workflow.execute_activity(breaks, "in a group", **SHORT)
                )
        except* exceptions.ActivityError as errors:
            said += [str(caught.cause) for caught in list[Any](errors.exceptions)]
        return said

    async def ask(self, word: str) -> str:
        return await workflow.execute_activity(
            slow_echo, args=[word, 0.3 if word == "two" else 0.0], **SHORT
        )


@program(TaskGroup, activities=[slow_echo, breaks])
async def asyncio_task_group(case: Case) -> None:
    await case.outcome(await case.start(TaskGroup))


@workflow.defn
class Primitives:
    """Lock, Semaphore, Event and Queue among tasks that wait for timers."""

    @workflow.run
    async def run(self) -> list[str]:
        self.said: list[str] = []
        lock = asyncio.Lock()
        two = asyncio.Semaphore(2)
        event = asyncio.Event()
        queue: asyncio.Queue[str] = asyncio.Queue(1)
        await asyncio.gather(
            *(self.locked(lock, name) for name in ("a", "b")),
            *(self.counted(two, name) for name in ("p", "q", "r")),
            self.waits(event),
            self.puts(queue),
            self.gets(queue),
            self.sets(event),
        )
        return self.said

    async def locked(self, lock: asyncio.Lock, name: str) -> None:
        async with lock:
            self.said.append(f"{name} locked")
            await asyncio.sleep(0.3)
            self.said.append(f"{name} free")

    async def counted(self, semaphore: asyncio.Semaphore, name: str) -> None:
        async with semaphore:
            self.said.append(f"{name} in")
            await asyncio.sleep({"p": 0.1, "q": 0.2, "r": 0.1}[name])
            self.said.append(f"{name} out")

    async def waits(self, event: asyncio.Event) -> None:
        await event.wait()
        self.said.append("event seen")

    async def sets(self, event: asyncio.Event) -> None:
        await asyncio.sleep(0.45)
        event.set()

    async def puts(self, queue: "asyncio.Queue[str]") -> None:
        for word in ("first", "second", "third"):
            await queue.put(word)
            self.said.append(f"put {word}")

    async def gets(self, queue: "asyncio.Queue[str]") -> None:
        for _ in range(3):
            self.said.append(f"got {await queue.get()}")


@program(Primitives)
async def asyncio_lock_semaphore_event_queue(case: Case) -> None:
    await case.outcome(await case.start(Primitives))


@workflow.defn
class GatherFails:
    @workflow.run
    async def run(self, keep: bool) -> list[str]:
        found = await asyncio.gather(
            workflow.execute_activity(breaks, "one broke", **SHORT),
            workflow.execute_activity(slow_echo, args=["late", 0.4], **SHORT),
            return_exceptions=keep,
        )
        return [str(item) for item in found]


@program(GatherFails, activities=[breaks, slow_echo])
async def gather_fails_early(case: Case) -> None:
    await case.outcome(await case.start(GatherFails, True, suffix="keep"), "kept")
    await case.outcome(await case.start(GatherFails, False), "raised")


@workflow.defn
class FirstOfTwo:
    @workflow.run
    async def run(self) -> list[str]:
        quick = asyncio.create_task(asyncio.sleep(0.2, "quick"))
        slow = asyncio.create_task(asyncio.sleep(60, "slow"))
        done, left = await workflow.wait(
            [slow, quick], return_when=asyncio.FIRST_COMPLETED
        )
        for task in left:
            task.cancel()
        said = [task.result() for task in done]
        naps = [asyncio.sleep(0.4, "second"), asyncio.sleep(0.1, "first")]
        return said + [await nap for nap in workflow.as_completed(naps)]


@program(FirstOfTwo)
async def wait_and_as_completed(case: Case) -> None:
    await case.outcome(await case.start(FirstOfTwo))


@workflow.defn
class RandomThings:
    @workflow.run
    async def run(self) -> list[Any]:
        first, second = workflow.uuid4(), workflow.uuid4()
        number = workflow.random().random()
        await asyncio.sleep(0.05)
        return [
            first != second,
            first.version,
            0 <= number < 1,
            workflow.random().randint(3, 3),
            workflow.unsafe.is_replaying(),
        ]


@program(RandomThings)
async def uuid_and_random(case: Case) -> None:
    await case.outcome(await case.start(RandomThings))


@workflow.defn
class TimerCancelledUnsent:
    @workflow.run
    async def run(self) -> str:
        task = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return "cancelled, and never in the history"
        return "slept"


@program(TimerCancelledUnsent)
async def timer_cancelled_unsent(case: Case) -> None:
    await case.outcome(await case.start(TimerCancelledUnsent))


@workflow.defn
class LeavesThingsOpen:
    """Close with an activity, a timer and a child still going."""

    @workflow.run
    async def run(self) -> str:
        workflow.start_activity(slow_echo, args=["nobody waits", 0.3], **SHORT)
        nap = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0.1)
        return f"nap done: {nap.done()}"


@program(LeavesThingsOpen, activities=[slow_echo])
async def workflow_closes_with_open_commands(case: Case) -> None:
    await case.outcome(await case.start(LeavesThingsOpen))
    await asyncio.sleep(0.5)


@workflow.defn
class LocalActivities:
    @workflow.run
    async def run(self) -> list[str]:
        return [
            await workflow.execute_local_activity(echo, "one", **SHORT),
            await workflow.execute_local_activity(echo, "two", **SHORT),
        ]


@program(LocalActivities, activities=[echo])
async def local_activities(case: Case) -> None:
    await case.outcome(await case.start(LocalActivities))


@workflow.defn
class LocalFails:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_local_activity(breaks, "locally", **SHORT)


@program(LocalFails, activities=[breaks])
async def local_activity_fails(case: Case) -> None:
    await case.outcome(await case.start(LocalFails))
