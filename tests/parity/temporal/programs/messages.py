"""Signals, queries and external workflows, and the orders in which they are seen."""

import asyncio
from typing import Any

from tests.parity.temporal import gates
from tests.parity.temporal.program import Case, hold_task, program, seconds
from tests.parity.temporal.sdk import activity, common, exceptions, workflow


@workflow.defn
class Collects:
    """Keep every word until one says "end"."""

    def __init__(self) -> None:
        self.words: list[str] = ["init"]

    @workflow.signal
    async def tell(self, word: str) -> None:
        self.words.append(word)

    @workflow.signal(name="renamed")
    def other(self, word: str, number: int) -> None:
        self.words.append(f"{word}{number}")

    @workflow.query
    def heard(self) -> list[str]:
        return self.words

    @workflow.query(name="count")
    def how_many(self, plus: int) -> int:
        return len(self.words) + plus

    @workflow.query
    def broken(self) -> str:
        raise ValueError("query broke")

    @workflow.run
    async def run(self) -> list[str]:
        self.words.append("run")
        await workflow.wait_condition(lambda: "end" in self.words)
        return self.words


@program(Collects)
async def signals_and_queries(case: Case) -> None:
    handle = await case.start(Collects)
    await case.event(handle, "WORKFLOW_TASK_COMPLETED")
    for word in ("one", "two"):
        await handle.signal(Collects.tell, word)
    await handle.signal("renamed", args=["three", 3])
    await case.attempt("heard", handle.query(Collects.heard))
    await case.attempt("count", handle.query("count", 10))
    await case.attempt("broken", handle.query("broken"))
    await case.attempt("unknown", handle.query("nothing of the kind"))
    await handle.signal("nobody listens", "to this")
    await handle.signal("tell", "end")
    await case.outcome(handle)
    await case.attempt("heard after close", handle.query(Collects.heard))
    reject = common.QueryRejectCondition.NOT_OPEN
    await case.attempt(
        "rejected", handle.query(Collects.heard, reject_condition=reject)
    )


@program(Collects, by_hand=True)
async def signals_before_the_first_task(case: Case) -> None:
    handle = await case.start(Collects)
    await handle.signal("tell", "early")
    await handle.signal("tell", "end")
    async with case.worker():
        await case.outcome(handle)


@program(Collects)
async def query_after_failure_and_termination(case: Case) -> None:
    handle = await case.start(Collects)
    await case.event(handle, "WORKFLOW_TASK_COMPLETED")
    await handle.signal("tell", "x")
    await case.attempt("before", handle.query("heard"))
    await handle.terminate()
    await case.attempt("after", handle.query("heard"))
    cleanly = common.QueryRejectCondition.NOT_COMPLETED_CLEANLY
    await case.attempt("not cleanly", handle.query("heard", reject_condition=cleanly))


@program(Collects)
async def handles_to_nothing(case: Case) -> None:
    nothing = case.handle("nothing")
    await case.attempt("signal", nothing.signal("tell", "x"))
    await case.attempt("query", nothing.query("heard"))
    await case.attempt("cancel", nothing.cancel())
    await case.attempt("terminate", nothing.terminate())
    await case.attempt("describe", nothing.describe())
    await case.attempt("result", nothing.result())


@program(Collects, by_hand=True)
async def signal_with_start(case: Case) -> None:
    first = await case.start(Collects, start_signal="tell", start_signal_args=["one"])
    second = await case.start(Collects, start_signal="tell", start_signal_args=["two"])
    case.note("same run", first.result_run_id == second.result_run_id)
    await first.signal("tell", "end")
    async with case.worker():
        await case.outcome(first)
        end: dict[str, Any] = {"start_signal": "tell", "start_signal_args": ["end"]}
        await case.outcome(await case.start(Collects, **end), "third")


@workflow.defn
class SignalAndTimer:
    def __init__(self) -> None:
        self.order: list[str] = []

    @workflow.signal
    def tell(self, word: str) -> None:
        self.order.append(f"signal {word}")

    @workflow.run
    async def run(self) -> list[str]:
        await asyncio.sleep(0.4)
        self.order.append("timer")
        await workflow.wait_condition(lambda: len(self.order) > 2)
        return self.order


@activity.defn
async def never_called() -> None:
    """Lets a worker live that serves no workflows."""


@program(SignalAndTimer, activities=[never_called], by_hand=True)
async def signal_and_timer_in_one_task(case: Case) -> None:
    """The timer is first in the history; the signal is nevertheless handled first."""
    handle = await case.start(SignalAndTimer)
    async with case.worker(max_cached_workflows=0):
        await case.event(handle, "TIMER_STARTED")
    async with case.worker(only="activities"):
        await case.event(handle, "TIMER_FIRED")
    await handle.signal("tell", "one")
    await handle.signal("tell", "two")
    async with case.worker():
        await case.outcome(handle)


@workflow.defn
class SignalFails:
    @workflow.signal
    def fail(self) -> None:
        raise exceptions.ApplicationError("from a signal", type="Broken")

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@program(SignalFails)
async def signal_handler_fails_the_workflow(case: Case) -> None:
    handle = await case.start(SignalFails)
    await handle.signal("fail")
    await case.outcome(handle)


@workflow.defn
class AsyncSignals:
    """Handlers that wait run side by side; the run waits for all of them."""

    def __init__(self) -> None:
        self.order: list[str] = []

    @workflow.signal
    async def work(self, name: str, delay: float) -> None:
        self.order.append(f"{name} begins")
        await asyncio.sleep(delay)
        self.order.append(f"{name} ends")

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: len(self.order) >= 2)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.order


