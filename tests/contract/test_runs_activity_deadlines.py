"""Deadlines and heartbeats of activities, and what a lost worker leaves."""

from typing import Any

import pytest

from tests.clock import START, ManualClock
from tests.contract.activity_builders import CLOCKS, overdue, schedule, work
from tests.contract.builders import INTERVAL_MS, LEASE_MS, job
from tests.contract.run_builders import (
    WORK,
    end,
    exchange,
    limits,
    start,
    take_task,
)
from workflows.engine.states import JobState
from workflows.store import (
    Beat,
    Complete,
    Retry,
    SettleStatus,
    Store,
)

OK = SettleStatus.OK


def test_a_pending_activity_is_overdue_after_schedule_to_start(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store, deadlines=CLOCKS)
    clock.advance(9)
    assert overdue(run_store) == []
    clock.advance(1)
    assert overdue(run_store) == [("act", "")]
    assert overdue(run_store) == [("act", "")]  # reading changes nothing


def test_schedule_to_start_counts_from_when_it_became_ready(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store, deadlines=limits(schedule_to_start=10), delay_ms=30)
    clock.advance(39)
    run_store.promote_due()
    assert overdue(run_store) == []
    clock.advance(1)
    assert overdue(run_store) == [("act", "")]


@pytest.mark.parametrize(
    ("deadlines", "after"),
    [
        (limits(start_to_close=20), 20),
        (limits(heartbeat=5), 5),
        (limits(schedule_to_close=30), 25),
        (limits(start_to_close=20, heartbeat=5, schedule_to_close=30), 5),
    ],
    ids=["start-to-close", "heartbeat", "schedule-to-close", "earliest"],
)
def test_an_active_activity_is_overdue_after_the_earliest_of_its_timeouts(
    run_store: Store, clock: ManualClock, deadlines: Any, after: int
) -> None:
    schedule(run_store, deadlines=deadlines)
    clock.advance(5)
    work(run_store)
    clock.advance(after - 1)
    assert overdue(run_store) == []
    clock.advance(1)
    assert overdue(run_store) == [("act", "a")]


def test_a_claim_ends_schedule_to_start(run_store: Store, clock: ManualClock) -> None:
    schedule(run_store, deadlines=limits(schedule_to_start=10))
    work(run_store)
    clock.advance(1000)
    assert overdue(run_store) == []


def test_schedule_to_close_is_never_moved_by_a_retry(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store, deadlines=limits(schedule_to_close=100, schedule_to_start=60))
    clock.advance(10)
    work(run_store)
    clock.advance(40)
    exchange(run_store, Retry(job_id="act", token="a", delay_ms=20))
    assert job(run_store, "act").close_at == START + 100
    clock.advance(49)
    run_store.promote_due()
    assert overdue(run_store) == []
    clock.advance(1)
    assert overdue(run_store) == [("act", "")]


def test_an_activity_that_ended_is_never_overdue(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store, deadlines=CLOCKS)
    work(run_store)
    exchange(run_store, Complete(job_id="act", token="a"))
    clock.advance(1000)
    assert run_store.list_overdue() == []


# -- heartbeats --


def test_a_heartbeat_moves_its_timeout_and_keeps_its_details(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store, deadlines=limits(heartbeat=5, start_to_close=12))
    leased = work(run_store)
    clock.advance(4)
    assert run_store.beat("act", "a", b"1") == Beat(held=True, cancel_requested=False)
    record = job(run_store, "act")
    assert (record.beat_at, record.details) == (START + 4, b"1")
    assert record.lease_until == leased.lease_until
    clock.advance(4)
    assert overdue(run_store) == []
    run_store.beat("act", "a", b"2")
    clock.advance(4)
    assert overdue(run_store) == [("act", "a")]  # by start-to-close


def test_the_heartbeat_of_an_earlier_attempt_moves_nothing(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store, deadlines=limits(heartbeat=5))
    work(run_store)
    clock.advance(4)
    run_store.beat("act", "a", b"1")
    exchange(run_store, Retry(job_id="act", token="a"))
    clock.advance(2)
    leased = work(run_store, "a2")
    assert (leased.details, job(run_store, "act").beat_at) == (b"1", None)
    assert run_store.beat("act", "a", b"late") == Beat(
        held=False, cancel_requested=False
    )
    assert job(run_store, "act").details == b"1"
    clock.advance(4)
    assert overdue(run_store) == []
    clock.advance(1)
    assert overdue(run_store) == [("act", "a2")]


def test_a_heartbeat_for_a_closed_run_is_not_held(run_store: Store) -> None:
    schedule(run_store)
    work(run_store)
    end(run_store)
    assert not run_store.beat("act", "a", b"1").held
    assert job(run_store, "act").details == b""


def test_only_activities_beat(run_store: Store) -> None:
    start(run_store)
    take_task(run_store)
    assert not run_store.beat("wft:r", "t", b"1").held
    assert not run_store.beat("unknown", "t", b"1").held


# -- a lost worker --


def test_a_lost_activity_is_listed_by_each_sweep_until_it_is_settled(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store)
    run_store.sweep(interval_ms=LEASE_MS)
    work(run_store)
    clock.advance(LEASE_MS)
    for _ in range(2):
        (swept,) = run_store.sweep(interval_ms=LEASE_MS)
        assert (swept.job_id, swept.queue, swept.type) == (
            "act",
            WORK,
            "activity/charge",
        )
        assert (swept.outcome, swept.token) == ("lost", "a")
    record = job(run_store, "act")
    assert (record.state, record.stalls) == (JobState.ACTIVE, 0)
    retry = Retry(job_id="act", token="a", failure=b"lost")
    assert exchange(run_store, retry).statuses == (OK,)
    assert run_store.sweep(interval_ms=LEASE_MS) == []
    assert work(run_store, "a2").attempt == 2


def test_after_a_gap_the_lease_of_an_activity_is_extended(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store)
    work(run_store)
    clock.advance(LEASE_MS)
    (swept,) = run_store.sweep(interval_ms=INTERVAL_MS)
    assert (swept.outcome, swept.token) == ("extended", "")
