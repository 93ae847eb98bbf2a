"""Cancelling: pending jobs at once, running ones when they hear of it."""

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import (
    INTERVAL_MS,
    ME,
    add,
    job,
    minutes,
    settle,
    take,
    taken,
    totals,
)
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import ConflictError, NotFoundError
from workflows.store import (
    Bury,
    Cancel,
    Complete,
    Expire,
    QueueLimits,
    Release,
    Retry,
    Settlement,
    Store,
)


@pytest.mark.parametrize("delay_ms", [0, 1000])
def test_a_pending_job_is_cancelled_at_once(store: Store, delay_ms: int) -> None:
    add(store, "a", delay_ms=delay_ms)
    assert store.cancel("a") == "cancelled"
    record = job(store, "a")
    assert (record.state, record.finished_at) == (JobState.CANCELLED, START)
    assert (record.run_at, record.attempts) == (None, ())
    assert totals(store) == {"enqueued": 1, "cancelled": 1}
    assert minutes(store) == {"enqueued": 1, "cancelled": 1}
    assert taken(store, "t") == []
    assert store.fsck() == []


def test_a_cancel_may_be_repeated(store: Store) -> None:
    add(store, "a")
    assert [store.cancel("a") for _ in range(3)] == ["cancelled"] * 3
    assert totals(store)["cancelled"] == 1


def test_a_running_job_is_asked_at_its_next_renewal(store: Store) -> None:
    add(store, "a", "b")
    take(store, "t", 2)
    assert store.cancel("a") == "requested"
    assert store.cancel("a") == "requested"
    assert job(store, "a").cancel_requested
    assert job(store, "a").state is JobState.ACTIVE
    answer = store.renew(ME, [("a", "t"), ("b", "t")], lease_ms=1000)
    assert (answer.lost, answer.cancel_requested) == ((), ("a",))
    assert store.renew(ME, [("a", "t")], lease_ms=1000).cancel_requested == ("a",)
    assert settle(store, Cancel(job_id="a", token="t")) == "ok"
    assert store.cancel("a") == "cancelled"
    assert not job(store, "a").cancel_requested


def test_a_job_that_finishes_before_it_hears_of_it_is_completed(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    store.cancel("a")
    assert settle(store, Complete(job_id="a", token="t", result=b"1")) == "ok"
    record = job(store, "a")
    assert (record.state, record.cancel_requested) == (JobState.COMPLETED, False)
    with pytest.raises(ConflictError):
        store.cancel("a")


def test_a_job_that_dies_before_it_hears_of_it_is_dead(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    store.cancel("a")
    settle(
        store, Bury(job_id="a", token="t", failure=b"f", reason=DeadReason.EXHAUSTED)
    )
    assert job(store, "a").state is JobState.FAILED


@pytest.mark.parametrize(
    "end",
    [
        Retry(job_id="a", token="t", failure=b"f"),
        Retry(job_id="a", token="t", failure=b"f", delay_ms=1000),
        Retry(job_id="a", token="t", failure=b"f", spend=False),
        Release(job_id="a", token="t", started=True),
        Release(job_id="a", token="t", started=False),
    ],
    ids=str,
)
def test_a_job_that_somebody_cancelled_does_not_run_again(
    store: Store, end: Settlement
) -> None:
    add(store, "a", dedup_id="d")
    take(store, "t")
    store.cancel("a")
    answer = store.exchange([end])
    assert answer.states == (JobState.CANCELLED,)
    record = job(store, "a")
    assert (record.state, record.cancel_requested) == (JobState.CANCELLED, False)
    assert (record.attempts_made, record.releases) == (0, 0)
    assert [one.outcome for one in record.attempts] == ["cancelled"]
    assert totals(store) == {"enqueued": 1, "cancelled": 1}
    assert add(store, "b", dedup_id="d")[0].status == "created"
    assert settle(store, end) == "already"
    assert store.fsck() == []


def test_the_failure_of_a_cancelled_run_is_kept(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    store.cancel("a")
    settle(store, Retry(job_id="a", token="t", failure=b"boom"))
    assert job(store, "a").failure == b"boom"
    assert job(store, "a").attempts[0].failure == b"boom"


def test_a_timed_out_run_that_was_cancelled_still_lingers(store: Store) -> None:
    store.declare_queue("mail", QueueLimits(concurrency=1))
    add(store, "a", "b")
    take(store, "t")
    store.cancel("a")
    settle(store, Retry(job_id="a", token="t", linger=True))
    assert job(store, "a").state is JobState.CANCELLED
    assert taken(store, "u") == []


def test_an_unstarted_job_that_was_cancelled_gives_its_rate_slot_back(
    store: Store,
) -> None:
    store.declare_queue("mail", QueueLimits(rate_max=1, rate_ms=1000))
    add(store, "a", "b")
    take(store, "t")
    store.cancel("a")
    settle(store, Release(job_id="a", token="t", started=False))
    assert taken(store, "u") == ["b"]


def test_a_cancelled_job_whose_worker_died_is_cancelled_by_the_sweep(
    store: Store, clock: ManualClock
) -> None:
    store.sweep(interval_ms=INTERVAL_MS)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    store.cancel("a")
    clock.advance(1000)
    swept = store.sweep(interval_ms=INTERVAL_MS)
    assert [(one.job_id, one.outcome) for one in swept] == [("a", "cancelled")]
    record = job(store, "a")
    assert (record.state, record.stalls) == (JobState.CANCELLED, 0)
    assert [one.outcome for one in record.attempts] == ["cancelled"]
    assert totals(store) == {"enqueued": 1, "cancelled": 1}


def test_a_gap_extends_a_cancelled_job_like_any_other(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a")
    take(store, "t", lease_ms=1000)
    store.cancel("a")
    clock.advance(1000)
    swept = store.sweep(interval_ms=INTERVAL_MS)
    assert [one.outcome for one in swept] == ["extended"]
    assert job(store, "a").cancel_requested


@pytest.mark.parametrize(
    "end",
    [
        Complete(job_id="a", token="t"),
        Bury(job_id="a", token="t", failure=b"", reason=DeadReason.MANUAL),
        Expire(job_id="a", token="t"),
    ],
    ids=["completed", "failed", "expired"],
)
def test_a_job_that_ended_otherwise_cannot_be_cancelled(
    store: Store, end: Settlement
) -> None:
    add(store, "a")
    take(store, "t")
    settle(store, end)
    before = job(store, "a")
    with pytest.raises(ConflictError):
        store.cancel("a")
    assert job(store, "a") == before


def test_an_unknown_job_cannot_be_cancelled(store: Store) -> None:
    with pytest.raises(NotFoundError):
        store.cancel("none")


def test_a_cancel_asked_of_one_run_does_not_reach_the_next(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    store.cancel("a")
    settle(store, Bury(job_id="a", token="t", failure=b"", reason=DeadReason.MANUAL))
    store.retry_dead("a")
    take(store, "u")
    assert store.renew(ME, [("a", "u")], lease_ms=1000).cancel_requested == ()
