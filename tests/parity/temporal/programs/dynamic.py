"""Handlers for any name, and handlers that are set at run time."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.temporal.program import Case, program, seconds
from tests.parity.temporal.sdk import activity, common, workflow

if TYPE_CHECKING:
    RawValue = Any
else:
    RawValue = common.RawValue


@workflow.defn(dynamic=True)
class Anything:
    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> list[Any]:
        self.said: list[Any] = [workflow.info().workflow_type]
        said = [workflow.payload_converter().from_payload(a.payload, str) for a in args]
        self.said += said
        self.said.append(
            await workflow.execute_activity(
                "no such activity", "x", start_to_close_timeout=seconds(5)
            )
        )
        await workflow.wait_condition(lambda: len(self.said) > 5)
        return self.said

    @workflow.signal(dynamic=True)
    def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        self.said.append(f"signal {name} of {len(args)}")

    @workflow.query(dynamic=True)
    def any_query(self, name: str, args: Sequence[RawValue]) -> str:
        return f"query {name} of {len(args)}"


@activity.defn(dynamic=True)
async def any_activity(args: Sequence[RawValue]) -> str:
    return f"activity {activity.info().activity_type} of {len(args)}"


@program(Anything, activities=[any_activity])
async def dynamic_handlers(case: Case) -> None:
    handle = await case.start("Never Defined", "a", "b")
    await case.event(handle, "ACTIVITY_TASK_COMPLETED")
    await case.attempt("query", handle.query("whatever", 1))
    await handle.signal("hello", 1)
    await handle.signal("world", args=[1, 2])
    await case.outcome(handle)


@workflow.defn
class RegistersLater:
    """Buffered signals reach the handlers that are set at run time, in order."""

    @workflow.run
    async def run(self) -> list[str]:
        self.words: list[str] = []
        await asyncio.sleep(0.4)
        workflow.set_signal_handler("a", lambda word: self.words.append(f"a {word}"))
        await workflow.wait_condition(lambda: len(self.words) == 2)
        workflow.set_dynamic_signal_handler(self.rest)
        workflow.set_query_handler("heard", lambda: self.words)
        await workflow.wait_condition(lambda: len(self.words) == 4)
        await workflow.wait_condition(lambda: self.words[-1].endswith("end"))
        return self.words

    def rest(self, name: str, args: Sequence[RawValue]) -> None:
        word = workflow.payload_converter().from_payload(args[0].payload, str)
        self.words.append(f"dynamic {name} {word}")


@program(RegistersLater)
async def handlers_set_at_run_time(case: Case) -> None:
    handle = await case.start(RegistersLater)
    await case.event(handle, "TIMER_STARTED")
    for name, word in (("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")):
        await handle.signal(name, word)
    await case.event(handle, "TIMER_FIRED")
    await case.attempt("heard", handle.query("heard"))
    await handle.signal("a", "end")
    await case.outcome(handle)
