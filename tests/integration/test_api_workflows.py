"""Workflows over real HTTP, with a real worker beside the API."""

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api_server import Answer, ApiServer, serve
from tests.integration.client_workflows import ACTIVITIES, WORKFLOWS
from workflows.client import Client
from workflows.worker import Worker

pytestmark = pytest.mark.integration
ROOT = "/api/v1/workflows"
numbers = itertools.count()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('runs')}/runs.db"


@pytest.fixture(scope="module")
def api(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder: Path = tmp_path_factory.mktemp("api")
    with serve(url, folder) as server:
        yield server


@pytest.fixture(scope="module")
def _worker(url: str) -> Iterator[None]:
    over = threading.Event()

    async def work() -> None:
        client = await Client.connect(url)
        async with Worker(
            client, task_queue="diaries", workflows=WORKFLOWS, activities=ACTIVITIES
        ):
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    yield
    over.set()
    thread.join()


def start(api: ApiServer, *, queue: str = "diaries", **more: Any) -> tuple[str, Answer]:
    workflow_id = f"d{next(numbers)}"
    body = {"type": "Diary", "taskQueue": queue, "arguments": [1], **more}
    answer = api.post(ROOT, {"workflowId": workflow_id, **body})
    return f"{ROOT}/{workflow_id}", answer


@pytest.mark.usefixtures("_worker")
def test_a_workflow_lives_its_life_over_http(api: ApiServer) -> None:
    path, started = start(api, memo={"page": 1}, signal={"name": "end"})
    assert started.status == 201
    assert started.headers["location"] == path
    assert started.data["status"] == "started"
    told = api.post(f"{path}/signals", {"name": "write", "arguments": ["a"]})
    assert told.status in {202, 409}  # it may have ended before
    done = api.get(f"{path}/result?waitMs=10000")
    assert (done.status, done.data["status"]) == (200, "completed")
    assert done.data["result"] in {2, 3}
    asked = api.post(f"{path}/queries", {"name": "read"})
    assert asked.status == 200
    assert asked.data["result"] in ([], ["a"])
    found = api.get(path).data
    assert found["status"] == "completed"
    assert found["memo"] == {"page": 1}
    assert found["waitsFor"] == []


@pytest.mark.usefixtures("_worker")
def test_a_history_is_read_in_pages_and_followed(api: ApiServer) -> None:
    path, _ = start(api)
    seen: list[str] = []
    at: int | None = 1
    ended = False
    while at is not None:
        page = api.get(f"{path}/history?startId={at}&limit=2&waitMs=5000").data
        seen += [event["eventType"] for event in page["events"]]
        at = page["nextId"]
        if "EVENT_TYPE_ACTIVITY_TASK_COMPLETED" in seen and not ended:
            ended = api.post(f"{path}/signals", {"name": "end"}).status == 202
    assert seen[0] == "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED"
    assert seen[-1] == "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED"


@pytest.mark.usefixtures("_worker")
def test_a_query_that_fails_or_is_rejected_has_its_code(api: ApiServer) -> None:
    path, _ = start(api)
    failed = api.post(f"{path}/queries", {"name": "tear"})
    assert (failed.status, failed.code) == (422, "query_failed")
    assert "no page to tear" in failed.json["detail"]
    assert api.post(f"{path}/terminate", {"reason": "enough"}).status == 200
    asked = {"name": "read", "rejectCondition": "not_open"}
    rejected = api.post(f"{path}/queries", asked)
    assert (rejected.status, rejected.code) == (409, "query_rejected")
    ended = api.get(f"{path}/result").data
    assert (ended["status"], ended["reason"]) == ("terminated", "enough")


def test_policies_and_closed_runs_have_their_codes(api: ApiServer) -> None:
    path, _ = start(api, queue="nobody")
    body = {"type": "Diary", "taskQueue": "nobody", "workflowId": path.split("/")[-1]}
    again = api.post(ROOT, body)
    assert (again.status, again.code) == (409, "already_started")
    used = api.post(ROOT, {**body, "idConflictPolicy": "use_existing"})
    assert (used.status, used.data["status"]) == (200, "existing")
    assert api.post(f"{path}/cancel").status == 202
    assert api.post(f"{path}/terminate").status == 200
    late = api.post(f"{path}/signals", {"name": "write"})
    assert (late.status, late.code) == (409, "conflict")
    assert api.get(f"{ROOT}/unknown").code == "not_found"


def test_a_repeated_key_starts_and_signals_once(api: ApiServer) -> None:
    body = {"type": "Diary", "taskQueue": "nobody"}
    first = api.post(ROOT, body, Idempotency_Key="k")
    second = api.post(ROOT, body, Idempotency_Key="k")
    assert first.data == second.data
    path = f"{ROOT}/{first.data['workflowId']}"
    for _ in range(2):
        api.post(f"{path}/signals", {"name": "write"}, Idempotency_Key="s")
    assert api.post(f"{path}/terminate", Idempotency_Key="t").status == 200
    assert api.post(f"{path}/terminate", Idempotency_Key="t").status == 200


def test_runs_are_listed_in_pages(api: ApiServer) -> None:
    ids = [start(api, queue="listed")[0].split("/")[-1] for _ in range(3)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = api.get(f"{ROOT}?type=Diary&status=running&limit=2{cursor}")
        seen += [run["workflowId"] for run in page.data["workflows"]]
        if page.json["meta"]["nextCursor"] is None:
            break
        cursor = f"&cursor={page.json['meta']['nextCursor']}"
    assert [one for one in seen if one in ids] == ids[::-1]
    (one,) = api.get(f"{ROOT}?workflowId={ids[0]}").data["workflows"]
    assert one["taskQueue"] == "listed"


def test_a_description_says_why_nothing_happens(api: ApiServer) -> None:
    path, _ = start(api, queue="nobody")
    (wait,) = api.get(path).data["waitsFor"]
    assert wait["unblock"] == "no living worker serves the queue 'nobody': start one"


def test_waits_leave_threads_to_the_others(api: ApiServer) -> None:
    path, _ = start(api, queue="nobody")
    with ThreadPoolExecutor(6) as pool:  # of a server with four threads
        began = time.monotonic()
        poll = f"{path}/result?waitMs=1500"
        waits = [pool.submit(api.get, poll) for _ in range(6)]
        assert api.get("/health/live").status == 200
        assert time.monotonic() - began < 1.4
        answers = [wait.result() for wait in waits]
    busy = [each for each in answers if each.status == 503]
    assert len(answers) - len(busy) >= 2
    assert busy
    assert {(each.code, each.headers["retry-after"]) for each in busy} == {
        ("busy", "2")
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"taskQueue": "q"}, 422),
        ({"type": "", "taskQueue": "q"}, 422),
        ({"type": "T", "taskQueue": "q", "cronSchedule": "often"}, 422),
        ({"type": "T", "taskQueue": "q", "idReusePolicy": "maybe"}, 422),
        ({"type": "T", "taskQueue": "q", "workflowId": "a b"}, 422),
        (
            {
                "type": "T",
                "taskQueue": "q",
                "retryPolicy": {"initialIntervalMs": 9, "maximumIntervalMs": 1},
            },
            422,
        ),
    ],
)
def test_a_start_that_cannot_be_meant_is_refused(
    api: ApiServer, body: dict[str, Any], status: int
) -> None:
    answer = api.post(ROOT, body)
    assert answer.status == status
    assert answer.json["success"] is False
