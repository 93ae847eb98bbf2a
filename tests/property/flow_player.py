"""The workflow that plays a script, and its activities."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tests.property.flow_script import Script, Step
from workflows import activity, workflow
from workflows.common import RetryPolicy
from workflows.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    is_cancelled_exception,
)

LONG = timedelta(hours=1)
AGAIN = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=1, maximum_attempts=3
)
ONCE = RetryPolicy(maximum_attempts=1)


@dataclass(frozen=True)
class Work:
    """What an activity shall do."""

    kind: str
    key: int
    seconds: int = 0


HANDED: list[tuple[str, Work]] = []  # task tokens of what waits for its completion


@activity.defn
def work(what: Work) -> str:
    """Return its key; or fail the first time, or always, or be completed later."""
    if what.kind == "handed":
        HANDED.append((activity.info().task_token.decode(), what))
        activity.raise_complete_async()
    if what.kind == "bad" or (what.kind == "flaky" and activity.info().attempt == 1):
        msg = f"{what.kind} {what.key}"
        raise ApplicationError(msg, non_retryable=what.kind == "bad")
    return f"{what.kind} {what.key}"


def span(ms: int) -> timedelta:
    return timedelta(milliseconds=ms)


@workflow.defn
class Play:
    """Plays a script; what it returns says how each step ended."""

    @workflow.init
    def __init__(self, script: Script) -> None:
        self.script = script
        self.heard, self.told = script.heard, [*script.told]

    @workflow.signal
    def tell(self, number: int) -> None:
        """Hear something that may be waited for; clients number what they say."""
        self.heard += 1
        if number:
            self.told.append(number)

    @workflow.signal
    def note(self, number: int) -> None:
        """Hear something that nobody waits for."""
        self.told.append(number)

    @workflow.run
    async def run(self, script: Script) -> tuple[list[Any], list[int]]:
        steps, *more = script.runs
        results = [*script.results, await self.play(steps, robust=script.robust)]
        if more:
            following = replace(script, runs=more, heard=self.heard, told=self.told)
            workflow.continue_as_new(replace(following, results=results))
        return results, self.told

    async def play(self, steps: list[Step], *, robust: bool = False) -> list[Any]:
        return [await self.step(step, robust=robust) for step in steps]

    async def step(self, step: Step, *, robust: bool) -> Any:
        kind, *needs = step
        act: Callable[..., Awaitable[Any]] = getattr(self, kind)
        try:
            return await act(*needs)
        except TimeoutError:
            return "timed out"
        except (ActivityError, ChildWorkflowError) as error:
            if is_cancelled_exception(error) and not robust:
                raise
            return type(error.cause or error).__name__
        except asyncio.CancelledError:
            if not robust:
                raise
            return "cancelled"

    # -- leaves ------------------------------------------------------------------------

    async def _work(self, kind: str, key: int, seconds: int = 0) -> str:
        return await workflow.execute_activity(
            work,
            Work(kind, key, seconds),
            start_to_close_timeout=LONG,
            retry_policy=AGAIN,
        )

    async def activity(self, key: int) -> str:
        return await self._work("activity", key)

    async def flaky(self, key: int) -> str:
        return await self._work("flaky", key)

    async def bad(self, key: int) -> str:
        return await self._work("bad", key)

    async def handed(self, key: int, seconds: int) -> str:
        return await self._work("handed", key, seconds)

    async def local(self, key: int, kind: str = "local") -> str:
        return await workflow.execute_local_activity(
            work, Work(kind, key), start_to_close_timeout=LONG, retry_policy=ONCE
        )

    async def bad_local(self, key: int) -> str:
        try:
            return await self.local(key, "bad")
        except ApplicationError as error:  # bare, of a local activity: ends no group
            return error.message

    async def sleep(self, seconds: int) -> str:
        await workflow.sleep(seconds)
        return "slept"

    async def wait(self, number: int) -> str:
        await workflow.wait_condition(lambda: self.heard >= number)
        return "heard"

    async def wait_until(self, number: int, ms: int) -> str:
        await workflow.wait_condition(lambda: self.heard >= number, timeout=span(ms))
        return "heard"

    async def patch(self, key: int) -> bool:
        return workflow.patched(f"patch {key}")

    async def memo(self, key: int) -> None:
        workflow.upsert_memo({f"memo {key % 3}": key})

    async def tell_parent(self, key: int) -> str:
        parent = workflow.info().parent
        if parent is not None:
            handle = workflow.get_external_workflow_handle(parent.workflow_id)
            try:
                await handle.signal(Play.tell, 0)
            except ApplicationError:  # it has closed meanwhile
                return "told"
        return "told"

    async def fail(self, ms: int) -> None:
        await workflow.sleep(span(ms))
        msg = "told to fail"
        raise ApplicationError(msg)

    async def try_activity(
        self, key: int, kind: str, seconds: int, how: int, ms: int
    ) -> str:
        handle = workflow.start_activity(
            work,
            Work(kind, key, seconds),
            start_to_close_timeout=LONG,
            retry_policy=AGAIN,
            cancellation_type=workflow.ActivityCancellationType(how),
        )
        ender = asyncio.create_task(asyncio.sleep(ms / 1000))
        ender.add_done_callback(lambda _: handle.cancel())
        try:
            return await handle
        except ActivityError as error:
            return type(error.cause).__name__
        finally:
            ender.cancel()

    # -- steps of steps ----------------------------------------------------------------

    async def gather(self, *branches: list[Step]) -> Any:
        try:
            return await asyncio.gather(*map(self.play, branches))
        except ApplicationError as error:
            return error.message

    async def task_group(self, *branches: list[Step]) -> Any:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.play(branch)) for branch in branches]
        except ExceptionGroup as errors:
            return [type(error).__name__ for error in errors.exceptions]
        return [task.result() for task in tasks]

    async def catch(self, branch: list[Step]) -> Any:
        try:
            return await self.play(branch)
        except ApplicationError as error:
            return error.message

    async def race(self, *runners: tuple[int, list[Step]]) -> Any:
        """The first to wake goes on; the other is cancelled in its sleep."""

        async def run(ms: int) -> int:
            await workflow.sleep(span(ms))
            return ms

        sleeps = [asyncio.create_task(run(ms)) for ms, _ in runners]
        try:
            done, _ = await workflow.wait(sleeps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in sleeps:
                each.cancel()
        (first,) = done
        (branch,) = (branch for ms, branch in runners if ms == first.result())
        return await self.play(branch)

    async def timeout(self, ms: int, branch: list[Step]) -> Any:
        async with asyncio.timeout(ms / 1000):
            return await self.catch(branch)

    async def cancel(self, ms: int, branch: list[Step]) -> Any:
        task = asyncio.create_task(self.catch(branch))
        try:
            await workflow.sleep(span(ms))
        finally:
            task.cancel()
        return await ended(task)

    async def shield(self, ms: int, branch: list[Step]) -> Any:
        task = asyncio.create_task(self.catch(branch))
        try:
            async with asyncio.timeout(ms / 1000):
                return await asyncio.shield(task)
        except TimeoutError:
            return ["late", await ended(task)]

    async def child(
        self,
        key: int,
        runs: list[list[Step]],
        robust: bool,
        signals: int,
        how: int,
        policy: int,
    ) -> Any:
        handle = await workflow.start_child_workflow(
            Play.run,
            Script(runs=runs, robust=robust),
            id=f"{workflow.info().workflow_id}-{key}",
            cancellation_type=workflow.ChildWorkflowCancellationType(how),
            parent_close_policy=workflow.ParentClosePolicy(policy),
        )
        for _ in range(signals):
            try:
                await handle.signal(Play.tell, 0)
            except ApplicationError:  # it has closed meanwhile
                break
        results, _ = await handle
        return results


async def ended(task: "asyncio.Task[Any]") -> Any:
    """Return how a task of this workflow ended; a cancellation of the asker passes."""
    await workflow.wait([task])
    if task.cancelled():
        return "cancelled"
    error = task.exception()
    return task.result() if error is None else type(error).__name__
