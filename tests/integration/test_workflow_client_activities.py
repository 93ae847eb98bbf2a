"""Activities that are completed from elsewhere, with a real worker on a real store."""

import json
from typing import Any

import pytest

from tests.integration.client_scenes import QUEUE, play, refused, until
from tests.integration.client_workflows import WORKFLOWS, Question
from workflows.client import (
    AsyncActivityCancelledError,
    BlockingClient,
    Client,
    RPCStatusCode,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowService,
)
from workflows.exceptions import ApplicationError, CancelledError
from workflows.worker import Worker

Status = WorkflowExecutionStatus


@pytest.fixture(params=["sqlite", "redis"])
def client(request: pytest.FixtureRequest, make_store: Any) -> BlockingClient:
    return BlockingClient(WorkflowService(make_store(request.param), identity="tester"))


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
