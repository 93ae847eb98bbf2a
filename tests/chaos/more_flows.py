"""More workflows of the crash tests: those whose clients must do something special."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.chaos.flows import AGAIN, LONG, Book, Plan, Report, Work, _Attempt, step
from workflows import activity, workflow
from workflows.exceptions import ApplicationError

NOWHERE = "nowhere"  # a queue that nobody serves


@activity.defn
def resumed_step(work: Work) -> str:
    """Fail half-way the first time, and go on from there the second time."""
    attempt = _Attempt(work)
    time.sleep(work.ms / 1000)
    given = activity.info().heartbeat_details
    activity.heartbeat("half")
    if activity.info().attempt == 1 or [*given] != ["half"]:
        attempt.note("fail")
        msg = "half of it is done"
        raise ApplicationError(msg)
    attempt.note("effect")
    return attempt.token


@activity.defn
def left_open(_work: Work) -> str:
    """Let somebody else complete it; nobody does."""
    activity.raise_complete_async()


@workflow.defn
class LocalSteps:
    """Local activities, one after the other and side by side, then a plain one."""

    @workflow.run
    async def run(self, plan: Plan) -> Report:
        book = Book(plan)

        async def local(number: int) -> None:
            name = f"s{number}"
            work = Work(workflow.info().workflow_id, name, plan.ms)
            token = await workflow.execute_local_activity(
                step, work, start_to_close_timeout=LONG, retry_policy=AGAIN
            )
            book.steps.append([name, token])

        await local(0)
        await asyncio.gather(*(local(number) for number in range(1, plan.size)))
        await book.do("end")
        return book.report()


@workflow.defn
class Resuming:
    """Steps that fail after a heartbeat, and resume."""

    @workflow.run
    async def run(self, plan: Plan) -> Report:
        book = Book(plan)
        for number in range(plan.size):
            await book.do(f"s{number}", resumed_step)
        await book.do("end")
        return book.report()


@workflow.defn
class Cleaning:
    """Waits for an activity that nobody takes, one that nobody ends and a timer.

    When it is cancelled, it cleans up.
    """

    @workflow.run
    async def run(self, plan: Plan) -> Report:
        book, own = Book(plan), workflow.info().workflow_id
        try:
            await asyncio.gather(
                workflow.execute_activity(
                    step,
                    Work(own, "never", 0),
                    task_queue=NOWHERE,
                    start_to_close_timeout=LONG,
                ),
                workflow.execute_activity(
                    left_open, Work(own, "open", 0), start_to_close_timeout=LONG
                ),
                asyncio.sleep(3600),
            )
        except (asyncio.CancelledError, Exception):  # noqa: BLE001 - whichever is first
            await book.do("end")
        return book.report()


@workflow.defn
class Family:
    """Starts a child of each parent-close policy, and waits for its end."""

    @workflow.run
    async def run(self, _plan: Plan) -> None:
        for policy in workflow.ParentClosePolicy:
            if policy is not workflow.ParentClosePolicy.UNSPECIFIED:
                await workflow.start_child_workflow(
                    Idle.run, id=policy.name.lower(), parent_close_policy=policy
                )
        await workflow.wait_condition(lambda: False)


@workflow.defn
class Idle:
    """Waits for its end, or a day."""

    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(timedelta(days=1).total_seconds())


MORE_WORKFLOWS: list[type[Any]] = [LocalSteps, Resuming, Cleaning, Family, Idle]
MORE_ACTIVITIES: list[Callable[..., Any]] = [resumed_step, left_open]
