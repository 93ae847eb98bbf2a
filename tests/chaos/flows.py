"""The mixed workflows of the crash tests, and what each of them must have done.

Activities note what they do in a journal outside the store, and return a token that
is theirs alone: a workflow's report names the tokens of the results it was given.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Protocol

from workflows import activity, workflow
from workflows.common import RetryPolicy
from workflows.exceptions import ActivityError, ApplicationError

QUEUE = "flows"
GAVE_UP = "gave up"  # instead of a token: its only attempt was lost
AGAIN = RetryPolicy(initial_interval=timedelta(milliseconds=20), backoff_coefficient=1)
ONCE = RetryPolicy(maximum_attempts=1)
LONG = timedelta(seconds=60)
Report = dict[str, Any]  # steps: [name, token] pairs; signals; children by their id


class Journal(Protocol):
    """Keeps lines outside the store."""

    def add(self, **line: Any) -> None:
        """Keep a line; it is safe when this returns."""


class _Unset:
    def add(self, **line: Any) -> None:
        msg = f"no journal is set for {line}"
        raise RuntimeError(msg)


@dataclass(slots=True)
class Place:
    """Where this process's activities note what they do, and who they are."""

    journal: Journal = field(default_factory=_Unset)
    marks: dict[str, Any] = field(default_factory=dict)


here = Place()


@dataclass(frozen=True)
class Plan:
    """What one workflow does: so many steps of `ms` each, so many signals."""

    size: int = 3
    ms: int = 0
    signals: int = 0
    steps: list[list[str]] = field(default_factory=list)  # of the runs before
    heard: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Work:
    """One step of a workflow."""

    flow: str
    step: str
    ms: int


# -- activities ------------------------------------------------------------------------


class _Attempt:
    """One attempt's lines in the journal."""

    def __init__(self, work: Work) -> None:
        self.token = secrets.token_hex(8)
        self._id = f"{work.flow}/{work.step}"
        self.note("start", attempt=activity.info().attempt)

    def note(self, event: str, **more: Any) -> None:
        here.journal.add(e=event, id=self._id, run=self.token, **here.marks, **more)


@activity.defn
def step(work: Work) -> str:
    """Take a while."""
    attempt = _Attempt(work)
    time.sleep(work.ms / 1000)
    attempt.note("effect")
    return attempt.token


@activity.defn
async def async_step(work: Work) -> str:
    """Take a while on the event loop."""
    attempt = _Attempt(work)
    await asyncio.sleep(work.ms / 1000)
    attempt.note("effect")
    return attempt.token


@activity.defn
def flaky_step(work: Work) -> str:
    """Fail the first time."""
    attempt = _Attempt(work)
    time.sleep(work.ms / 1000)
    if activity.info().attempt == 1:
        attempt.note("fail")
        msg = "the first attempt fails"
        raise ApplicationError(msg)
    activity.heartbeat(work.step)
    attempt.note("effect")
    return attempt.token


@activity.defn
def handed_over(work: Work) -> str:
    """Let somebody else complete it, with this attempt's token."""
    attempt = _Attempt(work)
    time.sleep(work.ms / 1000)
    attempt.note("effect", task=activity.info().task_token.decode())
    activity.raise_complete_async()


ACTIVITIES: list[Callable[..., Any]] = [step, async_step, flaky_step, handed_over]
IN_TURN: list[Callable[..., Any]] = [step, flaky_step, async_step]


# -- workflows -------------------------------------------------------------------------


