"""Children and other workflows as workflow code sees them."""

import asyncio
from datetime import timedelta

from tests.unit.workflow.driver import (
    CONVERSION,
    Driver,
    application,
    cancelled,
    child_done,
    child_started,
    failed,
    failure,
    kinds,
    result,
)
from workflows import workflow
from workflows.engine.activation import (
    CancelRequested,
    ChildNotStarted,
    ResolveCancelExternal,
    ResolveChild,
    ResolveChildStart,
    ResolveSignalExternal,
)
from workflows.engine.commands import (
    CancelChild,
    CancelExternal,
    CancelSignal,
    SignalExternal,
    StartChild,
)
from workflows.exceptions import (
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    WorkflowAlreadyStartedError,
)

SECONDS = timedelta(seconds=10)


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


# -- other workflows -------------------------------------------------------------------


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
