"""Due times and expiry."""

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import add, job, minutes, settle, take, taken, totals
from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import Retry, Store

# -- promotion --------------------------------------------------------------------


def test_due_jobs_become_waiting_in_order_of_their_due_time(
    store: Store, clock: ManualClock
) -> None:
    add(store, "c", delay_ms=300)
    add(store, "a", delay_ms=100)
    add(store, "b1", "b2", delay_ms=200)
    clock.advance(250)
    assert store.promote_due() == (3, 50)
    assert taken(store, "t", 5) == ["a", "b1", "b2"]


def test_a_promoted_job_waits_since_its_due_time(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a", delay_ms=100)
    clock.advance(700)
    store.promote_due()
    record = job(store, "a")
    assert (record.state, record.run_at) == (JobState.WAITING, None)
    assert record.ready_at == START + 100


def test_nothing_is_promoted_early(store: Store, clock: ManualClock) -> None:
    add(store, "a", delay_ms=100)
    clock.advance(99)
    assert store.promote_due() == (0, 1)
    assert job(store, "a").state is JobState.DELAYED


def test_without_delayed_jobs_nothing_is_next(store: Store) -> None:
    assert store.promote_due() == (0, None)
    add(store, "a")
    assert store.promote_due() == (0, None)


def test_a_promotion_is_bounded_and_says_that_more_is_due(
    store: Store, clock: ManualClock
) -> None:
    add(store, *"abcde", delay_ms=100)
    clock.advance(150)
    assert store.promote_due(limit=2) == (2, 0)
    assert store.promote_due(limit=2) == (2, 0)
    assert store.promote_due(limit=2) == (1, None)
    assert taken(store, "t", 5) == [*"abcde"]


def test_all_queues_are_promoted(store: Store, clock: ManualClock) -> None:
    add(store, "a", delay_ms=100)
    add(store, "b", queue="other", delay_ms=100)
    clock.advance(100)
    assert store.promote_due() == (2, None)


def test_a_promoted_job_keeps_its_priority(store: Store, clock: ManualClock) -> None:
    add(store, "low", delay_ms=100, priority=5)
    add(store, "mid", priority=3)
    add(store, "top", delay_ms=100, priority=1)
    clock.advance(100)
    assert taken(store, "t", 3) == ["top", "mid", "low"]


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_limits_beyond_a_step_are_refused(store: Store, limit: int) -> None:
    for call in (store.promote_due, store.expire_due):
        with pytest.raises(InvalidArgumentError):
            call(limit=limit)


# -- expiry -----------------------------------------------------------------------


def test_a_waiting_job_expires(store: Store, clock: ManualClock) -> None:
    add(store, "a", expires_ms=100)
    clock.advance(99)
    assert store.expire_due() == 0
    clock.advance(1)
    assert store.expire_due() == 1
    record = job(store, "a")
    assert (record.state, record.finished_at) == (JobState.EXPIRED, START + 100)
    assert totals(store) == {"enqueued": 1, "expired": 1}
    assert minutes(store) == {"enqueued": 1, "expired": 1}
    assert store.expire_due() == 0
    assert store.fsck() == []


def test_a_delayed_job_expires(store: Store, clock: ManualClock) -> None:
    add(store, "a", delay_ms=500, expires_ms=100)
    clock.advance(100)
    assert store.expire_due() == 1
    record = job(store, "a")
    assert (record.state, record.run_at) == (JobState.EXPIRED, None)
    clock.advance(1000)
    assert store.promote_due() == (0, None)


def test_an_active_job_does_not_expire(store: Store, clock: ManualClock) -> None:
    add(store, "a", expires_ms=100)
    take(store, "t")
    clock.advance(1000)
    assert store.expire_due() == 0
    assert job(store, "a").state is JobState.ACTIVE


def test_a_retry_that_waits_beyond_its_expiry_expires(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a", expires_ms=100)
    take(store, "t")
    settle(store, Retry(job_id="a", token="t", delay_ms=200))
    clock.advance(100)
    assert store.expire_due() == 1


def test_a_job_that_is_late_at_once_expires(store: Store) -> None:
    add(store, "a", expires_ms=0)
    assert taken(store, "t") == []
    assert job(store, "a").state is JobState.EXPIRED


def test_expiry_is_bounded(store: Store, clock: ManualClock) -> None:
    add(store, *"abc", expires_ms=100)
    clock.advance(100)
    assert [store.expire_due(limit=2) for _ in range(3)] == [2, 1, 0]


def test_a_job_that_expired_is_never_granted_however_many_expired_with_it(
    store: Store, clock: ManualClock
) -> None:
    for part in range(2):
        add(store, *(f"old-{part}-{n}" for n in range(900)), expires_ms=10)
    add(store, "young")
    clock.advance(10)
    seen = [*taken(store, "t1", 2), *taken(store, "t2", 2)]
    assert seen == ["young"]
    store.expire_due()
    assert totals(store)["expired"] == 1800
