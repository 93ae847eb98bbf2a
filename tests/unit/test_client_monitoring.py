"""The dashboard's decisions, as pure functions of what the store says."""

from collections.abc import Mapping

import pytest

from workflows.client.monitoring import (
    LONG_WAIT_MS,
    WORKER_ALIVE_MS,
    Percentiles,
    build_dashboard,
    percentiles,
    rate,
)
from workflows.engine.histogram import bucket, upper_bound
from workflows.engine.states import JobState
from workflows.store import Minute, QueueInfo, QueueLimits, WorkerInfo

NOW = 100 * 60_000 + 15_000  # a quarter into minute 100


def queue(
    *,
    paused: bool = False,
    oldest: int | None = None,
    totals: Mapping[str, int] | None = None,
    **counts: int,
) -> QueueInfo:
    return QueueInfo(
        name="notes",
        counts={JobState(state): count for state, count in counts.items()},
        totals=totals or {},
        paused=paused,
        paused_by="Ann" if paused else "",
        limits=QueueLimits(),
        overridden=False,
        oldest_waiting_at=oldest,
    )


def worker(seen_at: int = NOW, name: str = "notes") -> WorkerInfo:
    return WorkerInfo(
        owner="w",
        host="h",
        pid=1,
        queues={name: ("t",)},
        slots=1,
        running=0,
        started_at=0,
        version="0",
        seen_at=seen_at,
    )


def status(info: QueueInfo, *workers: WorkerInfo) -> tuple[str, str]:
    (health,) = build_dashboard([info], {"notes": []}, workers, NOW).health
    return health.status, health.why


def test_an_empty_queue_is_healthy_even_without_workers() -> None:
    assert status(queue()) == ("healthy", "")


def test_a_served_queue_with_work_is_healthy() -> None:
    assert status(queue(waiting=5, oldest=NOW - 1000), worker()) == ("healthy", "")


def test_waiting_jobs_without_a_worker_are_critical() -> None:
    found, why = status(queue(waiting=5))
    assert found == "critical"
    assert "pending jobs: 5, and no living worker" in why


def test_delayed_jobs_without_a_worker_are_a_warning() -> None:
    assert status(queue(delayed=5))[0] == "warning"


@pytest.mark.parametrize(
    "lost", [worker(seen_at=NOW - WORKER_ALIVE_MS - 1), worker(name="others")]
)
def test_a_worker_that_is_silent_or_elsewhere_does_not_count(lost: WorkerInfo) -> None:
    assert status(queue(waiting=1), lost)[0] == "critical"


def test_a_worker_counts_as_alive_for_three_heartbeats() -> None:
    assert status(queue(waiting=1), worker(NOW - WORKER_ALIVE_MS))[0] == "healthy"


def test_a_paused_queue_says_who_paused_it() -> None:
    old = NOW - LONG_WAIT_MS - 1
    assert status(queue(paused=True, waiting=1, oldest=old), worker()) == (
        "paused",
        "paused by Ann",
    )


def test_a_long_wait_is_a_warning_with_its_age() -> None:
    found = status(queue(waiting=1, oldest=NOW - LONG_WAIT_MS - 1), worker())
    assert found == ("warning", "the oldest waiting job waits for 300 s")


def test_dead_letters_are_a_warning() -> None:
    assert status(queue(failed=3), worker()) == ("warning", "dead letters: 3")


def test_alerts_carry_their_numbers() -> None:
    stalls = [Minute(99, {"stalled": 2}), Minute(100, {"stalled": 1})]
    found = build_dashboard([queue(failed=3)], {"notes": stalls}, [], NOW).alerts
    assert {(one.code, one.value) for one in found} == {
        ("dead_letters", 3),
        ("stalled", 3),
    }


def test_statistics_add_up_what_counts_since_ever() -> None:
    found = build_dashboard(
        [queue(totals={"completed": 4}), queue(totals={"completed": 3, "enqueued": 9})],
        {"notes": []},
        [worker(), worker(0)],
        NOW,
    ).statistics
    assert found.totals == {"completed": 7, "enqueued": 9}
    assert (found.queues, found.workers) == (2, 1)


def test_a_rate_weighs_the_minute_at_the_edge() -> None:
    minutes = [
        Minute(98, {"completed": 1000}),
        Minute(99, {"completed": 40}),
        Minute(100, {"completed": 10}),
    ]
    assert rate(minutes, 1, NOW) == 10 + 40 * 0.75
    assert rate([], 5, NOW) == 0


def test_percentiles_come_from_their_own_buckets() -> None:
    counts = {
        f"w{bucket(10)}": 90,
        f"w{bucket(1000)}": 10,
        f"r{bucket(5)}": 1,
        "retried": 7,
    }
    wait = percentiles(counts, "w")
    assert wait == Percentiles(
        upper_bound(bucket(10)), upper_bound(bucket(1000)), upper_bound(bucket(1000))
    )
    assert percentiles(counts, "r").p50 == upper_bound(bucket(5))
    assert percentiles({}, "w") == Percentiles(None, None, None)
