"""asyncio's own tools work in workflows, in the same order each time."""

import asyncio
from typing import Any

import pytest

from tests.unit.workflow.driver import Driver, failure, fire, kinds, result, signal
from workflows import workflow
from workflows.engine.activation import CancelRequested


@workflow.defn
class Primitives:
    def __init__(self) -> None:
        self.log: list[Any] = []
        self.event = asyncio.Event()

    @workflow.run
    async def run(self, tool: str) -> list[Any]:
        await getattr(self, tool)()
        return self.log

    async def nap(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        self.log.append(seconds)
        return seconds

    async def gather(self) -> None:
        self.log.append(await asyncio.gather(*map(self.nap, (3, 1, 2))))

    async def wait(self) -> None:
        tasks = [asyncio.create_task(self.nap(n)) for n in (3, 1, 2)]
        done, pending = await workflow.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self.log.append([task.result() for task in done])
        self.log.append([tasks.index(task) for task in pending])

    async def asyncio_wait(self) -> None:
        tasks = [asyncio.create_task(self.nap(n)) for n in (3, 1, 2)]
        done, _ = await asyncio.wait(tasks)
        self.log.append([task.result() for task in done])

    async def as_completed(self) -> None:
        self.log.clear()
        for each in workflow.as_completed([self.nap(n) for n in (3, 1, 2)]):
            await each

    async def task_group(self) -> None:
        async with asyncio.TaskGroup() as group:
            for n in (3, 1, 2):
                group.create_task(self.nap(n))

    async def lock(self) -> None:
        lock = asyncio.Lock()

        async def enter(n: int) -> None:
            async with lock:
                await self.nap(n)

        await asyncio.gather(*map(enter, (3, 1, 2)))

    async def semaphore(self) -> None:
        semaphore = asyncio.Semaphore(2)

        async def enter(n: int) -> None:
            async with semaphore:
                await self.nap(n)

        await asyncio.gather(*map(enter, (3, 1, 2)))

    async def queue(self) -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)

        async def produce() -> None:
            for n in (3, 1, 2):
                await queue.put(n)

        producer = asyncio.create_task(produce())
        for _ in range(3):
            self.log.append(await queue.get())
        await producer

    async def wait_for(self) -> None:
        try:
            await asyncio.wait_for(self.nap(3), 1)
        except TimeoutError:
            self.log.append("timeout")

    async def timeout(self) -> None:
        try:
            async with asyncio.timeout(1):
                await self.nap(3)
        except TimeoutError:
            self.log.append("timeout")

    async def wait_event(self) -> None:
        await self.event.wait()
        self.log.append("set")

    async def shield(self) -> None:
        inner = asyncio.create_task(self.nap(2))
        try:
            await asyncio.shield(inner)
        except asyncio.CancelledError:
            self.log.append("cancelled")
        await inner

    async def failing_group(self) -> None:
        async def boom() -> None:
            await asyncio.sleep(1)
            msg = "boom"
            raise ValueError(msg)

        async def patient(n: int) -> None:
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                self.log.append(n)
                raise

        try:
            async with asyncio.TaskGroup() as group:
                for n in range(20):
                    group.create_task(patient(n))
                group.create_task(boom())
        except* ValueError:
            self.log.append("boom")

    @workflow.signal
    def set_event(self) -> None:
        self.event.set()


@pytest.mark.parametrize(
    ("tool", "fired", "log"),
    [
        ("gather", [2, 3, 1], [1, 2, 3, [3, 1, 2]]),
        ("wait", [2], [1, [1], [0, 2]]),
        ("as_completed", [2, 3, 1], [1, 2, 3]),
        ("task_group", [2, 3, 1], [1, 2, 3]),
        ("lock", [1, 2, 3], [3, 1, 2]),
        ("semaphore", [2, 3, 1], [1, 2, 3]),
        ("queue", [], [3, 1, 2]),
    ],
)
def test_tasks_meet_in_the_order_of_their_timers(
    tool: str, fired: list[int], log: list[Any]
) -> None:
    driver = Driver(Primitives, tool)
    commands = driver.start()
    for seq in fired:
        assert "CompleteWorkflow" not in kinds(commands)
        commands = driver.send(fire(seq))
    assert result(commands[:1] if tool == "wait" else commands) == log


@pytest.mark.parametrize("tool", ["wait_for", "timeout"])
def test_a_timeout_cancels_what_it_waits_for(tool: str) -> None:
    driver = Driver(Primitives, tool)
    timers = {c.duration_ms: c.seq for c in driver.start()}  # type: ignore[union-attr]
    assert sorted(timers) == [1000, 3000]
    commands = driver.send(fire(timers[1000]))
    assert kinds(commands) == ["CancelTimer", "CompleteWorkflow"]
    assert result(commands) == ["timeout"]


def test_an_event_wakes_who_waits_for_it() -> None:
    driver = Driver(Primitives, "wait_event")
    assert driver.start() == []
    assert result(driver.send(signal("set_event"))) == ["set"]


def test_a_shielded_task_goes_on_when_the_workflow_is_cancelled() -> None:
    driver = Driver(Primitives, "shield")
    driver.start()
    assert driver.send(CancelRequested()) == []
    assert result(driver.send(fire(1))) == ["cancelled", 2]


def test_sets_of_tasks_iterate_in_an_order_that_the_run_decides() -> None:
    orders = []
    for _ in range(3):
        driver = Driver(Primitives, "failing_group")
        driver.start()
        orders.append(result(driver.send(fire(21))))
    assert orders[0] == orders[1] == orders[2]
    assert sorted(orders[0][:-1]) == list(range(20))
    done = []
    for _ in range(3):
        driver = Driver(Primitives, "asyncio_wait")
        driver.start()
        driver.send(fire(1), fire(3))
        done.append(result(driver.send(fire(2))))
    assert done[0] == done[1] == done[2]


@workflow.defn
class Uncancels:
    @workflow.run
    async def run(self) -> str:
        async with asyncio.timeout(10):
            inner = asyncio.create_task(workflow.sleep(1))
            inner.cancel()
            try:
                await inner
            except asyncio.CancelledError:
                pass
            await workflow.sleep(2)
        return "in time"


def test_a_cancelled_task_does_not_confuse_an_outer_timeout() -> None:
    driver = Driver(Uncancels)
    driver.start()
    assert result(driver.send(fire(2))) == "in time"


@workflow.defn
class Executor:
    @workflow.run
    async def run(self) -> None:
        await asyncio.to_thread(print)


def test_threads_are_refused_with_what_to_do_instead() -> None:
    with pytest.raises(RuntimeError, match="execute_activity"):
        Driver(Executor).start()


@workflow.defn
class LostError:
    @workflow.run
    async def run(self) -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)
        await workflow.sleep(1)
        raise TimeoutError


def test_an_error_in_a_callback_is_logged_and_a_timeout_error_fails_the_workflow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    driver = Driver(LostError)
    driver.start()
    assert "ZeroDivisionError" in caplog.text
    assert "TimeoutError" in repr(failure(driver.send(fire(1))).__dict__)
