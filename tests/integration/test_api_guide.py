"""The guide's routes over real HTTP, on each store: what is there and what is wrong."""

import time

from tests.integration.api_stage import FAILURE, Stage
from workflows.store import (
    Complete,
    Retry,
    WorkerInfo,
)

QUEUE = "/api/v1/queue"


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


# -- the whole ------------------------------------------------------------------------


def test_prometheus_reads_the_stores_counters(stage: Stage) -> None:
    stage.bury()
    stage.add()
    until_exposed(
        stage,
        'workflows_jobs{queue="notes",state="waiting"} 1',
        'workflows_jobs_enqueued_total{queue="notes"} 2',
        'workflows_jobs_dead_total{queue="notes",reason="exhausted"} 1',
        'workflows_jobs_finished_total{queue="notes",outcome="failed"} 1',
        "workflows_store_up 1",
    )
    stage.add()
    until_exposed(stage, 'workflows_jobs_enqueued_total{queue="notes"} 3')


def until_exposed(stage: Stage, *wanted: str) -> None:
    """Read the exposition, which is shared for two seconds, until it has the lines."""
    until = time.monotonic() + 10
    missing = {*wanted}
    while missing:
        assert time.monotonic() < until, sorted(missing)
        text = stage.api.get("/metrics").body.decode()
        missing = {*wanted} - {*text.splitlines()}
        time.sleep(0.05)


def test_health_says_that_the_store_answers(stage: Stage) -> None:
    assert stage.data("/health/live")["status"] == "live"
    assert stage.data("/health/ready") == {"status": "ready", "checks": {"store": "ok"}}
