"""The clients of workflows, with a real worker on a real store."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.client_workflows import (
    ACTIVITIES,
    WORKFLOWS,
    Countdown,
    Diary,
    Question,
)
from workflows.client import (
    AsyncActivityCancelledError,
    BlockingClient,
    Client,
    RPCError,
    RPCStatusCode,
    WorkflowAlreadyStartedError,
    WorkflowContinuedAsNewError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHistory,
    WorkflowHistoryEventFilterType,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowService,
)
from workflows.common import (
    QueryRejectCondition,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from workflows.converter import (
    DataConverter,
    Payload,
    payload_from_json,
    payload_to_json,
)
from workflows.exceptions import (
    ApplicationError,
    CancelledError,
    StoreUnavailableError,
    TerminatedError,
)
from workflows.worker import Worker

pytestmark = pytest.mark.integration
QUEUE = "diaries"
Status = WorkflowExecutionStatus
Play = Callable[[Client], Coroutine[Any, Any, None]]


@pytest.fixture(params=["sqlite", "redis"])
def client(request: pytest.FixtureRequest, make_store: Any) -> BlockingClient:
    return BlockingClient(WorkflowService(make_store(request.param), identity="tester"))


@asynccontextmanager
async def working(client: Client) -> AsyncIterator[None]:
    async with Worker(
        client, task_queue=QUEUE, workflows=WORKFLOWS, activities=ACTIVITIES
    ):
        yield


def play(blocking: BlockingClient, scene: Play, *, worker: bool = True) -> None:
    """Run a scene, and find the store whole afterwards."""

    async def stage() -> None:
        client = Client.of(blocking)
        if not worker:
            await scene(client)
            return
        async with working(client):
            await scene(client)

    asyncio.run(stage())
    assert blocking.store.fsck() == []


async def until(look: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := await look()):
        assert time.monotonic() < deadline, "it did not come"
        await asyncio.sleep(0.01)
    return found


async def start(client: Client, id: str = "d", **options: Any) -> Any:
    return await client.start_workflow(Diary.run, 1, id=id, task_queue=QUEUE, **options)


def refused(status: RPCStatusCode) -> Any:
    return pytest.raises(RPCError, check=lambda error: error.status is status)


# -- start, signal, query, result ------------------------------------------------------


def test_a_workflow_is_started_told_asked_and_returns(client: BlockingClient) -> None:
    async def scene(client: Client) -> None:
        handle = await start(client)
        await handle.signal(Diary.write, "one")
        await handle.signal("write", args=["two"])
        assert await handle.query(Diary.read) == ["one", "two"]
        await handle.signal(Diary.end)
        assert await handle.result() == 4
        assert await handle.query("read") == ["one", "two"]

    play(client, scene)


def test_a_query_sees_every_signal_that_was_accepted_before(
    client: BlockingClient,
) -> None:
    async def scene(client: Client) -> None:
        handle = await start(client)
        for number in range(20):
            await handle.signal(Diary.write, str(number))
            assert len(await handle.query(Diary.read)) == number + 1
        await handle.terminate()

    play(client, scene)


def test_a_query_that_fails_is_unknown_rejected_or_late_says_so(
    client: BlockingClient,
) -> None:
    async def scene(client: Client) -> None:
        handle = await start(client)
        with pytest.raises(WorkflowQueryFailedError, match="no page to tear"):
            await handle.query(Diary.tear)
        with pytest.raises(WorkflowQueryFailedError, match="'sing' expected but not"):
            await handle.query("sing")
        await handle.terminate()
        with pytest.raises(WorkflowQueryRejectedError, match="status: 5") as caught:
            await handle.query(
                Diary.read, reject_condition=QueryRejectCondition.NOT_OPEN
            )
        assert caught.value.status is Status.TERMINATED

    play(client, scene)


def test_a_query_without_a_worker_ends_at_its_deadline(client: BlockingClient) -> None:
    async def scene(client: Client) -> None:
        handle = await start(client)
        with pytest.raises(RPCError, match="no living worker serves") as caught:
            await handle.query(Diary.read, rpc_timeout=timedelta(milliseconds=30))
        assert caught.value.status is RPCStatusCode.DEADLINE_EXCEEDED

    play(client, scene, worker=False)


def test_signal_with_start_reaches_the_new_run_and_then_the_open_one(
    client: BlockingClient,
) -> None:
    async def scene(client: Client) -> None:
        first = await start(client, start_signal="write", start_signal_args=["a"])
        second = await start(client, start_signal="write", start_signal_args=["b"])
        assert second.result_run_id == first.result_run_id
        assert await first.query(Diary.read) == ["a", "b"]
        await first.terminate()

    play(client, scene)


# -- ids -------------------------------------------------------------------------------


def test_an_open_workflow_id_is_refused_used_or_replaced(
    client: BlockingClient,
) -> None:
    async def scene(client: Client) -> None:
        first = await start(client)
        with pytest.raises(WorkflowAlreadyStartedError) as caught:
            await start(client)
        assert caught.value.run_id == first.result_run_id
        same = await start(
            client, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
        )
        assert same.result_run_id == first.result_run_id
        other = await start(
            client, id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING
        )
        assert other.result_run_id != first.result_run_id
        with pytest.raises(WorkflowFailureError) as ended:
            await first.result()
        assert str(ended.value.cause) == "TerminateIfRunning WorkflowIdReusePolicy"
        with refused(RPCStatusCode.NOT_FOUND):  # another chain than the handle's
            await first.terminate()

    play(client, scene, worker=False)


def test_a_closed_workflow_id_is_used_again_as_its_policy_says(
    client: BlockingClient,
) -> None:
    async def scene(client: Client) -> None:
        handle = await start(client)
        await handle.terminate()
        rejected = WorkflowIDReusePolicy.REJECT_DUPLICATE
        with pytest.raises(WorkflowAlreadyStartedError):
            await start(client, id_reuse_policy=rejected)
        failed_only = WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
        await start(client, id_reuse_policy=failed_only)
        replaced = WorkflowIDReusePolicy.TERMINATE_IF_RUNNING
        await start(client, id_reuse_policy=replaced)
        with refused(RPCStatusCode.INVALID_ARGUMENT):
            await start(
                client,
                id_reuse_policy=replaced,
                id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            )

    play(client, scene, worker=False)


def test_what_is_said_to_nobody_or_to_a_closed_run_is_not_found(
    client: BlockingClient,
) -> None:
    async def scene(client: Client) -> None:
        nobody = client.get_workflow_handle("nobody")
        for call in (nobody.result, nobody.describe, nobody.fetch_history):
            with pytest.raises(RPCError, match="workflow not found for ID: nobody"):
                await call()
        for ending in (nobody.cancel, nobody.terminate):
            with refused(RPCStatusCode.NOT_FOUND):
                await ending()
        handle = await start(client)
        await handle.terminate(reason="enough")
        await handle.cancel()  # of a closed run nothing is asked
        with pytest.raises(RPCError, match="workflow execution already completed"):
            await handle.signal("write", "late")
        with refused(RPCStatusCode.NOT_FOUND):
            await handle.terminate()

    play(client, scene, worker=False)


# -- ends ------------------------------------------------------------------------------


def test_the_result_of_a_chain_is_that_of_its_last_run(client: BlockingClient) -> None:
    async def scene(client: Client) -> None:
        handle = await client.start_workflow(Countdown.run, 2, id="c", task_queue=QUEUE)
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        cause = caught.value.cause
        assert isinstance(cause, ApplicationError)
        assert (cause.message, cause.type) == ("lift-off", "Zero")
        with pytest.raises(WorkflowContinuedAsNewError) as continued:
            await handle.result(follow_runs=False)
        following = continued.value.new_execution_run_id
        then = client.get_workflow_handle("c", run_id=following)
        assert (await then.describe()).status is Status.CONTINUED_AS_NEW

    play(client, scene)


def test_cancelled_and_terminated_runs_raise_what_ended_them(
    client: BlockingClient,
) -> None:
    async def scene(client: Client) -> None:
        cancelled = await start(client)
        await cancelled.cancel(reason="rain")
        with pytest.raises(WorkflowFailureError) as caught:
            await cancelled.result()
        assert isinstance(caught.value.cause, CancelledError)
        ended = await start(client, id="t")
        await ended.terminate("why", 7, reason="enough")
        with pytest.raises(WorkflowFailureError) as caught:
            await ended.result()
        cause = caught.value.cause
        assert isinstance(cause, TerminatedError)
        assert (cause.message, cause.details) == ("enough", ("why", 7))

    play(client, scene)


def test_waiting_for_a_result_ends_at_its_timeout(client: BlockingClient) -> None:
    async def scene(client: Client) -> None:
        handle = await start(client)
        with refused(RPCStatusCode.DEADLINE_EXCEEDED):
            await handle.result(rpc_timeout=timedelta(milliseconds=20))

    play(client, scene, worker=False)
    handle = client.get_workflow_handle("d")
    with refused(RPCStatusCode.DEADLINE_EXCEEDED):
        handle.result(rpc_timeout=timedelta(milliseconds=20))


def test_waits_that_fill_their_threads_do_not_hinder_calls(
    client: BlockingClient,
) -> None:
    async def scene(client: Client) -> None:
        handles = [await start(client, id=str(n)) for n in range(150)]
        waits = [asyncio.create_task(each.result()) for each in handles]
        for handle in handles:
            await handle.signal(Diary.end)
        assert await asyncio.gather(*waits) == [2] * 150

    play(client, scene)


# -- reads -----------------------------------------------------------------------------


def test_a_description_tells_options_and_pending_work(client: BlockingClient) -> None:
    async def scene(client: Client) -> None:
        handle = await client.start_workflow(
            Question.run,
            "where?",
            id="q",
            task_queue=QUEUE,
            memo={"page": [1]},
            search_attributes={"City": ["Rome"]},
            static_summary="a question",
        )

        async def asked() -> Any:
            return (await handle.describe()).raw_description.pending_activities

        (pending,) = await until(asked)
        found = await handle.describe()
        assert found.status is Status.RUNNING
        assert found.id == "q"
        assert found.workflow_type == "Question"
        assert await found.memo() == {"page": [1]}
        assert found.search_attributes == {"City": ["Rome"]}
        assert await found.static_summary() == "a question"
        assert pending.activity_type.name == "ask_somebody"
        assert (pending.activity_id, pending.attempt) == ("1", 1)
        await handle.terminate()

    play(client, scene)


def test_histories_are_fetched_followed_and_exported(client: BlockingClient) -> None:
    async def scene(client: Client) -> None:
        handle = await start(client)

        async def follow() -> list[str]:
            events = handle.fetch_history_events(page_size=2, wait_new_event=True)
            return [event.event_type async for event in events]

        following = asyncio.create_task(follow())
        await handle.signal(Diary.end)
        await handle.result()
        history = await handle.fetch_history()
        names = [event.event_type for event in history.events]
        assert names[0] == "WORKFLOW_EXECUTION_STARTED"
        assert names[-1] == "WORKFLOW_EXECUTION_COMPLETED"
        assert await following == names
        assert [event.event_id for event in history.events] == [
            *range(1, len(names) + 1)
        ]
        assert history.run_id == handle.result_run_id
        assert WorkflowHistory.from_json("d", history.to_json()) == history
        (last,) = (
            await handle.fetch_history(
                event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT
            )
        ).events
        assert last == history.events[-1]

    play(client, scene)


def test_workflows_are_listed_and_counted_by_filter(client: BlockingClient) -> None:
    async def scene(client: Client) -> None:
        for number in range(5):
            handle = await start(client, id=f"d{number}")
            if number < 2:
                await handle.terminate()
        ended = client.list_workflows("ExecutionStatus = 'Terminated'", page_size=1)
        assert {run.id async for run in ended} == {"d0", "d1"}
        some = client.list_workflows(limit=3, page_size=2)
        assert len([run async for run in some]) == 3
        one = client.list_workflows("WorkflowType=\"Diary\" AND WorkflowId='d3'")
        assert [run.id async for run in one] == ["d3"]
        counts = await client.count_workflows("GROUP BY ExecutionStatus")
        assert counts.count == 5
        assert {group.group_values[0]: group.count for group in counts.groups} == {
            "Running": 3,
            "Terminated": 2,
        }
        assert (await client.count_workflows("WorkflowType = 'Other'")).count == 0
        with refused(RPCStatusCode.INVALID_ARGUMENT):
            await client.count_workflows("StartTime > 'yesterday'")

    play(client, scene, worker=False)


# -- activities that are completed from elsewhere --------------------------------------


async def asked(client: Client) -> Any:
    """Start a question, and return its handle when nobody works on it any more."""
    handle = await client.start_workflow(
        Question.run, "where?", id="q", task_queue=QUEUE
    )

    async def detached() -> Any:
        found = (await handle.describe()).description.activities
        return found and found[0].detached

    await until(detached)
    return handle


def test_an_activity_is_completed_by_its_ids(client: BlockingClient) -> None:
    async def scene(client: Client) -> None:
        handle = await asked(client)
        answer = client.get_async_activity_handle(workflow_id="q", activity_id="1")
        await answer.heartbeat("half")
        pending = (await handle.describe()).description.activities[0]
        assert len(pending.heartbeat_details) == 1
        await answer.complete("there")
        assert await handle.result() == "there"
        with refused(RPCStatusCode.NOT_FOUND):
            await answer.complete("elsewhere")

    play(client, scene)


def test_an_activity_that_nobody_took_yet_is_completed_by_its_ids_only(
    client: BlockingClient,
) -> None:
    async def scene(client: Client) -> None:
        async with Worker(client, task_queue=QUEUE, workflows=WORKFLOWS):
            handle = await client.start_workflow(
                Question.run, "where?", id="q", task_queue=QUEUE
            )

            async def scheduled() -> Any:
                return (await handle.describe()).description.activities

            (pending,) = await until(scheduled)
            assert pending.state == "scheduled"
            answer = client.get_async_activity_handle(workflow_id="q", activity_id="1")
            for say in (answer.heartbeat, answer.fail, answer.report_cancellation):
                with refused(RPCStatusCode.NOT_FOUND):
                    await say(*([RuntimeError("no")] if say == answer.fail else []))
            await answer.complete("there")
            assert await handle.result() == "there"
            history = json.loads((await handle.fetch_history()).to_json())
            types = [event["eventType"] for event in history["events"]]
            started = types.index("EVENT_TYPE_ACTIVITY_TASK_STARTED")
            assert types[started + 1] == "EVENT_TYPE_ACTIVITY_TASK_COMPLETED"
            said = history["events"][started]["activityTaskStartedEventAttributes"]
            assert (said["attempt"], said["identity"]) == (1, "tester")

    play(client, scene, worker=False)


def test_an_activity_fails_by_its_token_and_is_retried(client: BlockingClient) -> None:
    async def scene(client: Client) -> None:
        handle = await asked(client)
        run_id = (await handle.describe()).run_id
        work = client.store.pending_work(run_id)
        assert work is not None
        ((job_id, lease),) = work.tokens.items()
        token = f"{job_id} {lease}".encode()
        answer = client.get_async_activity_handle(task_token=token)
        await answer.fail(ApplicationError("not yet"))

        async def retried() -> Any:
            (one,) = (await handle.describe()).description.activities
            return one.attempt == 2

        await until(retried)
        with refused(RPCStatusCode.NOT_FOUND):  # the attempt of the token is over
            await answer.complete("late")
        await handle.terminate()

    play(client, scene)


def test_an_activity_hears_that_its_cancellation_is_asked_for(
    client: BlockingClient,
) -> None:
    async def scene(client: Client) -> None:
        handle = await asked(client)
        answer = client.get_async_activity_handle(workflow_id="q", activity_id="1")
        with refused(RPCStatusCode.INVALID_ARGUMENT):
            await answer.report_cancellation()
        await handle.cancel()

        async def heard() -> bool:
            try:
                await answer.heartbeat()
            except AsyncActivityCancelledError as error:
                return error.details is not None and error.details.cancel_requested
            return False

        await until(heard)
        await answer.report_cancellation("half done")
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        assert isinstance(caught.value.cause, CancelledError)

    play(client, scene)


# -- the blocking twin -----------------------------------------------------------------


def test_the_blocking_client_does_the_same_without_a_loop(
    client: BlockingClient,
) -> None:
    handle = client.start_workflow(Diary.run, 1, id="d", task_queue=QUEUE)
    handle.signal(Diary.end)
    play(client, lambda _: asyncio.to_thread(handle.result))
    assert handle.result() == 2
    assert handle.describe().status is Status.COMPLETED
    assert [run.id for run in client.list_workflows()] == ["d"]
    events = list(handle.fetch_history_events(wait_new_event=True))
    assert events == list(handle.fetch_history().events)


def test_a_repeated_start_and_signal_are_done_once(client: BlockingClient) -> None:
    class Deaf:
        """Does everything, and loses the first answer."""

        def __init__(self) -> None:
            self.lost: set[str] = set()

        def __getattr__(self, name: str) -> Any:
            real = getattr(store, name)
            if name not in {"start_run", "send_to_run", "close_run"}:
                return real

            def call(*args: Any, **kwargs: Any) -> Any:
                answer = real(*args, **kwargs)
                if name not in self.lost:
                    self.lost.add(name)
                    raise StoreUnavailableError("the reply was lost")
                return answer

            return call

    store = client.store
    client.service.store = Deaf()
    handle = client.start_workflow(Diary.run, 1, id="d", task_queue=QUEUE)
    handle.signal(Diary.write, "once")
    run = store.get_run(client.get_workflow_handle("d").result_ref())
    assert run is not None
    assert (run.run_id, run.inbox_seq) == (handle.result_run_id, 1)
    handle.terminate()
    assert handle.describe().status is Status.TERMINATED


class Envelope:
    """A codec that wraps what it is given."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [
            Payload(
                {"encoding": b"envelope"}, json.dumps(payload_to_json(each)).encode()
            )
            for each in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [payload_from_json(json.loads(each.data)) for each in payloads]


def test_behind_a_codec_nothing_is_stored_in_the_clear(client: BlockingClient) -> None:
    converter = DataConverter(payload_codec=Envelope())
    sealed = BlockingClient(client.service, data_converter=converter)

    async def scene(client: Client) -> None:
        handle = await start(client, memo={"page": 1})
        await handle.signal(Diary.write, "secret")
        assert await handle.query(Diary.read) == ["secret"]
        assert await (await handle.describe()).memo() == {"page": 1}
        with pytest.raises(WorkflowQueryFailedError, match="no page to tear"):
            await handle.query(Diary.tear)
        await handle.signal(Diary.end)
        assert await handle.result() == 3
        text = (await handle.fetch_history()).to_json()
        plain = payload_to_json(converter.payload_converter.to_payload("secret"))
        assert plain["data"] not in text
        await start(client, id="t")
        other = client.get_workflow_handle("t")
        await other.terminate("why")
        with pytest.raises(WorkflowFailureError) as caught:
            await other.result()
        assert isinstance(caught.value.cause, TerminatedError)
        assert caught.value.cause.details == ("why",)

    play(sealed, scene)
