"""The order of an activation, handlers, conditions and timers."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.workflow.driver import (
    Driver,
    activity_done,
    failure,
    fire,
    kinds,
    result,
    signal,
)
from workflows import workflow
from workflows.converter import RawValue
from workflows.engine.activation import NotifyPatch
from workflows.engine.commands import (
    CancelTimer,
    ContinueAsNew,
    SetPatchMarker,
    StartTimer,
)


@workflow.defn
class Greeter:
    @workflow.run
    async def run(self, name: str, times: int = 1) -> str:
        return f"hello {name}" * times


def test_a_run_returns_its_result() -> None:
    assert result(Driver(Greeter, "Ada").start()) == "hello Ada"


def test_arguments_of_the_wrong_type_fail_the_task_and_not_the_workflow() -> None:
    with pytest.raises(RuntimeError, match="arguments of Greeter cannot be decoded"):
        Driver(Greeter, ["no", "text"]).start()


@workflow.defn
class Ordered:
    @workflow.init
    def __init__(self, word: str) -> None:
        self.seen = [f"init {word}"]
        self.go = False

    @workflow.run
    async def run(self, word: str) -> list[str]:
        self.seen.append(f"run {word}")
        await workflow.wait_condition(lambda: self.go)
        return self.seen

    @workflow.signal
    async def first(self, text: str) -> None:
        self.seen.append(text)
        await asyncio.sleep(0)
        self.seen.append(f"{text} again")

    @workflow.signal
    def finish(self) -> None:
        self.go = True

    @workflow.query
    def so_far(self) -> list[str]:
        return self.seen


def test_signals_of_the_first_task_run_after_init_and_before_run() -> None:
    driver = Driver(Ordered, "x")
    driver.start(signal("first", "a"), signal("first", "b"))
    assert driver.query("so_far") == ["init x", "a", "b", "a again", "b again", "run x"]


def test_a_condition_wakes_its_waiter_in_the_same_activation() -> None:
    driver = Driver(Ordered, "x")
    assert driver.start() == []
    assert result(driver.send(signal("finish"))) == ["init x", "run x"]


@workflow.defn
class SignalOrTimer:
    def __init__(self) -> None:
        self.winner = ""

    @workflow.run
    async def run(self) -> str:
        sleep = asyncio.create_task(workflow.sleep(5))
        sleep.add_done_callback(lambda _: self.win("timer"))
        await workflow.wait_condition(lambda: self.winner != "")
        sleep.cancel()
        return self.winner

    def win(self, who: str) -> None:
        self.winner = self.winner or who

    @workflow.signal
    def poke(self) -> None:
        self.win("signal")


def test_a_signal_beats_a_timer_of_the_same_activation_whatever_their_order() -> None:
    driver = Driver(SignalOrTimer)
    (timer,) = driver.start()
    assert timer == StartTimer(seq=1, duration_ms=5000)
    commands = driver.send(fire(1), signal("poke"))
    assert commands[1:] == [CancelTimer(seq=1)]
    assert result(commands[:1]) == "signal"


def test_a_timer_that_a_signal_cancelled_may_fire_unnoticed() -> None:
    driver = Driver(SignalOrTimer)
    driver.start()
    assert kinds(driver.send(signal("poke"), fire(1)))[0] == "CompleteWorkflow"
    assert driver.send(fire(1)) == []


@workflow.defn
class Conditions:
    def __init__(self) -> None:
        self.order: list[str] = []
        self.level = 0

    @workflow.run
    async def run(self) -> list[str]:
        await asyncio.gather(self.at("a", 2), self.at("b", 1), self.at("c", 1))
        return self.order

    async def at(self, name: str, level: int) -> None:
        await workflow.wait_condition(lambda: self.level >= level)
        self.order.append(name)

    @workflow.signal
    def up(self, to: int) -> None:
        self.level = to


def test_conditions_are_asked_in_the_order_in_which_they_were_set() -> None:
    driver = Driver(Conditions)
    driver.start()
    assert result(driver.send(signal("up", 2))) == ["a", "b", "c"]


def test_a_condition_is_not_asked_in_a_query() -> None:
    driver = Driver(CountsAsking)
    driver.start()
    asked = driver.query("asked")
    assert driver.query("asked") == asked


@workflow.defn
class CountsAsking:
    def __init__(self) -> None:
        self.count = 0

    def ask(self) -> bool:
        self.count += 1
        return False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(self.ask)

    @workflow.query
    def asked(self) -> int:
        return self.count


@workflow.defn
class Impatient:
    @workflow.run
    async def run(self, catch: bool) -> str:
        try:
            await workflow.wait_condition(
                lambda: False, timeout=1.5, timeout_summary="waits for nothing"
            )
        except TimeoutError:
            if not catch:
                raise
            return "too late"
        return "never"


def test_a_condition_with_a_timeout_is_a_labelled_timer() -> None:
    driver = Driver(Impatient, True)
    (timer,) = driver.start()
    assert isinstance(timer, StartTimer)
    assert timer.duration_ms == 1500
    assert timer.summary is not None
    assert result(driver.send(fire(1))) == "too late"


def test_a_timeout_error_that_nobody_catches_fails_the_workflow() -> None:
    driver = Driver(Impatient, False)
    driver.start()
    assert "TimeoutError" in str(failure(driver.send(fire(1))))


@workflow.defn
class BadCondition:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: bool(1 // 0))


def test_a_condition_that_raises_fails_the_task() -> None:
    with pytest.raises(ZeroDivisionError):
        Driver(BadCondition).start()


def test_an_error_of_a_failure_type_fails_the_workflow() -> None:
    driver = Driver(BadCondition, failure_exception_types=(ArithmeticError,))
    assert "division" in str(failure(driver.start()))


@workflow.defn
class Timers:
    @workflow.run
    async def run(self) -> float:
        began = workflow.time()
        await workflow.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0.0015)
        async with asyncio.timeout(10):
            await workflow.sleep(3, summary="a nap")
        return workflow.time() - began


def test_each_sleep_is_one_timer_and_asyncio_sleep_0_only_yields() -> None:
    driver = Driver(Timers)
    assert driver.start() == [StartTimer(seq=1, duration_ms=0)]
    assert driver.send(fire(1)) == [StartTimer(seq=2, duration_ms=2)]
    limit, nap = driver.send(fire(2))
    assert limit == StartTimer(seq=3, duration_ms=10_000)
    assert isinstance(nap, StartTimer)
    assert (nap.seq, nap.duration_ms, nap.summary is not None) == (4, 3000, True)
    commands = driver.send(fire(4))
    assert commands[0] == CancelTimer(seq=3)
    assert result(commands) == 3.0


@workflow.defn
class NegativeSleep:
    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(-1)


def test_a_negative_sleep_fails_the_task() -> None:
    with pytest.raises(RuntimeError, match="negative"):
        Driver(NegativeSleep).start()


# -- handlers that come and go -------------------------------------------------------


@workflow.defn
class LateHandlers:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.sleep(1)
        workflow.set_signal_handler("b", lambda text: self.seen.append(f"b {text}"))
        await workflow.sleep(1)
        workflow.set_dynamic_signal_handler(self.anything)
        await workflow.sleep(1)
        return self.seen

    def anything(self, name: str, args: Sequence[RawValue]) -> None:
        values = [workflow.payload_converter().from_payload(a.payload) for a in args]
        self.seen.append(f"any {name} {values}")


def test_signals_without_a_handler_wait_in_order_until_there_is_one() -> None:
    driver = Driver(LateHandlers)
    driver.start(signal("a", 1), signal("b", "x"), signal("c", 2))
    driver.send(signal("b", "y"))
    driver.send(fire(1))
    driver.send(fire(2))
    assert result(driver.send(fire(3))) == [
        "b x",
        "b y",
        "any a [1]",
        "any c [2]",
    ]


def test_a_signal_whose_arguments_cannot_be_decoded_is_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    driver = Driver(Conditions)
    driver.start()
    assert driver.send(signal("up", "no number")) == []
    assert "Dropped signal up" in caplog.text


@workflow.defn(dynamic=True)
class Anything:
    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> list[Any]:
        converter = workflow.payload_converter()
        values = [converter.from_payload(each.payload) for each in args]
        return [workflow.info().workflow_type, *values]


def test_a_dynamic_workflow_gets_raw_values_and_knows_its_type() -> None:
    driver = Driver(Anything, 1, "two", workflow_type="Whatever")
    assert result(driver.start()) == ["Whatever", 1, "two"]


@workflow.defn
class SlowHandlers:
    def __init__(self) -> None:
        self.done = False

    @workflow.run
    async def run(self, wait: bool) -> bool:
        await workflow.wait_condition(lambda: self.done)
        if wait:
            await workflow.wait_condition(workflow.all_handlers_finished)
        return workflow.all_handlers_finished()

    @workflow.signal
    async def work(self) -> None:
        self.done = True
        await workflow.sleep(1)

    @workflow.signal(
        unfinished_policy=workflow.HandlerUnfinishedPolicy.ABANDON, name="abandoned"
    )
    async def other(self) -> None:
        await self.work()


def test_a_run_that_ends_before_its_handlers_warns() -> None:
    driver = Driver(SlowHandlers, False)
    driver.start()
    with pytest.warns(workflow.UnfinishedSignalHandlersWarning, match='"work"'):
        assert result(driver.send(signal("work"))) is False


def test_a_handler_that_may_be_abandoned_does_not_warn() -> None:
    driver = Driver(SlowHandlers, False)
    driver.start()
    assert result(driver.send(signal("abandoned"))) is False


def test_a_run_can_wait_for_its_handlers() -> None:
    driver = Driver(SlowHandlers, True)
    driver.start()
    assert kinds(driver.send(signal("work"))) == ["StartTimer"]
    assert result(driver.send(fire(1))) is True


# -- the end -------------------------------------------------------------------------


@workflow.defn
class Again:
    @workflow.run
    async def run(self, n: int) -> None:
        try:
            workflow.continue_as_new(n + 1, task_queue="other")
        except Exception as error:
            raise AssertionError from error

    @workflow.signal
    def from_handler(self) -> None:
        workflow.continue_as_new(7)


def test_continue_as_new_passes_an_except_exception() -> None:
    (command,) = Driver(Again, 1).start()
    assert isinstance(command, ContinueAsNew)
    assert (command.task_queue, command.workflow_type) == ("other", "")


def test_a_signal_handler_can_continue_as_new_and_both_ends_are_emitted() -> None:
    assert (
        kinds(Driver(Again, 1).start(signal("from_handler"))) == ["ContinueAsNew"] * 2
    )


@workflow.defn
class WorksAfterTheEnd:
    @workflow.run
    async def run(self) -> str:
        self.later = asyncio.create_task(self.tick())
        return "done"

    async def tick(self) -> None:
        await workflow.sleep(1)


def test_what_runs_on_after_the_end_still_emits_its_commands() -> None:
    assert kinds(Driver(WorksAfterTheEnd).start()) == ["CompleteWorkflow", "StartTimer"]


# -- patches -------------------------------------------------------------------------


@workflow.defn
class Patched:
    @workflow.run
    async def run(self) -> list[bool]:
        answers = [workflow.patched("p")]
        await workflow.sleep(1)
        return [*answers, workflow.patched("p")]


def test_a_new_run_takes_the_patch_and_marks_it_once() -> None:
    driver = Driver(Patched)
    commands = driver.start()
    assert commands[0] == SetPatchMarker(patch_id="p", deprecated=False)
    assert kinds(commands) == ["SetPatchMarker", "StartTimer"]
    assert result(driver.send(fire(1))) == [True, True]


def test_a_replayed_run_without_the_marker_stays_unpatched_for_ever() -> None:
    driver = Driver(Patched)
    assert kinds(driver.start(replaying=True)) == ["StartTimer"]
    assert result(driver.send(fire(1))) == [False, False]


def test_a_replayed_run_with_the_marker_is_patched() -> None:
    driver = Driver(Patched)
    commands = driver.start(NotifyPatch(patch_id="p"), replaying=True)
    assert kinds(commands) == ["SetPatchMarker", "StartTimer"]


@workflow.defn
class Deprecated:
    @workflow.run
    async def run(self) -> None:
        workflow.deprecate_patch("p")


def test_a_deprecated_patch_leaves_a_marker_that_replay_does_not_insist_on() -> None:
    assert Driver(Deprecated).start()[0] == SetPatchMarker(
        patch_id="p", deprecated=True
    )


def test_an_activity_that_nobody_started_fails_the_task() -> None:
    driver = Driver(Ordered, "x")
    driver.start()
    with pytest.raises(RuntimeError, match="no activity 9"):
        driver.send(activity_done(9))


if TYPE_CHECKING:
    from decimal import Decimal


@workflow.defn
class UnknownHint:
    def __init__(self) -> None:
        self.got: Any = None

    @workflow.run
    async def run(self) -> Any:
        await workflow.wait_condition(lambda: self.got is not None)
        return self.got

    @workflow.signal
    def take(self, value: "Decimal") -> None:
        self.got = value


def test_a_hint_that_only_type_checkers_know_loses_no_signal() -> None:
    driver = Driver(UnknownHint)
    driver.start()
    assert result(driver.send(signal("take", 5))) == 5


def test_no_warning_comes_of_a_replay() -> None:
    driver = Driver(SlowHandlers, False)
    driver.start(replaying=True)
    assert result(driver.send(signal("work"), replaying=True)) is False
