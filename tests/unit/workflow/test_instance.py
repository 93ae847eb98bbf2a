"""Queries, info, randomness, memo, eviction, reports, logging."""

import asyncio
import json
import logging
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.workflow.driver import (
    CONVERSION,
    START,
    Driver,
    application,
    fire,
    kinds,
    result,
    signal,
)
from workflows import activity, workflow
from workflows.converter import RawValue
from workflows.engine.activation import Query
from workflows.engine.commands import (
    QueryResult,
    StartChild,
)
from workflows.exceptions import ApplicationError

SECOND = timedelta(seconds=1)


@activity.defn
async def work() -> None: ...


# -- queries ---------------------------------------------------------------------------


@workflow.defn
class Asked:
    def __init__(self) -> None:
        self.state = "new"

    @workflow.run
    async def run(self) -> None:
        workflow.set_query_handler("late", lambda: "late answer")
        workflow.set_current_details("waiting")
        await workflow.sleep(100)

    @workflow.query
    def ask(self, suffix: str = "") -> str:
        """Say how it goes."""
        return self.state + suffix

    @workflow.query(name="async")
    async def ask_async(self) -> str:
        return self.state

    @workflow.query
    def bad(self, how: str) -> Any:
        if how == "timer":
            asyncio.get_running_loop().call_later(1, print)
        if how == "task":
            coroutine = asyncio.sleep(0)
            try:
                asyncio.create_task(coroutine)  # noqa: RUF006
            finally:
                coroutine.close()
        if how == "activity":
            workflow.start_activity(work, start_to_close_timeout=SECOND)
        if how == "random":
            workflow.random()
        if how == "handler":
            workflow.set_signal_handler("x", print)
        if how == "patch":
            workflow.patched("x")
        if how == "fails":
            raise application()
        if how == "no json":
            return object()
        return None

    @workflow.query
    async def suspends(self) -> None:
        await asyncio.Event().wait()

    @workflow.signal
    def poke(self) -> None: ...


@pytest.fixture
def asked() -> Driver:
    driver = Driver(Asked)
    driver.start()
    return driver


def test_queries_are_answered_by_methods_and_by_handlers_set_at_run_time(
    asked: Driver,
) -> None:
    assert asked.query("ask", "!") == "new!"
    assert asked.query("async") == "new"
    assert asked.query("late") == "late answer"


def test_an_unknown_query_names_the_known_ones(asked: Driver) -> None:
    expected = (
        "Query handler for 'nope' expected but not found, known queries: "
        r"\[__enhanced_stack_trace __stack_trace __temporal_workflow_metadata "
        r"ask async bad late suspends\]"
    )
    with pytest.raises(ApplicationError, match=expected):
        asked.query("nope")


