"""Starting, failing, retrying and describing whole workflows."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from tests.parity.temporal import gates
from tests.parity.temporal.program import (
    SOON_SECONDS,
    Case,
    hold_task,
    program,
    seconds,
)
from tests.parity.temporal.sdk import activity, common, exceptions, workflow

Reuse = common.WorkflowIDReusePolicy
Conflict = common.WorkflowIDConflictPolicy
ONCE = {"start_to_close_timeout": seconds(5)}


@workflow.defn
class Waits:
    """End when told how."""

    def __init__(self) -> None:
        self.how = ""

    @workflow.signal
    def end(self, how: str) -> None:
        self.how = how

    @workflow.run
    async def run(self, mark: str) -> str:
        await workflow.wait_condition(lambda: bool(self.how))
        if self.how == "fail":
            raise exceptions.ApplicationError("told to fail")
        return mark


@program(Waits)
async def id_conflict_policies(case: Case) -> None:
    first = await case.start(Waits, "first")
    await case.attempt("unspecified", case.start(Waits, "refused"))
    await case.attempt(
        "fail", case.start(Waits, "refused", id_conflict_policy=Conflict.FAIL)
    )
    again = await case.start(Waits, "ignored", id_conflict_policy=Conflict.USE_EXISTING)
    case.note("existing", again.result_run_id == first.result_run_id)
    other = await case.start(
        Waits, "second", id_conflict_policy=Conflict.TERMINATE_EXISTING
    )
    case.note("another run", other.result_run_id != first.result_run_id)
    await case.outcome(first, "terminated")
    await other.signal("end", "now")
    await case.outcome(other, "second")


@program(Waits)
async def id_reuse_policies(case: Case) -> None:
    async def ended(how: str, **options: Any) -> None:
        handle = await case.start(Waits, how, **options)
        await handle.signal("end", how)
        await case.outcome(handle, f"{how} {len(case.started)}")

    only_failed = {"id_reuse_policy": Reuse.ALLOW_DUPLICATE_FAILED_ONLY}
    rejects = {"id_reuse_policy": Reuse.REJECT_DUPLICATE}
    await ended("complete")
    await case.attempt("after completion", case.start(Waits, "x", **only_failed))
    await ended("fail")
    await ended("complete", **only_failed)
    await case.attempt("rejected", case.start(Waits, "x", **rejects))
    await ended("complete", id_reuse_policy=Reuse.ALLOW_DUPLICATE)


@program(Waits)
async def start_terminates_if_running(case: Case) -> None:
    first = await case.start(Waits, "first")
    second = await case.start(
        Waits, "second", id_reuse_policy=Reuse.TERMINATE_IF_RUNNING
    )
    await case.outcome(first, "first")
    await second.signal("end", "now")
    await case.outcome(second, "second")


@workflow.defn
class Quick:
    @workflow.run
    async def run(self) -> str:
        return "quick"


@program(Quick, Waits)
async def start_delay(case: Case) -> None:
    delayed = await case.start(Quick, start_delay=seconds(0.6))
    case.note("status at once", await case.status(delayed))
    await case.outcome(delayed)
    for label in ("signal", "cancel"):
        begin = time.monotonic()
        waits = await case.start(Waits, "x", suffix=label, start_delay=seconds(1))
        if label == "signal":
            await waits.signal("end", "now")
        else:
            await waits.cancel()
        await case.outcome(waits, label)
        case.note(f"{label} ends the delay", time.monotonic() - begin < 0.9)


@workflow.defn
class Retried:
    @workflow.run
    async def run(self, until: int, how: str) -> list[Any]:
        info = workflow.info()
        if info.attempt < until:
            raise exceptions.ApplicationError(
                f"attempt {info.attempt}", type="Typed", non_retryable=how == "final"
            )
        return [info.attempt, bool(info.continued_run_id), until]


def policy(attempts: int, **options: Any) -> Any:
    return common.RetryPolicy(
        initial_interval=seconds(0.1), maximum_attempts=attempts, **options
    )


@program(Retried)
async def workflow_retry_policy(case: Case) -> None:
    await case.outcome(
        await case.start(Retried, 3, "plain", retry_policy=policy(5)), "retried"
    )
    await case.outcome(
        await case.start(Retried, 9, "plain", retry_policy=policy(2), suffix="max"),
        "exhausted",
    )
    await case.outcome(
        await case.start(Retried, 9, "final", retry_policy=policy(5), suffix="final"),
        "non-retryable",
    )
    typed = policy(5, non_retryable_error_types=["Typed"])
    await case.outcome(
        await case.start(Retried, 9, "plain", retry_policy=typed, suffix="typed"),
        "non-retryable type",
    )


@program(Waits)
async def workflow_timeouts(case: Case) -> None:
    await case.outcome(
        await case.start(Waits, "x", suffix="run", run_timeout=seconds(0.5)), "run"
    )
    await case.outcome(
        await case.start(Waits, "x", suffix="all", execution_timeout=seconds(0.5)),
        "execution",
    )
    await case.outcome(
        await case.start(
            Waits,
            "x",
            suffix="retry",
            run_timeout=seconds(0.5),
            retry_policy=policy(2),
        ),
        "run, retried",
    )


@workflow.defn
class HoldsItsTask:
    """Hold the first workflow task longer than its timeout."""

    @workflow.run
    async def run(self) -> str:
        hold_task("task is held", "never opened", 1.5)
        return "the second task was quick"


@program(HoldsItsTask)
async def workflow_task_timeout(case: Case) -> None:
    await case.outcome(await case.start(HoldsItsTask, task_timeout=seconds(1)))


@workflow.defn
class Described:
    def __init__(self) -> None:
        self.done = False

    @workflow.signal
    def end(self) -> None:
        self.done = True

    @workflow.run
    async def run(self) -> list[Any]:
        info = workflow.info()
        seen = [
            dict(workflow.memo()),
            workflow.memo_value("number", type_hint=int),
            workflow.memo_value("missing", "default"),
            info.workflow_id,
            info.workflow_type,
            info.task_queue,
            info.namespace,
            info.attempt,
            info.execution_timeout.total_seconds() if info.execution_timeout else None,
            info.run_timeout.total_seconds() if info.run_timeout else None,
            info.task_timeout.total_seconds(),
            info.parent is None,
            info.continued_run_id,
            info.cron_schedule,
        ]
        workflow.upsert_memo({"number": 2, "text": None, "new": [1]})
        seen.append(dict(workflow.memo()))
        await workflow.wait_condition(lambda: self.done)
        return seen


@program(Described)
async def memo_and_info(case: Case) -> None:
    handle = await case.start(
        Described,
        memo={"number": 1, "text": "abc"},
        execution_timeout=seconds(40),
        run_timeout=seconds(20),
        task_timeout=seconds(5),
    )
    await case.event(handle, "WORKFLOW_PROPERTIES_MODIFIED")
    described = await handle.describe()
    case.note("memo", await described.memo())
    case.note("status", described.status)
    case.note("type", described.workflow_type)
    case.note("task queue", described.task_queue)
    await handle.signal("end")
    await case.outcome(handle)


class OwnError(Exception):
    """A user's exception."""


