"""The guide's routes and the job routes, over real HTTP, on each store."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.api_server import ApiServer, serve
from workflows.engine.failure import Failure
from workflows.engine.states import DeadReason
from workflows.store import (
    Bury,
    Claim,
    Complete,
    LeasedJob,
    QueueClaim,
    Retry,
    Settlement,
    Store,
    StoreOptions,
    WorkerInfo,
)
from workflows.stores import open_store

QUEUE = "/api/v1/queue"
JOBS = "/api/v1/queues/notes/jobs"
FAILURE = Failure(
    type="OSError", message="no route", stack_trace="  File x\n"
).to_json()


class Stage:
    """The API over a store, and the same store in the hands of a worker."""

    def __init__(self, api: ApiServer, store: Store) -> None:
        self.api = api
        self.store = store
        self._numbers = itertools.count()

    def add(self, queue: str = "notes", **opts: Any) -> str:
        """Add a job over HTTP; return its id."""
        name = "take_note" if queue == "notes" else "count_note"
        body = {"name": name, "data": {"text": "hello"}, "opts": opts}
        answer = self.api.post(f"/api/v1/queues/{queue}/jobs", body)
        assert answer.status == 201, answer.body
        return str(answer.data["jobId"])

    def claim(self, count: int = 1) -> tuple[LeasedJob, ...]:
        """Lease jobs of the queue `notes`."""
        wanted = Claim(
            id=f"claim-{next(self._numbers)}",
            owner="worker-1",
            queues=(QueueClaim("notes", ("take_note",), count),),
            slots=count,
        )
        return self.store.exchange(claim=wanted).jobs

    def settle(self, *settlements: Settlement) -> None:
        """End leases."""
        self.store.exchange(settlements)

    def bury(self, count: int = 1) -> list[str]:
        """Add jobs and make dead letters of them, one after the other."""
        dead = []
        for _ in range(count):
            self.add()
            (job,) = self.claim()
            self.settle(
                Bury(
                    job_id=job.id,
                    token=job.token,
                    failure=FAILURE,
                    reason=DeadReason.EXHAUSTED,
                )
            )
            dead.append(job.id)
        return dead

    def data(self, path: str) -> Any:
        """Return what a GET answers."""
        answer = self.api.get(path)
        assert answer.status == 200, answer.body
        assert answer.json["success"] is True
        return answer.data


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    folder: Path = tmp_path_factory.mktemp("api")
    url = f"sqlite:///{folder}/jobs.db"
    if request.param == "redis":
        url = request.getfixturevalue("valkey").unix_url
    namespace = f"api-{uuid4().hex[:8]}"
    store = open_store(url, StoreOptions(namespace=namespace))
    with serve(url, folder, WORKFLOWS_NAMESPACE=namespace) as api:
        yield Stage(api, store)
    store.close()


@pytest.fixture
def stage(running: Stage) -> Iterator[Stage]:
    yield running
    running.store.wipe()


# -- metrics --------------------------------------------------------------------------


def test_metrics_count_jobs_by_state(stage: Stage) -> None:
    stage.bury(2)
    stage.add()
    stage.add(delayMs=60_000)
    stage.add("metrics")
    (job,) = stage.claim()
    stage.settle(Complete(job_id=job.id, token=job.token, result=b'"done"'))
    stage.add()
    stage.claim()
    stage.add()
    counts = {
        "waiting": 1,
        "active": 1,
        "completed": 1,
        "failed": 2,
        "delayed": 1,
        "total": 6,
        "cancelled": 0,
        "expired": 0,
    }
    found = stage.data(f"{QUEUE}/metrics")
    by_name = {queue["queueName"]: queue for queue in found["queues"]}
    assert by_name["notes"].items() >= counts.items()
    assert by_name["metrics"]["waiting"] == 1
    assert found["totals"] == {**counts, "waiting": 2, "total": 7}
    one = stage.data(f"{QUEUE}/metrics/notes")
    assert one.items() >= counts.items()
    assert one["counters"]["enqueued"] == 6
    assert one["performance"]["completed"] == 1


def test_a_retry_that_waits_is_delayed(stage: Stage) -> None:
    stage.add()
    (job,) = stage.claim()
    stage.settle(
        Retry(job_id=job.id, token=job.token, failure=FAILURE, delay_ms=60_000)
    )
    found = stage.data(f"{QUEUE}/metrics/notes")
    assert (found["delayed"], found["waiting"], found["failed"]) == (1, 0, 0)


def test_declared_queues_are_known_before_their_first_job(stage: Stage) -> None:
    names = [queue["queueName"] for queue in stage.data(f"{QUEUE}/metrics")["queues"]]
    assert names == ["metrics", "notes", "workflows"]  # the last: plain Huey tasks
    assert stage.store.list_queues() == []
    assert stage.data(f"{QUEUE}/metrics/notes")["total"] == 0
    assert stage.data(f"{QUEUE}/dead-letter/notes")["jobs"] == []
    assert stage.store.list_queues() == []


def test_the_dead_letter_name_names_the_queue_too(stage: Stage) -> None:
    stage.bury()
    assert stage.data(f"{QUEUE}/metrics/notes-dlq")["queueName"] == "notes"
    assert stage.data(f"{QUEUE}/dead-letter/notes-dlq")["total"] == 1
    assert stage.api.post(f"{QUEUE}/clean/notes-dlq").data["removed"] == 1
    assert stage.api.get(f"{QUEUE}/metrics/notes-dlq-dlq").status == 404


def test_a_queue_named_like_a_word_of_the_paths_is_reachable(stage: Stage) -> None:
    job = stage.add("metrics")
    assert stage.data(f"{QUEUE}/metrics/metrics")["waiting"] == 1
    listed = stage.data("/api/v1/queues/metrics/jobs?state=waiting")
    assert [one["id"] for one in listed["jobs"]] == [job]


# -- dead letters ---------------------------------------------------------------------


def test_dead_letters_show_all_that_is_known(stage: Stage) -> None:
    (job_id,) = stage.bury()
    found = stage.data(f"{QUEUE}/dead-letter/notes")
    assert found["queueName"] == "notes-dlq"
    assert found["total"] == 1
    (letter,) = found["jobs"]
    assert letter["id"] == job_id
    assert letter["name"] == "take_note"
    assert letter["data"]["text"] == "hello"
    assert letter["attemptsMade"] == 1
    assert letter["reason"] == "exhausted"
    assert letter["failedReason"] == "OSError: no route"
    assert letter["stacktrace"] == ["  File x\nOSError: no route\n"]
    assert letter["createdAt"] <= letter["failedAt"]
    (attempt,) = letter["attempts"]
    assert attempt["outcome"] == "dead"
    assert attempt["worker"] == "worker-1"


def test_dead_letters_come_in_pages_newest_first(stage: Stage) -> None:
    dead = stage.bury(5)
    seen: list[str] = []
    path = f"{QUEUE}/dead-letter/notes?limit=2"
    cursor = ""
    while True:
        answer = stage.api.get(path + (f"&cursor={cursor}" if cursor else ""))
        assert answer.data["total"] == 5
        seen += [job["id"] for job in answer.data["jobs"]]
        cursor = answer.json["meta"]["nextCursor"]
        if cursor is None:
            break
    assert seen == dead[::-1]


def test_a_dead_letter_is_retried_with_its_history(stage: Stage) -> None:
    (job_id,) = stage.bury()
    answer = stage.api.post(f"{QUEUE}/retry/notes/{job_id}")
    assert answer.status == 200
    expected = {"jobId": job_id, "queueName": "notes", "state": "waiting"}
    assert answer.data == expected
    job = stage.data(f"/api/v1/jobs/{job_id}")
    assert job["state"] == "waiting"
    assert job["attemptsMade"] == 0
    assert len(job["attempts"]) == 1
    again = stage.api.post(f"{QUEUE}/retry/notes/{job_id}")
    assert again.status == 409
    assert again.code == "conflict"


def test_retry_knows_only_jobs_of_its_queue(stage: Stage) -> None:
    (job_id,) = stage.bury()
    assert stage.api.post(f"{QUEUE}/retry/metrics/{job_id}").status == 404
    assert stage.api.post(f"{QUEUE}/retry/notes/nothing").status == 404
    assert stage.data(f"/api/v1/jobs/{job_id}")["state"] == "failed"


def test_many_dead_letters_are_retried_oldest_first(stage: Stage) -> None:
    dead = stage.bury(3)
    answer = stage.api.post(f"{QUEUE}/retry/notes", {"limit": 2})
    assert answer.data == {"queueName": "notes", "retried": 2, "more": True}
    left = stage.data(f"{QUEUE}/dead-letter/notes")["jobs"]
    assert [job["id"] for job in left] == dead[2:]


def test_clean_removes_the_oldest_dead_letters_and_nothing_else(stage: Stage) -> None:
    dead = stage.bury(3)
    kept = stage.add()
    answer = stage.api.post(f"{QUEUE}/clean/notes", {"limit": 2})
    assert answer.data == {"queueName": "notes", "removed": 2, "more": True}
    left = stage.data(f"{QUEUE}/dead-letter/notes")["jobs"]
    assert [job["id"] for job in left] == dead[2:]
    rest = stage.api.post(f"{QUEUE}/clean/notes")
    assert rest.data == {"queueName": "notes", "removed": 1, "more": False}
    assert stage.data(f"/api/v1/jobs/{kept}")["state"] == "waiting"


# -- dashboard ------------------------------------------------------------------------


def test_the_dashboard_says_what_is_wrong_and_why(stage: Stage) -> None:
    stage.bury(2)
    stage.add()
    found = stage.data(f"{QUEUE}/dashboard")
    assert set(found) >= {"health", "statistics", "alerts", "performance"}
    health = {one["queueName"]: one for one in found["health"]}
    assert health["notes"]["status"] == "critical"
    assert "no living worker" in health["notes"]["why"]
    assert health["metrics"] == {
        "queueName": "metrics",
        "status": "healthy",
        "why": "",
    }
    alerts = {(one["queueName"], one["code"]): one for one in found["alerts"]}
    assert alerts["notes", "dead_letters"]["value"] == 2
    assert alerts["notes", "no_worker"]["severity"] == "critical"
    assert found["statistics"]["failed"] == 2
    assert found["statistics"]["counters"]["enqueued"] == 3
    assert found["performance"]["failed"] == 2
    assert found["performance"]["runMs"]["p99"] >= 0


def test_a_living_worker_makes_its_queues_healthy(stage: Stage) -> None:
    stage.add()
    now = stage.store.now()
    stage.store.heartbeat(
        WorkerInfo(
            owner="worker-1",
            host="here",
            pid=1,
            queues={"notes": ("take_note",)},
            slots=4,
            running=1,
            started_at=now,
            version="0",
        )
    )
    found = stage.data(f"{QUEUE}/dashboard")
    health = {one["queueName"]: one["status"] for one in found["health"]}
    assert health["notes"] == "healthy"
    (worker,) = stage.data("/api/v1/workers")["workers"]
    assert worker["alive"] is True
    assert worker["queues"] == {"notes": ["take_note"]}


# -- jobs -----------------------------------------------------------------------------


def test_a_job_is_added_and_read(stage: Stage) -> None:
    body = {
        "name": "take_note",
        "data": {"text": "hi", "number": 7},
        "opts": {"jobId": "note-1", "priority": 5, "expiresMs": 60_000},
    }
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = stage.api.post(JOBS, body, traceparent=trace)
    assert answer.status == 201
    assert answer.headers["location"] == "/api/v1/jobs/note-1"
    assert answer.data == {
        "jobId": "note-1",
        "queueName": "notes",
        "status": "created",
    }
    job = stage.data("/api/v1/jobs/note-1")
    assert job["state"] == "waiting"
    assert job["data"] == {"text": "hi", "number": 7, "tags": {}}
    assert job["priority"] == 5
    assert job["expiresAt"] > job["createdAt"]
    assert job["traceparent"] == trace
    assert stage.data("/api/v1/jobs/note-1/attempts") == {
        "jobId": "note-1",
        "attempts": [],
    }


def test_an_id_that_is_taken_is_reported(stage: Stage) -> None:
    stage.add(jobId="note-1")
    body = {"name": "take_note", "data": {}, "opts": {"jobId": "note-1"}}
    answer = stage.api.post(JOBS, body)
    assert answer.status == 200
    assert answer.data["status"] == "duplicate"
    assert stage.data("/api/v1/jobs/note-1")["data"]["text"] == "hello"


def test_a_dedup_id_admits_one_live_job(stage: Stage) -> None:
    first = stage.add(dedupId="once")
    body = {"name": "take_note", "data": {}, "opts": {"dedupId": "once"}}
    answer = stage.api.post(JOBS, body)
    assert answer.data == {
        "jobId": first,
        "queueName": "notes",
        "status": "deduplicated",
    }


def test_a_request_with_its_key_can_be_sent_again(stage: Stage) -> None:
    body = {"name": "take_note", "data": {"text": "pay"}}
    first = stage.api.post(JOBS, body, Idempotency_Key="k1")
    again = stage.api.post(JOBS, body, Idempotency_Key="k1")
    assert (first.status, again.status) == (201, 201)
    assert first.data == again.data
    assert stage.data(f"{QUEUE}/metrics/notes")["waiting"] == 1
    other = stage.api.post(JOBS, body, Idempotency_Key="k2")
    assert other.data["jobId"] != first.data["jobId"]


def test_a_key_with_another_body_is_422(stage: Stage) -> None:
    body = {"name": "take_note", "data": {"text": "pay"}}
    stage.api.post(JOBS, body, Idempotency_Key="k1")
    changed = {"name": "take_note", "data": {"text": "pay twice"}}
    answer = stage.api.post(JOBS, changed, Idempotency_Key="k1")
    assert answer.status == 422
    assert stage.data(f"{QUEUE}/metrics/notes")["waiting"] == 1
    batch = {"jobs": [changed]}
    elsewhere = stage.api.post(
        "/api/v1/queues/notes/batches", batch, Idempotency_Key="k1"
    )
    assert elsewhere.status == 201


@pytest.mark.parametrize("key", ["", "a b", "k" * 256])
def test_odd_keys_are_refused(stage: Stage, key: str) -> None:
    body = {"name": "take_note", "data": {}}
    assert stage.api.post(JOBS, body, Idempotency_Key=key).status == 400
    assert stage.api.post(f"{QUEUE}/clean/notes", Idempotency_Key="k").status == 400


def test_many_jobs_are_added_together(stage: Stage) -> None:
    jobs = [
        {"name": "take_note", "data": {"number": n}, "opts": {"jobId": f"n{n % 3}"}}
        for n in range(4)
    ]
    answer = stage.api.post("/api/v1/queues/notes/batches", {"jobs": jobs})
    assert answer.status == 201
    statuses = [job["status"] for job in answer.data["jobs"]]
    assert statuses == ["created"] * 3 + ["duplicate"]
    too_many = {"jobs": [{"name": "take_note", "data": {}}] * 1001}
    assert stage.api.post("/api/v1/queues/notes/batches", too_many).status == 422
    assert stage.api.post("/api/v1/queues/notes/batches", {"jobs": []}).status == 422


def test_jobs_are_listed_by_state_in_pages(stage: Stage) -> None:
    ids = [stage.add() for _ in range(3)]
    path = "/api/v1/queues/notes/jobs?state=waiting"
    first = stage.api.get(f"{path}&limit=2")
    assert first.data["total"] == 3
    cursor = first.json["meta"]["nextCursor"]
    rest = stage.api.get(f"{path}&cursor={cursor}")
    assert rest.json["meta"]["nextCursor"] is None
    listed = [job["id"] for job in first.data["jobs"] + rest.data["jobs"]]
    assert listed == ids


def test_a_completed_job_shows_its_result(stage: Stage) -> None:
    job_id = stage.add()
    (job,) = stage.claim()
    stage.settle(Complete(job_id=job.id, token=job.token, result=b'{"sum": 3}'))
    shown = stage.data(f"/api/v1/jobs/{job_id}")
    assert shown["state"] == "completed"
    assert shown["result"] == {"sum": 3}
    assert shown["finishedAt"] >= shown["startedAt"]


def test_a_pending_job_is_cancelled_at_once_and_again(stage: Stage) -> None:
    job_id = stage.add()
    for _ in range(2):
        answer = stage.api.post(f"/api/v1/jobs/{job_id}/cancel")
        assert (answer.status, answer.data["status"]) == (200, "cancelled")
    assert stage.data(f"{QUEUE}/metrics/notes")["cancelled"] == 1
    assert stage.api.post(f"/api/v1/jobs/{job_id}/promote").status == 409


def test_an_active_job_is_asked_to_stop(stage: Stage) -> None:
    job_id = stage.add()
    stage.claim()
    answer = stage.api.post(f"/api/v1/jobs/{job_id}/cancel")
    assert (answer.status, answer.data["status"]) == (202, "requested")
    job = stage.data(f"/api/v1/jobs/{job_id}")
    assert (job["state"], job["cancelRequested"]) == ("active", True)
    assert stage.api.request("DELETE", f"/api/v1/jobs/{job_id}").status == 409


def test_a_job_is_removed(stage: Stage) -> None:
    job_id = stage.add()
    answer = stage.api.request("DELETE", f"/api/v1/jobs/{job_id}")
    assert answer.data == {"jobId": job_id, "removed": True}
    assert stage.api.get(f"/api/v1/jobs/{job_id}").status == 404
    assert stage.api.request("DELETE", f"/api/v1/jobs/{job_id}").status == 404


def test_a_delayed_job_is_promoted_and_rescheduled(stage: Stage) -> None:
    job_id = stage.add(delayMs=60_000)
    assert stage.data(f"/api/v1/jobs/{job_id}")["state"] == "delayed"
    path = f"/api/v1/jobs/{job_id}/"
    assert stage.api.post(f"{path}promote").data["state"] == "waiting"
    moved = stage.api.post(f"{path}reschedule", {"runAt": "2099-01-01T00:00:00+01:00"})
    assert moved.data["state"] == "delayed"
    shown = stage.data(f"/api/v1/jobs/{job_id}")
    assert shown["runAt"] == "2098-12-31T23:00:00.000Z"
    now = stage.api.post(f"{path}reschedule", {"delayMs": 0})
    assert now.data["state"] == "waiting"
    for body in ({}, {"delayMs": 1, "runAt": "2099-01-01T00:00:00Z"}):
        assert stage.api.post(f"{path}reschedule", body).status == 422


# -- queues ---------------------------------------------------------------------------


def test_a_paused_queue_starts_nothing_until_it_is_resumed(stage: Stage) -> None:
    paused = stage.api.post("/api/v1/queues/notes/pause", {"by": "Ann"})
    assert (paused.data["paused"], paused.data["pausedBy"]) == (True, "Ann")
    stage.add()
    assert stage.claim() == ()
    health = stage.data(f"{QUEUE}/dashboard")["health"]
    assert "no living worker" in next(
        one["why"] for one in health if one["queueName"] == "notes"
    )
    resumed = stage.api.post("/api/v1/queues/notes/resume")
    assert (resumed.data["paused"], resumed.data["pausedBy"]) == (False, None)
    assert len(stage.claim()) == 1


def test_limits_are_overridden_and_reset(stage: Stage) -> None:
    path = "/api/v1/queues/metrics/limits"
    wanted = {"concurrency": 1, "rateMax": 10, "rateMs": 1000}
    changed = stage.api.request("PUT", path, wanted)
    assert changed.data["limits"] == {**wanted, "overridden": True}
    reset = stage.api.request("DELETE", path)
    assert reset.data["limits"] == {
        "concurrency": 3,
        "rateMax": None,
        "rateMs": None,
        "overridden": False,
    }
    assert stage.api.request("PUT", path, {"rateMax": 10}).status == 422
    assert stage.api.request("PUT", path, {"concurrency": 0}).status == 422


def test_drain_removes_waiting_jobs_and_delayed_ones_if_asked(stage: Stage) -> None:
    stage.add()
    stage.add(delayMs=60_000)
    first = stage.api.post("/api/v1/queues/notes/drain")
    assert first.data == {"queueName": "notes", "removed": 1, "more": False}
    second = stage.api.post("/api/v1/queues/notes/drain", {"delayed": True})
    assert second.data["removed"] == 1


@pytest.mark.parametrize(
    ("given", "missing"), [("rateMax", "rateMs"), ("rateMs", "rateMax")]
)
def test_half_a_rate_limit_is_refused_with_what_is_missing(
    stage: Stage, given: str, missing: str
) -> None:
    path = "/api/v1/queues/notes/limits"
    refused = stage.api.request("PUT", path, {given: 5})
    assert refused.status == 422
    assert [fault["path"] for fault in refused.json["errors"]] == [f"/{missing}"]


def test_a_dedup_id_with_a_nul_is_refused_unquoted(stage: Stage) -> None:
    body = {"name": "take_note", "data": {"text": "a"}, "opts": {"dedupId": "key\0"}}
    refused = stage.api.post("/api/v1/queues/notes/jobs", body)
    assert refused.status == 422
    assert [fault["path"] for fault in refused.json["errors"]] == ["/opts/dedupId"]
    assert b"key" not in refused.body


# -- schedules ------------------------------------------------------------------------


def put_schedule(stage: Stage, **changes: Any) -> Any:
    body = {"name": "take_note", "data": {"text": "tick"}, "cron": "0 0 * * *"}
    return stage.api.request("PUT", "/api/v1/schedules/nightly", {**body, **changes})


def test_a_schedule_is_created_changed_and_deleted(stage: Stage) -> None:
    created = put_schedule(stage, tz="Asia/Kathmandu")
    assert created.status == 201, created.body
    assert created.data["queueName"] == "notes"
    assert created.data["cron"] == "0 0 * * *"
    assert created.data["tz"] == "Asia/Kathmandu"
    assert created.data["nextAt"].endswith("T18:15:00.000Z")
    same = put_schedule(stage, tz="Asia/Kathmandu")
    assert (same.status, same.data) == (200, created.data)
    changed = put_schedule(stage, cron=None, everyMs=60_000)
    assert (changed.data["cron"], changed.data["everyMs"]) == (None, 60_000)
    listed = stage.data("/api/v1/schedules")["schedules"]
    assert listed == [stage.data("/api/v1/schedules/nightly")]
    assert stage.api.request("DELETE", "/api/v1/schedules/nightly").status == 200
    assert stage.api.get("/api/v1/schedules/nightly").status == 404


def test_a_schedule_is_paused_resumed_and_run(stage: Stage) -> None:
    put_schedule(stage)
    path = "/api/v1/schedules/nightly"
    assert stage.api.post(f"{path}/pause").data["paused"] is True
    ran = stage.api.post(f"{path}/run", Idempotency_Key="now")
    assert ran.status == 201
    again = stage.api.post(f"{path}/run", Idempotency_Key="now")
    assert again.data == ran.data
    assert stage.data(ran.headers["location"])["data"]["text"] == "tick"
    assert stage.api.post(f"{path}/resume").data["paused"] is False


CRONS = {
    "75 empty": "",
    "75 no such minute": "60 * * * *",
    "75 never": "* * 31 2 *",
    "75 step of 0": "*/0 * * * *",
    "75 reboot": "@reboot",
    "75 long": "*" * 10_000,
    "75 random": "R * * * *",
    "75 seven fields": "* * * * * * *",
    "75 full-width digits": "\uff10 * * * *",
}


@pytest.mark.parametrize("case", CRONS)
def test_odd_schedules_are_refused(stage: Stage, case: str) -> None:
    refused = put_schedule(stage, cron=CRONS[case])
    assert refused.status == 422
    assert [fault["path"] for fault in refused.json["errors"]] == ["/cron"]
    assert not CRONS[case] or CRONS[case] not in refused.body.decode()
    assert stage.store.list_schedules() == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"tz": "Mars/X"}, "/tz"),
        ({"tz": "../../etc/passwd"}, "/tz"),
        ({"everyMs": 1000}, ""),
        ({"cron": None}, ""),
        ({"cron": None, "everyMs": 10}, "/everyMs"),
        ({"cron": None, "everyMs": 5000, "offsetMs": 5000}, "/offsetMs"),
        ({"catchUp": "never"}, "/catchUp"),
        ({"name": "nobody"}, "/name"),
        ({"data": {"number": "x"}}, "/data/number"),
    ],
)
def test_schedules_of_wrong_shape_are_refused_with_the_place(
    stage: Stage, changes: dict[str, Any], path: str
) -> None:
    refused = put_schedule(stage, **changes)
    assert refused.status == 422
    assert path in [fault["path"] for fault in refused.json["errors"]]
    assert stage.store.list_schedules() == []


# -- the whole ------------------------------------------------------------------------


def test_prometheus_reads_the_stores_counters(stage: Stage) -> None:
    time.sleep(2.1)  # what an earlier test read may be shared for two seconds
    stage.bury()
    stage.add()
    text = stage.api.get("/metrics").body.decode()
    lines = set(text.splitlines())
    assert 'workflows_jobs{queue="notes",state="waiting"} 1' in lines
    assert 'workflows_jobs_enqueued_total{queue="notes"} 2' in lines
    assert 'workflows_jobs_dead_total{queue="notes",reason="exhausted"} 1' in lines
    assert 'workflows_jobs_finished_total{queue="notes",outcome="failed"} 1' in lines
    assert "workflows_store_up 1" in lines
    stage.add()
    time.sleep(2.1)
    fresh = stage.api.get("/metrics").body.decode()
    assert 'workflows_jobs_enqueued_total{queue="notes"} 3' in fresh.splitlines()


def test_health_says_that_the_store_answers(stage: Stage) -> None:
    assert stage.data("/health/live")["status"] == "live"
    assert stage.data("/health/ready") == {"status": "ready", "checks": {"store": "ok"}}