class Book:
    """What a workflow was given so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.steps = [[*pair] for pair in plan.steps]
        self.heard = [*plan.heard]

    async def do(
        self, name: str, what: Callable[..., Any] = step, policy: RetryPolicy = AGAIN
    ) -> None:
        """Do one step."""
        work = Work(workflow.info().workflow_id, name, self.plan.ms)
        try:
            token = await workflow.execute_activity(
                what, work, start_to_close_timeout=LONG, retry_policy=policy
            )
        except ActivityError:
            if policy is not ONCE:
                raise
            token = GAVE_UP
        self.steps.append([name, token])

    async def heard_more_than(self, number: int) -> None:
        """Wait until more than so many signals came."""
        await workflow.wait_condition(lambda: len(self.heard) > number)

    def report(self, **children: Report) -> Report:
        """Return what the workflow returns."""
        return {"steps": self.steps, "signals": self.heard, "children": children}


@workflow.defn
class Sequential:
    """Steps one after the other; one of them may run only once."""

    @workflow.run
    async def run(self, plan: Plan) -> Report:
        book = Book(plan)
        for number in range(plan.size):
            await book.do(f"s{number}", IN_TURN[number % 3])
        await book.do("once", policy=ONCE)
        return book.report()


@workflow.defn
class Parallel:
    """Steps side by side, then one more."""

    @workflow.run
    async def run(self, plan: Plan) -> Report:
        book = Book(plan)
        steps = (book.do(f"s{n}", IN_TURN[n % 3]) for n in range(plan.size))
        await asyncio.gather(*steps, book.do("once", policy=ONCE))
        await book.do("end")
        return book.report()


@workflow.defn
class Timers:
    """Steps between timers, of which one is cancelled by what it raced with."""

    @workflow.run
    async def run(self, plan: Plan) -> Report:
        book = Book(plan)
        for number in range(plan.size):
            await asyncio.sleep((plan.ms + 1) / 100)
            late = asyncio.ensure_future(asyncio.sleep(3600))
            await book.do(f"s{number}")
            late.cancel()
        await asyncio.gather(asyncio.sleep(0.02), asyncio.sleep(0.01), book.do("end"))
        return book.report()


@workflow.defn
class Signals:
    """A step for each signal, and one at the end."""

    @workflow.init
    def __init__(self, plan: Plan) -> None:
        self.book = Book(plan)

    @workflow.signal
    def number(self, value: int) -> None:
        self.book.heard.append(value)

    @workflow.run
    async def run(self, plan: Plan) -> Report:
        for number in range(plan.signals):
            await self.book.heard_more_than(number)
            await self.book.do(f"s{number}", IN_TURN[number % 3])
        await self.book.do("end")
        return self.book.report()


@workflow.defn
class Rolling:
    """A run per step; signals may come to any of them."""

    @workflow.init
    def __init__(self, plan: Plan) -> None:
        self.book = Book(plan)

    @workflow.signal
    def number(self, value: int) -> None:
        self.book.heard.append(value)

    @workflow.run
    async def run(self, plan: Plan) -> Report:
        book = self.book
        if len(book.steps) < plan.size:
            await book.do(f"s{len(book.steps)}")
            workflow.continue_as_new(replace(plan, steps=book.steps, heard=book.heard))
        await book.heard_more_than(plan.signals - 1)
        return book.report()


@workflow.defn
class Children:
    """Children that wait for their parent's signals; two of them at a time."""

    @workflow.run
    async def run(self, plan: Plan) -> Report:
        book, own = Book(plan), workflow.info().workflow_id
        given: dict[str, Report] = {}

        async def child(number: int) -> None:
            name = f"{own}-c{number}"
            handle = await workflow.start_child_workflow(
                Signals.run, Plan(ms=plan.ms, signals=2), id=name
            )
            for value in (1, 2):
                await handle.signal(Signals.number, value)
            given[name] = await handle

        await asyncio.gather(*(child(number) for number in range(plan.size)))
        await book.do("end")
        return book.report(**given)


@workflow.defn
class HandedOver:
    """Activities that are completed from outside, one alone and two side by side."""

    @workflow.run
    async def run(self, plan: Plan) -> Report:
        book = Book(plan)
        await book.do("s0", handed_over)
        await asyncio.gather(book.do("s1", handed_over), book.do("s2", handed_over))
        await book.do("end")
        return book.report()


WORKFLOWS: list[type[Any]] = [
    *(Sequential, Parallel, Timers, Signals, Rolling, Children, HandedOver),
]
KINDS: tuple[str, ...] = tuple(kind.__name__ for kind in WORKFLOWS)
LISTENING = frozenset({"Signals", "Rolling"})  # clients signal these


# -- what must have happened -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expected:
    """The report of a workflow, but for the tokens. `flow`: its workflow id."""

    flow: str
    steps: tuple[str, ...]
    signals: tuple[int, ...]
    children: tuple["Expected", ...] = ()


def expected(kind: str, flow: str, size: int, signals: int) -> Expected:
    """Return what a workflow of a kind must report."""
    numbered = tuple(f"s{number}" for number in range(size))
    heard = tuple(range(1, signals + 1))
    match kind:
        case "Sequential":
            return Expected(flow, (*numbered, "once"), ())
        case "Parallel":
            return Expected(flow, (*numbered, "once", "end"), ())
        case "Timers" | "LocalSteps" | "Resuming":
            return Expected(flow, (*numbered, "end"), ())
        case "Signals":
            steps = tuple(f"s{number}" for number in range(signals))
            return Expected(flow, (*steps, "end"), heard)
        case "Rolling":
            return Expected(flow, numbered, heard)
        case "Cleaning":
            return Expected(flow, ("end",), ())
        case "Children":
            names = [f"{flow}-c{number}" for number in range(size)]
            children = tuple(expected("Signals", name, 0, 2) for name in names)
            return Expected(flow, ("end",), (), children)
        case _:
            return Expected(flow, ("s0", "s1", "s2", "end"), ())