@program(AsyncSignals, by_hand=True)
async def signal_handlers_that_wait(case: Case) -> None:
    handle = await case.start(AsyncSignals)
    await handle.signal("work", args=["slow", 0.6])
    await handle.signal("work", args=["quick", 0.1])
    async with case.worker():
        await case.outcome(handle)


@workflow.defn
class Talks:
    """Signal or cancel another workflow, whatever it is."""

    @workflow.run
    async def run(self, how: str, other: str) -> list[str]:
        handle = workflow.get_external_workflow_handle(other)
        try:
            if how == "signal":
                await handle.signal("tell", "from outside")
                await handle.signal("tell", "end")
            else:
                await handle.cancel()
        except exceptions.ApplicationError as error:
            return [error.message, str(error.type), str(error.non_retryable)]
        return ["delivered"]


@program(Talks, Collects)
async def external_signal(case: Case) -> None:
    other = await case.start(Collects, suffix="other")
    await case.event(other, "WORKFLOW_TASK_COMPLETED")
    await case.outcome(await case.start(Talks, "signal", other.id))
    await case.outcome(other, "other")


@program(Talks, Collects)
async def external_cancel(case: Case) -> None:
    other = await case.start(Collects, suffix="other")
    await case.event(other, "WORKFLOW_TASK_COMPLETED")
    await case.outcome(await case.start(Talks, "cancel", other.id))
    await case.outcome(other, "other")


@program(Talks, Collects)
async def external_not_found(case: Case) -> None:
    await case.outcome(
        await case.start(Talks, "signal", "no such", suffix="signal"), "signal"
    )
    await case.outcome(
        await case.start(Talks, "cancel", "no such", suffix="cancel"), "cancel"
    )
    await case.outcome(
        await case.start(Talks, "signal", case.id("self"), suffix="self"), "itself"
    )
    own = await case.start(Talks, "cancel", case.id("own"), suffix="own")
    await case.outcome(own, "cancels itself")


@program(Talks, Collects)
async def external_already_closed(case: Case) -> None:
    other = await case.start(
        Collects, suffix="other", start_signal="tell", start_signal_args=["end"]
    )
    await other.result()
    await case.outcome(
        await case.start(Talks, "signal", other.id, suffix="signal"), "signal"
    )
    await case.outcome(
        await case.start(Talks, "cancel", other.id, suffix="cancel"), "cancel"
    )


@workflow.defn
class Continues:
    """Hand the words on from run to run; hold the first task open for a signal."""

    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.signal
    def tell(self, word: str) -> None:
        self.words.append(word)

    @workflow.run
    async def run(self, words: list[str], hold: bool) -> list[str]:
        await workflow.wait_condition(lambda: bool(self.words))
        if hold:
            hold_task("task is held", "signal sent")
        words = words + self.words
        if "end" in words:
            return words
        return workflow.continue_as_new(args=[words, False])


@program(Continues)
async def continue_as_new_in_a_chain(case: Case) -> None:
    handle = await case.start(Continues, [], False)
    for word in ("one", "two"):
        run_id = (await handle.describe()).run_id
        await handle.signal("tell", word)
        await case.next_run(handle, run_id)
    await handle.signal("tell", "end")
    await case.outcome(handle)
    await case.attempt("only the first run", handle.result(follow_runs=False))


@program(Continues)
async def continue_as_new_with_pending_signal(case: Case) -> None:
    """A signal arrives while the task that continues as new is at work."""
    handle = await case.start(Continues, [], True)
    await case.event(handle, "WORKFLOW_TASK_COMPLETED")
    await handle.signal("tell", "one")
    await gates.passed("task is held")
    await handle.signal("tell", "two")
    await handle.signal("tell", "three")
    gates.open_gate("signal sent")
    current = case.handle()
    await case.next_run(current, handle.result_run_id)
    await current.signal("tell", "end")
    await case.outcome(handle)


@workflow.defn
class CompletesLate:
    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.signal
    def tell(self, word: str) -> None:
        self.words.append(word)

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: bool(self.words))
        hold_task("task is held", "signal sent")
        return self.words


@program(CompletesLate)
async def signal_while_completing(case: Case) -> None:
    """A completion does not swallow a signal that arrives during its task."""
    handle = await case.start(CompletesLate)
    await case.event(handle, "WORKFLOW_TASK_COMPLETED")
    await handle.signal("tell", "one")
    await gates.passed("task is held")
    await handle.signal("tell", "two")
    gates.open_gate("signal sent")
    await case.outcome(handle)


@workflow.defn
class ContinuesWithOptions:
    @workflow.run
    async def run(self, left: int) -> list[Any]:
        info = workflow.info()
        if left:
            workflow.continue_as_new(
                left - 1,
                run_timeout=seconds(30),
                memo={"left": left},
                retry_policy=common.RetryPolicy(maximum_attempts=2),
            )
        return [
            dict(workflow.memo()),
            info.attempt,
            bool(info.continued_run_id),
            info.run_id == info.first_execution_run_id,
            info.run_timeout.total_seconds() if info.run_timeout else None,
        ]


@program(ContinuesWithOptions)
async def continue_as_new_with_options(case: Case) -> None:
    await case.outcome(await case.start(ContinuesWithOptions, 2, memo={"first": "yes"}))