class OwnFailure(exceptions.ApplicationError):
    """A user's subclass of an engine's failure."""


def caused() -> BaseException:
    """Make a failure that says what caused it."""
    failure: BaseException = exceptions.ApplicationError("on top")
    failure.__cause__ = OwnError("the root")
    return failure


FAILURES: dict[str, Callable[[], BaseException]] = {
    "application": lambda: exceptions.ApplicationError("message", 1, {"b": 2}),
    "typed": lambda: exceptions.ApplicationError(
        "message", "detail", type="Mine", non_retryable=True
    ),
    "category": lambda: exceptions.ApplicationError(
        "message", category=exceptions.ApplicationErrorCategory.BENIGN
    ),
    "delay": lambda: exceptions.ApplicationError(
        "message", next_retry_delay=seconds(3)
    ),
    "subclass": lambda: OwnFailure("message"),
    "caused": caused,
    "cancelled": lambda: exceptions.CancelledError("called off", "detail"),
    "terminated": lambda: exceptions.TerminatedError("made to end", "detail"),
    "timeout": lambda: exceptions.TimeoutError(
        "took long",
        type=exceptions.TimeoutType.START_TO_CLOSE,
        last_heartbeat_details=["beat"],
    ),
    "server": lambda: exceptions.ServerError("server says", non_retryable=True),
    "asyncio timeout": lambda: TimeoutError("asyncio's"),
    "asyncio cancelled": asyncio.CancelledError,
    "own": lambda: OwnError("own", 5),
    "no text": OwnError,
    "key": lambda: KeyError("key"),
}


