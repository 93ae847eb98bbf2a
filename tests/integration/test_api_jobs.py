"""The routes of jobs over real HTTP, on each store."""

import pytest

from tests.integration.api_stage import Stage
from workflows.store import (
    Complete,
    Report,
)

QUEUE = "/api/v1/queue"
JOBS = "/api/v1/queues/notes/jobs"


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


def test_a_job_is_amended(stage: Stage) -> None:
    path = f"/api/v1/jobs/{stage.add(priority=5)}"
    answer = stage.api.request("PATCH", path, {"data": {"text": "new"}, "priority": 2})
    assert answer.status == 200
    assert (answer.data["data"]["text"], answer.data["priority"]) == ("new", 2)
    assert stage.data(path)["data"]["text"] == "new"
    for body, where in (
        ({"data": {"text": 5}}, "/data/text"),
        ({"priority": -1}, "/priority"),
        ({}, ""),
        ({"state": "completed"}, "/state"),
    ):
        refused = stage.api.request("PATCH", path, body)
        assert refused.status == 422
        assert refused.json["errors"][0]["path"] == where
    assert stage.data(path)["data"]["text"] == "new"
    assert (
        stage.api.request("PATCH", "/api/v1/jobs/none", {"priority": 2}).status == 404
    )
    stage.claim()
    assert stage.api.request("PATCH", path, {"priority": 2}).status == 409


def test_what_a_job_reports_is_shown(stage: Stage) -> None:
    path = f"/api/v1/jobs/{stage.add()}"
    assert stage.data(path)["progress"] is None
    (job,) = stage.claim()
    news = Report(progress=b'{"done": 7}', checkpoint=b"7", lines=("one", "two"))
    assert stage.store.report(job.id, job.token, news)
    shown = stage.data(path)
    assert (shown["progress"], shown["checkpoint"]) == ({"done": 7}, 7)
    assert shown["logged"] == 2
    log = stage.data(f"{path}/log?after=1&limit=1")
    assert [(line["n"], line["text"]) for line in log["lines"]] == [(2, "two")]
    assert log["more"] is False
    assert stage.api.get(f"{path}/log?after=-1").status == 400
    assert stage.api.get("/api/v1/jobs/none/log").status == 404


def test_delayed_jobs_are_promoted_together(stage: Stage) -> None:
    for _ in range(3):
        stage.add(delayMs=60_000)
    path = "/api/v1/queues/notes/promote"
    answer = stage.api.post(path, {"limit": 2})
    assert answer.data == {"queueName": "notes", "promoted": 2, "more": True}
    assert stage.api.post(path).data["promoted"] == 1
    assert len(stage.claim(3)) == 3
    assert stage.api.post("/api/v1/queues/none/promote").status == 404


def test_a_duplicate_may_replace_or_put_off_what_waits(stage: Stage) -> None:
    def send(job_id: str, on_duplicate: str) -> str:
        rule = {"ttlMs": 60_000, "extend": True, "onDuplicate": on_duplicate}
        opts = {"jobId": job_id, "delayMs": 9000, "dedupId": "d", "dedup": rule}
        body = {"name": "take_note", "data": {}, "opts": opts}
        answer = stage.api.post(JOBS, body)
        assert answer.data["jobId"] in {"a", "b"}
        return str(answer.data["status"])

    assert send("a", "replace") == "created"
    assert send("b", "replace") == "created"
    assert stage.api.get("/api/v1/jobs/a").status == 404
    assert send("c", "reschedule") == "rescheduled"
    assert send("c", "keep") == "deduplicated"
    for opts, where in (
        ({"dedup": {"ttlMs": 5}}, "/opts/dedup"),
        ({"dedupId": "x", "dedup": {"extend": True}}, "/opts/dedup"),
        ({"dedupId": "x", "dedup": {"onDuplicate": "run"}}, "/opts/dedup/onDuplicate"),
    ):
        refused = stage.api.post(JOBS, {"name": "take_note", "data": {}, "opts": opts})
        assert refused.status == 422
        assert refused.json["errors"][0]["path"] == where