@pytest.mark.parametrize(
    "how", ["timer", "task", "activity", "random", "handler", "patch"]
)
def test_a_query_may_change_nothing(asked: Driver, how: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        asked.query("bad", how)
    assert caught.value.type == "ReadOnlyContextError"
    assert asked.query("ask") == "new"


@pytest.mark.parametrize("how", ["fails", "no json", "suspends"])
def test_whatever_goes_wrong_in_a_query_is_its_answer(asked: Driver, how: str) -> None:
    question = ("suspends",) if how == "suspends" else ("bad", how)
    with pytest.raises(ApplicationError):
        asked.query(*question)
    with pytest.raises(ApplicationError):
        asked.query("ask", {"not": "text"})


def test_the_stack_trace_query_shows_where_each_task_waits(asked: Driver) -> None:
    trace = asked.query("__stack_trace")
    assert "Stack for run" in trace
    assert f'File "{__file__}"' in trace


def test_the_enhanced_stack_trace_query_tells_the_same_as_data(asked: Driver) -> None:
    query = Query(query_id="q", name="__enhanced_stack_trace", arguments=())
    (answer,) = asked.send(query)
    assert isinstance(answer, QueryResult)
    assert answer.result is not None
    (stack,) = json.loads(b64decode(answer.result["data"]))["stacks"]
    authors = [each for each in stack["locations"] if not each["internalCode"]]
    assert [each["filePath"] for each in authors] == [__file__]


def test_the_metadata_query_lists_what_can_be_asked_and_sent(asked: Driver) -> None:
    query = Query(query_id="q", name="__temporal_workflow_metadata", arguments=())
    (answer,) = asked.send(query)
    assert isinstance(answer, QueryResult)
    assert answer.result is not None
    form = json.loads(b64decode(answer.result["data"]))
    assert form["currentDetails"] == "waiting"
    assert form["definition"]["type"] == "Asked"
    queries = {
        q["name"]: q["description"] for q in form["definition"]["queryDefinitions"]
    }
    assert queries["ask"] == "Say how it goes."
    assert [s["name"] for s in form["definition"]["signalDefinitions"]] == ["poke"]


@workflow.defn
class DynamicQueries:
    @workflow.run
    async def run(self) -> None: ...

    @workflow.query(dynamic=True)
    def anything(self, name: str, args: Sequence[RawValue]) -> str:
        return f"{name} {len(args)}"


def test_a_dynamic_query_handler_works_also_after_the_end() -> None:
    driver = Driver(DynamicQueries)
    driver.start()
    assert driver.query("what", 1, 2) == "what 2"


# -- chance and time -------------------------------------------------------------------


@workflow.defn
class Random:
    @workflow.run
    async def run(self, extra: bool) -> list[Any]:
        if extra:
            workflow.random().random()
            workflow.uuid7()
        child = asyncio.create_task(workflow.start_child_workflow("Child"))
        await asyncio.sleep(0)
        child.add_done_callback(lambda _: None)
        return [
            str(workflow.uuid4()),
            workflow.random().random(),
            workflow.new_random("a").random(),
            workflow.now().isoformat(),
            workflow.time_ns(),
        ]


def ids(extra: bool, seed: str) -> tuple[str, list[Any]]:
    start, *rest = Driver(Random, extra, seed=seed).start()
    assert isinstance(start, StartChild)
    return start.workflow_id, result(rest)


def test_the_same_seed_draws_the_same_and_another_one_does_not() -> None:
    assert ids(False, "a") == ids(False, "a")
    assert ids(False, "a")[0] != ids(False, "b")[0]
    assert ids(False, "a")[1][:3] != ids(False, "b")[1][:3]


def test_drawing_a_random_number_shifts_neither_uuids_nor_ids_of_children() -> None:
    plain, extra = ids(False, "a"), ids(True, "a")
    assert plain[0] == extra[0]
    assert plain[1][0] == extra[1][0]
    assert plain[1][1] != extra[1][1]
    assert plain[1][2] == extra[1][2]


def test_workflow_time_is_that_of_the_activation() -> None:
    _, found = ids(False, "a")
    at = START + 1000
    assert found[3] == datetime.fromtimestamp(at / 1000, UTC).isoformat()
    assert found[4] == at * 1_000_000


@workflow.defn
class Uuid7:
    @workflow.run
    async def run(self) -> list[str]:
        return [str(workflow.uuid7()) for _ in range(3)]


def test_a_uuid7_carries_the_time_and_its_version() -> None:
    for text in result(Driver(Uuid7).start()):
        assert int(text.replace("-", "")[:12], 16) == START + 1000
        assert text[14] == "7"
        assert text[19] in "89ab"


# -- about the run ---------------------------------------------------------------------


@workflow.defn
class About:
    @workflow.run
    async def run(self) -> list[Any]:
        info = workflow.info()
        assert workflow.in_workflow()
        assert isinstance(workflow.instance(), About)
        assert info.parent is not None
        assert info.root is not None
        return [
            info.workflow_id,
            info.run_id,
            info.workflow_type,
            info.task_queue,
            info.attempt,
            info.execution_timeout == timedelta(seconds=90),
            info.run_timeout,
            info.task_timeout == timedelta(seconds=10),
            [info.parent.workflow_id, info.parent.run_id, info.root.workflow_id],
            info.first_execution_run_id,
            info.retry_policy is not None and info.retry_policy.maximum_attempts,
            info.get_current_history_length(),
            info.is_continue_as_new_suggested(),
            workflow.get_last_completion_result(),
            str(workflow.get_last_failure()),
            workflow.cancellation_reason(),
        ]


def test_info_is_read_from_the_first_event() -> None:
    attributes = {
        "attempt": 2,
        "workflowExecutionTimeout": "90s",
        "workflowTaskTimeout": "10s",
        "parentWorkflowExecution": {"workflowId": "p", "runId": "pr"},
        "rootWorkflowExecution": {"workflowId": "r", "runId": "rr"},
        "firstExecutionRunId": "first",
        "retryPolicy": {"initialInterval": "1s", "maximumAttempts": 5},
        "lastCompletionResult": {"payloads": list(CONVERSION.to_payloads([7]))},
        "continuedFailure": CONVERSION.to_failure(application("last time")),
    }
    assert result(Driver(About, attributes=attributes).start()) == [
        *("id", "run", "About", "queue", 2, True, None, True),
        *(["p", "pr", "r"], "first", 5, 6, False, 7, "Boom: last time", None),
    ]


@workflow.defn
class Memo:
    @workflow.run
    async def run(self) -> list[Any]:
        before = dict(workflow.memo())
        workflow.upsert_memo({"a": None, "b": 2})
        workflow.upsert_memo({})
        workflow.upsert_search_attributes({"Kind": ["x"]})
        found = workflow.info().search_attributes
        assert workflow.memo_value("none", "default") == "default"
        with pytest.raises(KeyError):
            workflow.memo_value("a")
        return [before, workflow.memo(), workflow.memo_value("b"), dict(found)]


def test_memo_and_search_attributes_are_changed_by_commands_and_seen_at_once() -> None:
    fields = {"a": CONVERSION.to_payloads([1])[0]}
    commands = Driver(Memo, attributes={"memo": {"fields": fields}}).start()
    assert kinds(commands)[:2] == ["UpsertMemo", "UpsertSearchAttributes"]
    assert result(commands) == [{"a": 1}, {"b": 2}, 2, {"Kind": ["x"]}]


# -- eviction --------------------------------------------------------------------------


EFFECTS: list[str] = []


@workflow.defn
class Stubborn:
    @workflow.run
    async def run(self, how: str) -> None:
        asyncio.create_task(self.other())  # noqa: RUF006
        try:
            await workflow.execute_activity(work, start_to_close_timeout=SECOND)
        finally:
            if how == "effects":
                EFFECTS.append("finally")
                await workflow.execute_activity(work, start_to_close_timeout=SECOND)
                EFFECTS.append("must not happen")
            while how == "endless":
                try:
                    await asyncio.sleep(0)
                except asyncio.CancelledError:
                    pass

    async def other(self) -> None:
        while True:
            try:
                await workflow.sleep(10)
            except Exception:  # noqa: BLE001 - must not stop the teardown
                EFFECTS.append("caught")

    @workflow.signal
    async def pending(self) -> None:
        await workflow.wait_condition(lambda: False, timeout=5)


@pytest.mark.parametrize("how", ["plain", "effects", "endless"])
def test_an_evicted_instance_leaves_no_task_and_has_no_effects(how: str) -> None:
    EFFECTS.clear()
    driver = Driver(Stubborn, how)
    driver.start(signal("pending"))
    driver.instance.evict()
    driver.instance.evict()
    assert not driver.instance.core.loop.tasks
    assert driver.instance.core.take_commands() == []
    assert (["finally"] if how == "effects" else []) == EFFECTS


def test_an_instance_can_be_evicted_before_it_began() -> None:
    driver = Driver(Stubborn, "plain")
    driver.instance.evict()
    assert not driver.instance.core.loop.tasks


@workflow.defn
class FailsWithTasks:
    @workflow.run
    async def run(self) -> None:
        asyncio.create_task(workflow.sleep(5))  # noqa: RUF006
        await asyncio.sleep(0)
        msg = "bug"
        raise ValueError(msg)


def test_an_instance_whose_task_failed_can_be_evicted() -> None:
    driver = Driver(FailsWithTasks)
    with pytest.raises(ValueError, match="bug"):
        driver.start(signal("nobody"))
    driver.instance.evict()


# -- reports and logs ------------------------------------------------------------------


@workflow.defn
class Deep:
    @workflow.run
    async def run(self) -> None:
        await self.inner()

    async def inner(self) -> None:
        await workflow.wait_condition(lambda: False)  # the site


def test_the_await_site_is_the_innermost_await_of_the_authors_code() -> None:
    driver = Driver(Deep)
    assert driver.instance.await_site() == "not started"
    driver.start()
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    line = next(n for n, text in enumerate(lines, 1) if "# the " + "site" in text)
    assert driver.instance.await_site() == f"{__file__}:{line} in inner"


@workflow.defn
class Logs:
    @workflow.run
    async def run(self) -> None:
        workflow.logger.info("first %s", "line")
        await workflow.sleep(1)
        workflow.logger.info("second line")

    @workflow.query
    def ask(self) -> bool:
        workflow.logger.info("asked")
        return workflow.unsafe.is_replaying()


def test_the_logger_is_silent_in_replay_and_adds_the_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    driver = Driver(Logs)
    driver.start(replaying=True)
    assert caplog.records == []
    driver.send(fire(1))
    (record,) = caplog.records
    assert record.getMessage().startswith("second line ({")
    assert record.temporal_workflow["workflow_id"] == "id"  # type: ignore[attr-defined]
    assert driver.query("ask") is False
    assert "asked" in caplog.text


def test_functions_of_workflows_raise_outside_of_one() -> None:
    assert not workflow.in_workflow()
    for call in (workflow.now, workflow.info, workflow.uuid4, workflow.random):
        with pytest.raises(workflow.NotInWorkflowError):
            call()


@workflow.defn
class InsideALoop:
    @workflow.run
    async def run(self) -> str:
        await asyncio.sleep(0)
        return "ran"


def test_an_instance_may_be_activated_by_a_thread_that_runs_a_loop_of_its_own() -> None:
    async def outer() -> Any:
        before = asyncio.get_running_loop()
        found = result(Driver(InsideALoop).start())
        await asyncio.sleep(0)
        assert asyncio.get_running_loop() is before
        return found

    assert asyncio.run(outer()) == "ran"


def test_a_replay_emits_the_same_commands() -> None:
    live, replayed = Driver(Memo), Driver(Memo)
    assert kinds(live.start()) == kinds(replayed.start(replaying=True))