def failure(kind: str) -> BaseException:
    """Make the failure called `kind`."""
    return FAILURES[kind]()


KINDS = ("application", "typed", "category", "delay", "subclass", "caused")
OTHERS = ("own", "no text", "key")
ASYNCIO = ("asyncio timeout", "asyncio cancelled")
RESERVED = ("cancelled", "terminated", "timeout", "server")


@activity.defn
async def raises(kind: str) -> None:
    raise failure(kind)


@workflow.defn
class RaisesInWorkflow:
    @workflow.run
    async def run(self, kind: str) -> None:
        raise failure(kind)


@workflow.defn(failure_exception_types=[OwnError])
class RaisesOwn:
    @workflow.run
    async def run(self, kind: str) -> None:
        raise failure(kind)


@workflow.defn
class RaisesInActivity:
    @workflow.run
    async def run(self, kind: str) -> None:
        await workflow.execute_activity(raises, kind, retry_policy=policy(1), **ONCE)


@program(RaisesInWorkflow, RaisesOwn)
async def failures_of_workflows(case: Case) -> None:
    for kind in (*KINDS, *ASYNCIO, *RESERVED):
        suffix = kind.replace(" ", "-")
        handle = await case.start(RaisesInWorkflow, kind, suffix=suffix)
        await case.outcome(handle, kind)
    for kind in ("own", "no text"):
        suffix = kind.replace(" ", "-")
        handle = await case.start(RaisesOwn, kind, suffix=suffix)
        await case.outcome(handle, kind)


@program(RaisesInActivity, activities=[raises])
async def failures_of_activities(case: Case) -> None:
    for kind in (*KINDS, *ASYNCIO, *OTHERS):
        suffix = kind.replace(" ", "-")
        handle = await case.start(RaisesInActivity, kind, suffix=suffix)
        await case.outcome(handle, kind)


@workflow.defn
class TaskFails:
    @workflow.run
    async def run(self) -> str:
        if not gates.is_open("mended"):
            raise OwnError("a bug, not a failure")
        return "mended"


@program(TaskFails)
async def plain_exception_fails_only_the_task(case: Case) -> None:
    handle = await case.start(TaskFails, task_timeout=seconds(1))
    await case.event(handle, "WORKFLOW_TASK_FAILED")
    case.note("status while it fails", await case.status(handle))
    gates.open_gate("mended")
    await case.outcome(handle)


@workflow.defn
class Patches:
    @workflow.run
    async def run(self) -> list[bool]:
        seen = [workflow.patched("second"), workflow.patched("second")]
        await asyncio.sleep(0.05)
        seen.append(workflow.patched("third"))
        workflow.deprecate_patch("first")
        return seen


@program(Patches)
async def patched_and_deprecated(case: Case) -> None:
    await case.outcome(await case.start(Patches))


@program(Quick)
async def unknown_workflow_type(case: Case) -> None:
    handle = await case.start("Nobody Knows It")
    failed = await case.comes(handle, "WORKFLOW_TASK_FAILED")
    case.note("its task fails", failed)
    case.note("status", await case.status(handle))
    await handle.terminate()
    await case.outcome(handle)


@workflow.defn
class TakesArguments:
    @workflow.run
    async def run(
        self, text: str, number: int, flag: bool, nothing: None, many: list[int]
    ) -> dict[str, Any]:
        return {"all": [text, number, flag, nothing, many], "bytes": "below"}


@workflow.defn
class ReturnsBytes:
    @workflow.run
    async def run(self, data: bytes) -> bytes:
        return data + b"\x00\xff"


@workflow.defn
class ReturnsNothing:
    @workflow.run
    async def run(self) -> None:
        return None


@program(TakesArguments, ReturnsBytes, ReturnsNothing)
async def arguments_and_results(case: Case) -> None:
    await case.outcome(
        await case.start(TakesArguments, "ü", 5, True, None, [1, 2]), "many"
    )
    await case.outcome(await case.start(ReturnsBytes, b"\x01", suffix="bytes"), "bytes")
    await case.outcome(await case.start(ReturnsNothing, suffix="none"), "none")


