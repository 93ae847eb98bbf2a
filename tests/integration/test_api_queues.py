"""The routes of queues and schedules over real HTTP, on each store."""

from typing import Any

import pytest

from tests.integration.api_stage import Stage

QUEUE = "/api/v1/queue"
JOBS = "/api/v1/queues/notes/jobs"


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
