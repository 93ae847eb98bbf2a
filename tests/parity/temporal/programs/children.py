"""Child workflows: outcomes, cancellation, parent-close policies, ids."""

import asyncio
from typing import Any

from tests.parity.temporal.program import Case, program, seconds
from tests.parity.temporal.sdk import common, exceptions, workflow


@workflow.defn
class Child:
    """Do what `how` says; "wait" ends by a signal or a cancellation."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @workflow.signal
    def tell(self, word: str) -> None:
        self.told.append(word)

    @workflow.run
    async def run(self, how: str) -> str:
        if how == "fail":
            raise exceptions.ApplicationError("child broke", 5, type="Broken")
        if how == "again":
            workflow.continue_as_new("complete")
        if how == "wait":
            await workflow.wait_condition(lambda: bool(self.told))
            return self.told[0]
        if how == "late":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.shield(asyncio.sleep(0.3))
                raise
        return "completed"


def told(error: Any) -> list[str]:
    """Say what a child's failure looks like to its parent."""
    if not isinstance(error, exceptions.ChildWorkflowError):
        return [type(error).__name__, str(error)]
    return [
        error.message,
        error.workflow_type,
        error.retry_state.name if error.retry_state else "no retry state",
        type(error.cause).__name__,
        str(error.cause),
    ]


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, how: str, options: dict[str, Any]) -> list[str]:
        times = {k: seconds(v) for k, v in options.items() if k.endswith("timeout")}
        try:
            return [
                await workflow.execute_child_workflow(
                    Child.run, how, id=f"{workflow.info().workflow_id}-child", **times
                )
            ]
        except exceptions.ChildWorkflowError as error:
            return told(error)


@program(Parent, Child)
async def child_completes(case: Case) -> None:
    await case.outcome(await case.start(Parent, "complete", {}))


@program(Parent, Child)
async def child_fails(case: Case) -> None:
    await case.outcome(await case.start(Parent, "fail", {}))


@program(Parent, Child)
async def child_continues_as_new(case: Case) -> None:
    await case.outcome(await case.start(Parent, "again", {}))


@program(Parent, Child)
async def child_times_out(case: Case) -> None:
    await case.outcome(
        await case.start(Parent, "wait", {"execution_timeout": 0.6}), "execution"
    )
    await case.outcome(
        await case.start(Parent, "wait", {"run_timeout": 0.6}, suffix="run"), "run"
    )


@program(Parent, Child)
async def child_terminated(case: Case) -> None:
    parent = await case.start(Parent, "wait", {})
    await case.event(parent, "CHILD_WORKFLOW_EXECUTION_STARTED")
    await case.handle("child").terminate(reason="enough")
    await case.outcome(parent)


@program(Parent, Child)
async def child_cancelled_from_outside(case: Case) -> None:
    parent = await case.start(Parent, "wait", {})
    await case.event(parent, "CHILD_WORKFLOW_EXECUTION_STARTED")
    await case.event(case.handle("child"), "WORKFLOW_TASK_COMPLETED")
    await case.handle("child").cancel()
    await case.outcome(parent)


@workflow.defn
class ParentFails:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_child_workflow(
            Child.run, "fail", id=f"{workflow.info().workflow_id}-child"
        )


@program(ParentFails, Child)
async def child_failure_fails_parent(case: Case) -> None:
    await case.outcome(await case.start(ParentFails))


@workflow.defn
class ParentCancelsChild:
    def __init__(self) -> None:
        self.go = False

    @workflow.signal
    def proceed(self) -> None:
        self.go = True

    @workflow.run
    async def run(self, kind: str) -> list[str]:
        handle = await workflow.start_child_workflow(
            Child.run,
            "late",
            id=f"{workflow.info().workflow_id}-child",
            cancellation_type=workflow.ChildWorkflowCancellationType[kind],
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
        )
        await workflow.wait_condition(lambda: self.go)
        handle.cancel()
        try:
            return [await handle]
        except (exceptions.ChildWorkflowError, asyncio.CancelledError) as error:
            said = told(error)
        # A request that is written with the close of its run is never delivered.
        await asyncio.sleep(0.5)
        return said


async def cancels_child(case: Case, kind: str) -> None:
    parent = await case.start(ParentCancelsChild, kind)
    await case.event(parent, "CHILD_WORKFLOW_EXECUTION_STARTED")
    child = case.handle("child")
    await case.event(child, "TIMER_STARTED")
    await parent.signal("proceed")
    await case.outcome(parent)
    if kind == "ABANDON":
        await child.cancel()
    await case.outcome(child, "child")


@program(ParentCancelsChild, Child)
async def child_wait_cancellation_completed(case: Case) -> None:
    await cancels_child(case, "WAIT_CANCELLATION_COMPLETED")


@program(ParentCancelsChild, Child)
async def child_wait_cancellation_requested(case: Case) -> None:
    await cancels_child(case, "WAIT_CANCELLATION_REQUESTED")


@program(ParentCancelsChild, Child)
async def child_try_cancel(case: Case) -> None:
    await cancels_child(case, "TRY_CANCEL")


@program(ParentCancelsChild, Child)
async def child_abandoned(case: Case) -> None:
    await cancels_child(case, "ABANDON")


