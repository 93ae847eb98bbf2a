"""The text that Prometheus reads."""

import re

from api.prometheus import MAX_QUEUES, OTHER, Snapshot, render
from workflows.engine.histogram import bucket
from workflows.engine.states import JobState
from workflows.store import Minute, QueueInfo, QueueLimits, Schedule, WorkerInfo

NOW = 100 * 60_000
SAMPLE = re.compile(r'[a-z_]+(\{([a-z]+="([^"\\\n]|\\.)*",?)+\})? [-+0-9.e]+')


def queue(name: str, totals: dict[str, int] | None = None) -> QueueInfo:
    return QueueInfo(
        name=name,
        counts={JobState.WAITING: 2},
        totals=totals or {"enqueued": 3, "dead:stalled": 1, "completed": 1},
        paused=False,
        paused_by="",
        limits=QueueLimits(),
        overridden=False,
        oldest_waiting_at=NOW - 1500,
    )


def snapshot(*queues: QueueInfo, minutes: list[Minute] | None = None) -> Snapshot:
    worker = WorkerInfo(
        owner="w",
        host="h",
        pid=1,
        queues={"a": ("t",)},
        slots=8,
        running=3,
        started_at=0,
        version="0",
        seen_at=NOW,
    )
    schedule = Schedule(
        id="s", queue="a", type="t", payload=b"", spec="", next_at=NOW - 4000
    )
    return Snapshot(
        now=NOW,
        queues=queues,
        minutes={"a": minutes or []},
        workers=[worker],
        schedules=[schedule],
    )


def samples(text: str) -> dict[str, float]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (x.rpartition(" ") for x in lines)}


def test_every_line_is_in_the_text_format() -> None:
    minutes = [Minute(100, {f"w{bucket(10)}": 5, f"r{bucket(20)}": 5})]
    text = render(snapshot(queue('a"\\\nb'), queue("a"), minutes=minutes))
    assert text.endswith("\n")
    declared: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name not in declared
            assert kind in {"gauge", "counter"}
            assert (kind == "counter") == name.endswith("_total")
            declared.add(name)
        elif not line.startswith("# HELP "):
            assert SAMPLE.fullmatch(line), line
            assert re.split(r"[{ ]", line)[0] in declared


def test_counters_and_gauges_come_from_the_store() -> None:
    minutes = [Minute(100, {f"r{bucket(20)}": 5}), Minute(94, {f"w{bucket(9)}": 1})]
    found = samples(render(snapshot(queue("a"), minutes=minutes)))
    assert found['workflows_jobs{queue="a",state="waiting"}'] == 2
    assert found['workflows_jobs_enqueued_total{queue="a"}'] == 3
    assert found['workflows_jobs_finished_total{queue="a",outcome="failed"}'] == 1
    assert found['workflows_jobs_dead_total{queue="a",reason="stalled"}'] == 1
    assert found['workflows_queue_oldest_waiting_seconds{queue="a"}'] == 1.5
    assert found['workflows_workers{queue="a"}'] == 1
    assert found['workflows_worker_slots{state="idle"}'] == 5
    assert found["workflows_schedule_lag_seconds"] == 4
    assert found['workflows_job_run_seconds{queue="a",quantile="0.99"}'] >= 0.02
    assert not any("wait_seconds" in name for name in found)  # too long ago


def test_ten_thousand_queues_are_not_ten_thousand_labels() -> None:
    many = [queue(f"q{n:05}") for n in range(10_000)]
    found = samples(render(snapshot(*many)))
    enqueued = {name: v for name, v in found.items() if "enqueued_total" in name}
    assert len(enqueued) == MAX_QUEUES + 1
    rest = f'workflows_jobs_enqueued_total{{queue="{OTHER}"}}'
    assert enqueued[rest] == 3 * (10_000 - MAX_QUEUES)
