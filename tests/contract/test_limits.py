"""Pause, concurrency and rate of a queue."""

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import (
    INTERVAL_MS,
    add,
    claim,
    job,
    settle,
    take,
    taken,
)
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import InvalidArgumentError, NotFoundError
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

ONE = QueueLimits(concurrency=1)
NONE = QueueLimits()


# -- pause ------------------------------------------------------------------------


def test_a_paused_queue_grants_nothing_until_it_is_resumed(store: Store) -> None:
    add(store, "a")
    store.pause("mail", by="Ann")
    assert taken(store, "t") == []
    info = store.get_queue("mail")
    assert info is not None
    assert (info.paused, info.paused_by) == (True, "Ann")
    store.resume("mail")
    assert taken(store, "u") == ["a"]
    info = store.get_queue("mail")
    assert info is not None
    assert (info.paused, info.paused_by) == (False, "")


def test_a_pause_does_not_touch_what_runs(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    store.pause("mail")
    assert store.renew("me", [("a", "t")], lease_ms=1000).lost == ()
    assert settle(store, Complete(job_id="a", token="t")) == "ok"


def test_a_pause_does_not_touch_other_queues(store: Store) -> None:
    add(store, "a")
    add(store, "b", queue="other")
    store.pause("mail")
    assert taken(store, "t", 5, queues=("mail", "other")) == ["b"]


def test_a_paused_queue_accepts_and_promotes(store: Store, clock: ManualClock) -> None:
    store.declare_queue("mail", NONE)
    store.pause("mail")
    add(store, "a", delay_ms=100)
    clock.advance(100)
    assert taken(store, "t") == []
    assert job(store, "a").state is JobState.WAITING


def test_pause_and_resume_may_be_repeated(store: Store) -> None:
    store.declare_queue("mail", NONE)
    store.resume("mail")
    store.pause("mail", by="Ann")
    store.pause("mail", by="Bob")
    info = store.get_queue("mail")
    assert info is not None
    assert info.paused_by == "Bob"


def test_an_unknown_queue_cannot_be_paused_resumed_or_limited(store: Store) -> None:
    with pytest.raises(NotFoundError):
        store.pause("none")
    with pytest.raises(NotFoundError):
        store.resume("none")
    for limits in (ONE, None):
        with pytest.raises(NotFoundError):
            store.set_limits("none", limits)
    assert store.list_queues() == []


# -- concurrency ------------------------------------------------------------------


def test_no_more_jobs_are_active_than_the_concurrency(store: Store) -> None:
    store.declare_queue("mail", QueueLimits(concurrency=2))
    add(store, *"abcd")
    assert taken(store, "t", 5) == ["a", "b"]
    assert taken(store, "u", 5) == []


def test_prefetched_jobs_count_against_the_concurrency(store: Store) -> None:
    store.declare_queue("mail", QueueLimits(concurrency=2))
    add(store, *"abcd")
    assert taken(store, "t", 1, prefetch=3) == ["a", "b"]


@pytest.mark.parametrize(
    "end",
    [
        Complete(job_id="a", token="t"),
        Complete(job_id="a", token="t", remove=True),
        Retry(job_id="a", token="t", delay_ms=1000),
        Bury(job_id="a", token="t", failure=b"", reason=DeadReason.MANUAL),
        Release(job_id="a", token="t", started=True),
        Release(job_id="a", token="t", started=False),
        Cancel(job_id="a", token="t"),
        Expire(job_id="a", token="t"),
    ],
    ids=str,
)
def test_the_end_of_a_lease_frees_its_place(store: Store, end: Settlement) -> None:
    store.declare_queue("mail", ONE)
    add(store, "a", "b")
    take(store, "t", 2)
    settle(store, end)
    assert len(taken(store, "u", 5)) == 1


def test_a_sweep_frees_the_place(store: Store, clock: ManualClock) -> None:
    store.declare_queue("mail", ONE)
    store.sweep(interval_ms=INTERVAL_MS)
    add(store, "a", "b")
    take(store, "t", 1, lease_ms=1000)
    clock.advance(1000)
    assert taken(store, "u", 5) == []
    store.sweep(interval_ms=INTERVAL_MS)
    assert taken(store, "v", 5) == ["a"]


def test_a_claim_of_many_queues_minds_each_concurrency(store: Store) -> None:
    store.declare_queue("mail", ONE)
    add(store, "a", "b")
    add(store, "c", "d", queue="other")
    assert taken(store, "t", 5, queues=("mail", "other")) == ["a", "c", "d"]


def test_a_lower_concurrency_does_not_touch_what_runs(store: Store) -> None:
    add(store, *"abcd")
    take(store, "t", 3)
    store.set_limits("mail", ONE)
    assert taken(store, "u") == []
    settle(store, Complete(job_id="a", token="t"))
    settle(store, Complete(job_id="b", token="t"))
    assert taken(store, "v") == []
    settle(store, Complete(job_id="c", token="t"))
    assert taken(store, "w") == ["d"]


# -- rate -------------------------------------------------------------------------


def test_a_window_grants_no_more_than_its_maximum(
    store: Store, clock: ManualClock
) -> None:
    store.declare_queue("mail", QueueLimits(rate_max=2, rate_ms=1000))
    add(store, *"abcde")
    assert taken(store, "t", 5) == ["a", "b"]
    clock.advance(999)
    assert taken(store, "u", 5) == []
    clock.advance(1)
    assert taken(store, "v", 5) == ["c", "d"]


def test_a_window_begins_with_its_first_claim(store: Store, clock: ManualClock) -> None:
    store.declare_queue("mail", QueueLimits(rate_max=2, rate_ms=1000))
    add(store, *"abcde")
    clock.advance(5_500)
    assert taken(store, "t", 1) == ["a"]
    clock.advance(900)
    assert taken(store, "u", 5) == ["b"]
    clock.advance(100)
    assert taken(store, "v", 5) == ["c", "d"]


def test_a_full_window_says_when_to_look_again(
    store: Store, clock: ManualClock
) -> None:
    store.declare_queue("mail", QueueLimits(rate_max=1, rate_ms=1000))
    add(store, "a", "b")
    take(store, "t")
    clock.advance(400)
    answer = store.exchange(claim=claim("u"))
    assert answer.next_in_ms is not None
    assert 0 < answer.next_in_ms <= 600


def test_a_claim_that_fills_the_window_says_when_to_look_again(
    store: Store, clock: ManualClock
) -> None:
    store.declare_queue("mail", QueueLimits(rate_max=1, rate_ms=1000))
    add(store, "a", "b")
    answer = store.exchange(claim=claim("t", 2))
    assert [leased.id for leased in answer.jobs] == ["a"]
    assert answer.next_in_ms is not None
    assert 0 < answer.next_in_ms <= 1000


def test_a_retry_takes_a_slot_of_the_rate(store: Store) -> None:
    store.declare_queue("mail", QueueLimits(rate_max=2, rate_ms=1000))
    add(store, "a", "b")
    take(store, "t", 1)
    settle(store, Retry(job_id="a", token="t"))
    assert taken(store, "u", 5) == ["b"]


def test_an_unstarted_release_gives_its_slot_back(store: Store) -> None:
    store.declare_queue("mail", QueueLimits(rate_max=2, rate_ms=1000))
    add(store, "a", "b")
    take(store, "t", 1, prefetch=1)
    settle(store, Release(job_id="b", token="t", started=False))
    assert taken(store, "u", 5) == ["b"]
    settle(store, Release(job_id="b", token="u", started=False))
    settle(store, Release(job_id="b", token="u", started=False))
    assert taken(store, "v", 5) == ["b"]
    assert taken(store, "w", 5) == []


def test_a_started_release_does_not_give_its_slot_back(store: Store) -> None:
    store.declare_queue("mail", QueueLimits(rate_max=1, rate_ms=1000))
    add(store, "a")
    take(store, "t")
    settle(store, Release(job_id="a", token="t", started=True))
    assert taken(store, "u") == []


def test_a_slot_of_an_old_window_is_not_given_back_to_a_new_one(
    store: Store, clock: ManualClock
) -> None:
    store.declare_queue("mail", QueueLimits(rate_max=1, rate_ms=1000))
    add(store, "a", "b", "c")
    take(store, "t")
    clock.advance(1000)
    assert taken(store, "u") == ["b"]
    settle(store, Release(job_id="a", token="t", started=False))
    assert taken(store, "v") == []


def test_a_release_after_the_window_leaves_the_next_one_whole(
    store: Store, clock: ManualClock
) -> None:
    store.declare_queue("mail", QueueLimits(rate_max=1, rate_ms=1000))
    add(store, "a", "b")
    take(store, "t")
    clock.advance(1000)
    settle(store, Release(job_id="a", token="t", started=False))
    assert taken(store, "u", 5) == ["a"]
    assert taken(store, "v", 5) == []


def test_rate_and_concurrency_hold_together(store: Store, clock: ManualClock) -> None:
    store.declare_queue("mail", QueueLimits(concurrency=2, rate_max=3, rate_ms=1000))
    add(store, *"abcdef")
    assert taken(store, "t", 5) == ["a", "b"]
    settle(store, Complete(job_id="a", token="t"))
    assert taken(store, "u", 5) == ["c"]
    settle(store, Complete(job_id="b", token="t"))
    assert taken(store, "v", 5) == []
    clock.advance(1000)
    assert taken(store, "w", 5) == ["d"]


def test_ten_thousand_ms_of_claims_never_exceed_the_rate(
    store: Store, clock: ManualClock
) -> None:
    store.declare_queue("mail", QueueLimits(rate_max=3, rate_ms=250))
    add(store, *(f"{n:03}" for n in range(200)))
    starts: list[int] = []
    for step in range(200):
        clock.advance(50)
        starts += [clock.now - START] * len(taken(store, f"t{step}", 2))
    windows: list[list[int]] = []
    for start in starts:
        if not windows or start >= windows[-1][0] + 250:
            windows.append([])
        windows[-1].append(start)
    assert [len(window) for window in windows[:-1]] == [3] * (len(windows) - 1)
    assert len(starts) >= 110


# -- settings ---------------------------------------------------------------------


def test_declared_limits_hold_until_an_operator_overrides_them(store: Store) -> None:
    store.declare_queue("mail", ONE)
    store.set_limits("mail", QueueLimits(concurrency=5))
    info = store.get_queue("mail")
    assert info is not None
    assert (info.limits, info.overridden) == (QueueLimits(concurrency=5), True)
    store.declare_queue("mail", QueueLimits(concurrency=2))
    info = store.get_queue("mail")
    assert info is not None
    assert info.limits == QueueLimits(concurrency=5)
    store.set_limits("mail", None)
    info = store.get_queue("mail")
    assert info is not None
    assert (info.limits, info.overridden) == (QueueLimits(concurrency=2), False)


def test_an_override_may_lift_all_limits(store: Store) -> None:
    store.declare_queue("mail", ONE)
    add(store, "a", "b")
    store.set_limits("mail", NONE)
    info = store.get_queue("mail")
    assert info is not None
    assert (info.limits, info.overridden) == (NONE, True)
    assert taken(store, "t", 5) == ["a", "b"]


@pytest.mark.parametrize(
    "limits",
    [
        QueueLimits(concurrency=0),
        QueueLimits(concurrency=-1),
        QueueLimits(rate_max=5),
        QueueLimits(rate_ms=5),
        QueueLimits(rate_max=0, rate_ms=5),
        QueueLimits(rate_max=1, rate_ms=0),
    ],
    ids=str,
)
def test_limits_that_mean_nothing_are_refused(
    store: Store, limits: QueueLimits
) -> None:
    with pytest.raises(InvalidArgumentError):
        store.declare_queue("mail", limits)
    assert store.get_queue("mail") is None
    store.declare_queue("mail", ONE)
    with pytest.raises(InvalidArgumentError):
        store.set_limits("mail", limits)
    info = store.get_queue("mail")
    assert info is not None
    assert (info.limits, info.overridden) == (ONE, False)


def test_declaring_a_queue_makes_it_known_and_keeps_its_pause(store: Store) -> None:
    store.declare_queue("mail", NONE)
    store.pause("mail")
    store.declare_queue("mail", ONE)
    info = store.get_queue("mail")
    assert info is not None
    assert info.paused
    assert info.limits == ONE
    assert info.totals.get("enqueued", 0) == 0