@workflow.defn
class ParentCloses:
    @workflow.run
    async def run(self, policy: str) -> str:
        await workflow.start_child_workflow(
            Child.run,
            "late" if policy == "REQUEST_CANCEL" else "wait",
            id=f"{workflow.info().workflow_id}-child",
            parent_close_policy=workflow.ParentClosePolicy[policy],
        )
        return "parent closed"


@workflow.defn
class ParentContinues:
    @workflow.run
    async def run(self, first: bool) -> str:
        if first:
            await workflow.start_child_workflow(
                Child.run, "wait", id=f"{workflow.info().workflow_id}-child"
            )
            workflow.continue_as_new(False)
        return "second run"


async def parent_closes(case: Case, policy: str) -> None:
    await case.outcome(await case.start(ParentCloses, policy))
    child = case.handle("child")
    if policy == "ABANDON":
        await asyncio.sleep(0.3)
        await child.signal("tell", "alive")
    await case.outcome(child, "child")


@program(ParentCloses, Child)
async def parent_close_terminates_child(case: Case) -> None:
    await parent_closes(case, "TERMINATE")


@program(ParentCloses, Child)
async def parent_close_cancels_child(case: Case) -> None:
    await parent_closes(case, "REQUEST_CANCEL")


@program(ParentCloses, Child)
async def parent_close_abandons_child(case: Case) -> None:
    await parent_closes(case, "ABANDON")


@program(ParentContinues, Child)
async def parent_continues_as_new_and_child_ends(case: Case) -> None:
    await case.outcome(await case.start(ParentContinues, True))
    await case.outcome(case.handle("child"), "child")


@workflow.defn
class CancelsChildBeforeStart:
    @workflow.run
    async def run(self) -> list[str]:
        task = asyncio.create_task(
            workflow.execute_child_workflow(
                Child.run, "complete", id=f"{workflow.info().workflow_id}-child"
            )
        )
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except (exceptions.ChildWorkflowError, asyncio.CancelledError) as error:
            return told(error)
        return ["completed"]


@program(CancelsChildBeforeStart, Child)
async def child_cancelled_before_start(case: Case) -> None:
    await case.outcome(await case.start(CancelsChildBeforeStart))


@workflow.defn
class IdTaken:
    @workflow.run
    async def run(self, taken: str, policy: str) -> list[str]:
        try:
            handle = await workflow.start_child_workflow(
                Child.run,
                "complete",
                id=taken,
                id_reuse_policy=common.WorkflowIDReusePolicy[policy],
            )
        except exceptions.WorkflowAlreadyStartedError as error:
            return [error.message, error.workflow_id, error.workflow_type]
        return [await handle]


@program(IdTaken, Child)
async def child_id_is_taken(case: Case) -> None:
    other = await case.start(Child, "wait", suffix="other")
    taken = [other.id, "ALLOW_DUPLICATE"]
    await case.outcome(await case.start(IdTaken, *taken), "running")
    await other.signal("tell", "end")
    await other.result()
    rejected = [other.id, "REJECT_DUPLICATE"]
    await case.outcome(await case.start(IdTaken, *rejected, suffix="r"), "rejected")
    await case.outcome(await case.start(IdTaken, *taken, suffix="a"), "allowed")


@workflow.defn
class SignalsChild:
    @workflow.run
    async def run(self) -> list[str]:
        child = await workflow.start_child_workflow(
            Child.run, "wait", id=f"{workflow.info().workflow_id}-child"
        )
        await child.signal(Child.tell, "from parent")
        said = await child
        try:
            await child.signal(Child.tell, "too late")
        except exceptions.ApplicationError as error:
            return [said, str(error.type), error.message]
        return [said]


@program(SignalsChild, Child)
async def child_signalled(case: Case) -> None:
    await case.outcome(await case.start(SignalsChild))


@workflow.defn
class DefaultChildId:
    @workflow.run
    async def run(self) -> list[Any]:
        handle = await workflow.start_child_workflow(Child.run, "complete")
        return [await handle, len(handle.id), bool(handle.first_execution_run_id)]


@program(DefaultChildId, Child)
async def child_with_default_id(case: Case) -> None:
    await case.outcome(await case.start(DefaultChildId))


@workflow.defn
class ChildOptions:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_child_workflow(
            Child.run,
            "fail",
            id=f"{workflow.info().workflow_id}-child",
            memo={"colour": "red"},
            retry_policy=common.RetryPolicy(
                initial_interval=seconds(0.05), maximum_attempts=2
            ),
            execution_timeout=seconds(20),
            run_timeout=seconds(10),
            task_timeout=seconds(5),
        )


@program(ChildOptions, Child)
async def child_with_retries_and_options(case: Case) -> None:
    await case.outcome(await case.start(ChildOptions))


@workflow.defn
class ParentCancelled:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_child_workflow(
            Child.run, "late", id=f"{workflow.info().workflow_id}-child"
        )


@program(ParentCancelled, Child)
async def parent_cancelled_cancels_child(case: Case) -> None:
    parent = await case.start(ParentCancelled)
    await case.event(parent, "CHILD_WORKFLOW_EXECUTION_STARTED")
    await case.event(case.handle("child"), "TIMER_STARTED")
    await parent.cancel(reason="by hand")
    await case.outcome(parent)
