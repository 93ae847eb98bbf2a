"""Living processes, and jobs that none of them knows."""

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import (
    INTERVAL_MS,
    ME,
    add,
    job,
    minutes,
    new,
    put,
    taken,
    totals,
    worker,
)
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import Store

GRACE_MS = 60_000


def test_a_worker_is_listed_as_it_last_said(store: Store, clock: ManualClock) -> None:
    store.heartbeat(worker(running=1))
    clock.advance(10)
    said = worker(
        running=3,
        queues={"mail": ("send", "bounce"), "other": ()},
        schedules=("daily", "hourly"),
        version="1.2",
    )
    store.heartbeat(said)
    (listed,) = store.list_workers()
    assert listed.seen_at == START + 10
    assert listed.owner == ME
    assert (listed.host, listed.pid, listed.slots) == ("host", 1, 4)
    assert (listed.running, listed.version) == (3, "1.2")
    assert {q: tuple(t) for q, t in listed.queues.items()} == said.queues
    assert tuple(listed.schedules) == ("daily", "hourly")


def test_workers_are_listed_by_owner_and_for_a_day(
    store: Store, clock: ManualClock
) -> None:
    for owner in ("b", "a", "c"):
        store.heartbeat(worker(owner))
    assert [one.owner for one in store.list_workers()] == ["a", "b", "c"]
    clock.advance(86_400_000 - 1)
    store.heartbeat(worker("b"))
    clock.advance(2)
    assert [one.owner for one in store.list_workers()] == ["b"]


def test_a_retired_worker_is_forgotten(store: Store) -> None:
    store.heartbeat(worker("a"))
    store.heartbeat(worker("b"))
    store.retire_worker("a")
    store.retire_worker("a")
    store.retire_worker("none")
    assert [one.owner for one in store.list_workers()] == ["b"]


# -- unknown types ----------------------------------------------------------------


def tick(store: Store, clock: ManualClock, ms: int, *alive: str) -> list[str]:
    """Let `ms` pass with a run every interval, while these owners live."""
    buried: list[str] = []
    for _ in range(ms // INTERVAL_MS):
        clock.advance(INTERVAL_MS)
        for owner in alive:
            store.heartbeat(worker(owner))
        buried += store.bury_unknown(grace_ms=GRACE_MS, interval_ms=INTERVAL_MS)
    return buried


def start(store: Store) -> None:
    assert store.bury_unknown(grace_ms=GRACE_MS, interval_ms=INTERVAL_MS) == []


def test_a_type_that_no_worker_knows_for_minutes_is_buried(
    store: Store, clock: ManualClock
) -> None:
    put(store, new("a", type="gone"), new("b"))
    start(store)
    assert tick(store, clock, GRACE_MS - INTERVAL_MS, ME) == []
    assert tick(store, clock, INTERVAL_MS, ME) == ["a"]
    record = job(store, "a")
    assert (record.state, record.reason) == (JobState.FAILED, DeadReason.UNKNOWN_TYPE)
    assert (record.attempts_made, record.attempts) == (0, ())
    assert record.finished_at == clock.now
    assert totals(store)["dead:unknown_type"] == 1
    assert minutes(store)["dead"] == 1
    assert job(store, "b").state is JobState.WAITING
    assert store.fsck() == []


def test_a_known_type_is_never_buried(store: Store, clock: ManualClock) -> None:
    add(store, "a")
    start(store)
    assert tick(store, clock, 5 * GRACE_MS, ME) == []
    assert job(store, "a").state is JobState.WAITING


def test_a_type_known_in_another_queue_only_is_unknown(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a", queue="other")
    start(store)
    assert tick(store, clock, GRACE_MS, ME) == ["a"]


def test_a_worker_that_is_seen_in_between_starts_the_time_anew(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a")
    start(store)
    assert tick(store, clock, GRACE_MS - INTERVAL_MS) == []
    store.heartbeat(worker())
    assert tick(store, clock, INTERVAL_MS) == []
    store.retire_worker(ME)
    assert tick(store, clock, GRACE_MS) == []
    assert tick(store, clock, INTERVAL_MS) == ["a"]


def test_a_worker_lives_for_three_intervals_after_its_last_heartbeat(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a")
    store.heartbeat(worker())
    start(store)
    assert tick(store, clock, 3 * INTERVAL_MS + GRACE_MS) == []
    assert tick(store, clock, INTERVAL_MS) == ["a"]


def test_an_outage_of_all_workers_buries_nothing(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a")
    start(store)
    clock.advance(86_400_000)
    assert store.bury_unknown(grace_ms=GRACE_MS, interval_ms=INTERVAL_MS) == []
    assert tick(store, clock, GRACE_MS - INTERVAL_MS) == []
    assert tick(store, clock, INTERVAL_MS) == ["a"]


def test_two_intervals_between_runs_still_count(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a")
    start(store)
    buried: list[str] = []
    for _ in range(GRACE_MS // (2 * INTERVAL_MS)):
        clock.advance(2 * INTERVAL_MS)
        buried += store.bury_unknown(grace_ms=GRACE_MS, interval_ms=INTERVAL_MS)
    assert buried == ["a"]


def test_only_waiting_jobs_are_buried(store: Store, clock: ManualClock) -> None:
    put(store, new("a", delay_ms=86_400_000), new("b"))
    assert taken(store, "t", lease_ms=86_400_000) == ["b"]
    start(store)
    assert tick(store, clock, 2 * GRACE_MS) == []


def test_the_time_of_a_type_without_waiting_jobs_does_not_run(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a")
    start(store)
    tick(store, clock, GRACE_MS - INTERVAL_MS)
    store.remove("a")
    tick(store, clock, INTERVAL_MS)
    add(store, "b")
    assert tick(store, clock, GRACE_MS) == []
    assert tick(store, clock, INTERVAL_MS) == ["b"]


def test_burying_is_bounded(store: Store, clock: ManualClock) -> None:
    add(store, *"abc")
    start(store)
    tick(store, clock, GRACE_MS - INTERVAL_MS)
    clock.advance(INTERVAL_MS)
    runs = [
        store.bury_unknown(grace_ms=GRACE_MS, interval_ms=INTERVAL_MS, limit=2)
        for _ in range(3)
    ]
    assert sorted(runs[0] + runs[1]) == ["a", "b", "c"]
    assert [len(run) for run in runs] == [2, 1, 0]


def test_a_paused_queue_is_no_excuse(store: Store, clock: ManualClock) -> None:
    add(store, "a")
    store.pause("mail")
    start(store)
    assert tick(store, clock, GRACE_MS) == ["a"]


def test_burying_frees_the_dedup_id(store: Store, clock: ManualClock) -> None:
    add(store, "a", dedup_id="d")
    start(store)
    tick(store, clock, GRACE_MS)
    assert add(store, "b", dedup_id="d")[0].status == "created"


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_limit_beyond_a_step_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(InvalidArgumentError):
        store.bury_unknown(grace_ms=1, interval_ms=1, limit=limit)