@workflow.defn
class WrongArguments:
    @workflow.run
    async def run(self, number: int) -> int:
        return number


@program(WrongArguments)
async def arguments_that_do_not_fit(case: Case) -> None:
    handle = await case.start("WrongArguments", "text")
    await case.event(handle, "WORKFLOW_TASK_FAILED")
    case.note("status", await case.status(handle))
    await handle.terminate()
    await case.outcome(handle)


@activity.defn
async def completes_later() -> str:
    TOKENS.append(activity.info().task_token)
    return str(activity.raise_complete_async())


TOKENS: list[bytes] = []


@workflow.defn
class CompletesAsync:
    @workflow.run
    async def run(self) -> list[str]:
        said = []
        for _ in range(3):
            try:
                said.append(
                    await workflow.execute_activity(
                        completes_later, retry_policy=policy(1), **ONCE
                    )
                )
            except exceptions.ActivityError as error:
                said.append(f"{error.message}: {error.cause}")
        return said


@program(CompletesAsync, activities=[completes_later])
async def activity_completed_from_outside(case: Case) -> None:
    TOKENS.clear()
    handle = await case.start(CompletesAsync)
    by_id = case.client.get_async_activity_handle(
        workflow_id=handle.id, run_id=handle.result_run_id, activity_id="3"
    )
    for step in range(3):
        await case.until(_tokens, more_than(step))
        await asyncio.sleep(0.2)
        outside = case.client.get_async_activity_handle(task_token=TOKENS[step])
        await outside.heartbeat("from outside")
        if step == 0:
            await outside.complete("by its token")
        elif step == 1:
            await outside.fail(exceptions.ApplicationError("failed", type="Outside"))
        else:
            ended = case.client.get_async_activity_handle(task_token=TOKENS[1])
            await case.attempt("complete what ended", ended.complete("too late"))
            unknown = case.client.get_async_activity_handle(
                workflow_id=handle.id, run_id=handle.result_run_id, activity_id="99"
            )
            await case.attempt("complete what never was", unknown.complete("?"))
            await by_id.complete("by its ids")
    await case.outcome(handle)
    late = case.client.get_async_activity_handle(task_token=TOKENS[0])
    await case.attempt("complete again", late.complete("too late"))
    await case.attempt("complete again by its ids", by_id.complete("too late"))


def more_than(step: int) -> Callable[[int], bool]:
    return lambda known: known > step


async def _tokens() -> int:
    return len(TOKENS)


@activity.defn
def in_a_thread(word: str) -> str:
    activity.heartbeat(word)
    return f"{word} in a thread"


class Methods:
    @activity.defn
    async def method(self, word: str) -> str:
        return f"{word} of a method"


@activity.defn(name="callable class")
class CallableClass:
    async def __call__(self, word: str) -> str:
        return f"{word} of a class"


@workflow.defn
class KindsOfActivities:
    @workflow.run
    async def run(self) -> list[str]:
        return [
            await workflow.execute_activity(in_a_thread, "a", **ONCE),
            await workflow.execute_activity_method(Methods.method, "b", **ONCE),
            await workflow.execute_activity_class(CallableClass, "c", **ONCE),
            await workflow.execute_activity(
                "in_a_thread", "d", activity_id="my own id", **ONCE
            ),
        ]


@program(KindsOfActivities, activities=[in_a_thread, Methods().method, CallableClass()])
async def kinds_of_activities(case: Case) -> None:
    await case.outcome(await case.start(KindsOfActivities))


@workflow.defn
class UnknownActivity:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity("unheard of", retry_policy=policy(1), **ONCE)


@program(UnknownActivity, activities=[raises, in_a_thread, completes_later])
async def activity_that_no_worker_knows(case: Case) -> None:
    handle = await case.start(UnknownActivity)
    await case.comes(handle, "WORKFLOW_EXECUTION_FAILED")
    await case.attempt("main", handle.result(), within=SOON_SECONDS)


@workflow.defn
class NoTimeout:
    @workflow.run
    async def run(self) -> str:
        try:
            workflow.start_activity(in_a_thread, "x")
        except ValueError as error:
            return str(error)
        return "started"


@program(NoTimeout, activities=[in_a_thread])
async def activity_without_any_timeout(case: Case) -> None:
    await case.outcome(await case.start(NoTimeout))
