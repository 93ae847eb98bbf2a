"""The blocking client, repeated calls, and codecs, with a real worker."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.integration.client_scenes import QUEUE, play, start
from tests.integration.client_workflows import (
    Diary,
)
from workflows.client import (
    BlockingClient,
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowService,
)
from workflows.converter import (
    DataConverter,
    Payload,
    payload_from_json,
    payload_to_json,
)
from workflows.exceptions import (
    StoreUnavailableError,
    TerminatedError,
)

Status = WorkflowExecutionStatus


@pytest.fixture(params=["sqlite", "redis"])
def client(request: pytest.FixtureRequest, make_store: Any) -> BlockingClient:
    return BlockingClient(WorkflowService(make_store(request.param), identity="tester"))


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
