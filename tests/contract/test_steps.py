"""Bounded steps over many jobs: retry all, clean, drain, prune."""

from collections.abc import Callable

import pytest

from tests.clock import ManualClock
from tests.contract.builders import add, job, new, put, settle, take, taken, totals
from workflows.engine.states import LIVE, TERMINAL, DeadReason, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import Bury, Cancel, Complete, Step, Store


def bury(store: Store, clock: ManualClock, *ids: str, queue: str = "mail") -> None:
    """Make dead letters of these, a millisecond apart."""
    for job_id in ids:
        add(store, job_id, queue=queue)
        assert taken(store, f"t{job_id}", queues=(queue,)) == [job_id]
        reason = DeadReason.EXHAUSTED
        settle(
            store, Bury(job_id=job_id, token=f"t{job_id}", failure=b"", reason=reason)
        )
        clock.advance(1)


def complete(store: Store, clock: ManualClock, *ids: str) -> None:
    for job_id in ids:
        add(store, job_id)
        take(store, f"t{job_id}")
        settle(store, Complete(job_id=job_id, token=f"t{job_id}"))
        clock.advance(1)


def ids(store: Store, state: JobState, queue: str = "mail") -> list[str]:
    return [one.id for one in store.list_jobs(queue, state, limit=1000).jobs]


# -- retry all --------------------------------------------------------------------


def test_dead_letters_are_retried_oldest_first(
    store: Store, clock: ManualClock
) -> None:
    bury(store, clock, *"cab")
    assert store.retry_dead_all("mail", limit=2) == Step(2, more=True)
    assert ids(store, JobState.FAILED) == ["b"]
    assert store.retry_dead_all("mail", limit=2) == Step(1, more=False)
    assert store.retry_dead_all("mail") == Step(0, more=False)
    assert taken(store, "u", 5) == ["c", "a", "b"]
    assert job(store, "a").dead_retries == 1


def test_a_step_that_just_fits_says_that_nothing_is_left(
    store: Store, clock: ManualClock
) -> None:
    bury(store, clock, *"ab")
    assert store.retry_dead_all("mail", limit=2) == Step(2, more=False)


def test_only_dead_letters_of_the_queue_are_retried(
    store: Store, clock: ManualClock
) -> None:
    bury(store, clock, "a")
    bury(store, clock, "b", queue="other")
    assert store.retry_dead_all("mail") == Step(1, more=False)
    assert ids(store, JobState.FAILED, "other") == ["b"]


# -- clean ------------------------------------------------------------------------


def test_clean_deletes_dead_letters_oldest_first(
    store: Store, clock: ManualClock
) -> None:
    bury(store, clock, *"cab")
    assert store.clean("mail", limit=2) == Step(2, more=True)
    assert ids(store, JobState.FAILED) == ["b"]
    assert (store.get_job("c"), store.get_job("a")) == (None, None)
    assert store.clean("mail") == Step(1, more=False)
    assert store.clean("mail") == Step(0, more=False)
    assert totals(store)["dead:exhausted"] == 3
    assert store.fsck() == []


def test_clean_touches_nothing_but_dead_letters(
    store: Store, clock: ManualClock
) -> None:
    complete(store, clock, "done")
    bury(store, clock, "dead")
    bury(store, clock, "elsewhere", queue="other")
    add(store, "waiting")
    assert store.clean("mail") == Step(1, more=False)
    assert ids(store, JobState.COMPLETED) == ["done"]
    assert ids(store, JobState.WAITING) == ["waiting"]
    assert ids(store, JobState.FAILED, "other") == ["elsewhere"]


def test_dead_letters_of_one_millisecond_are_cleaned_by_id(
    store: Store, clock: ManualClock
) -> None:
    add(store, *"cab")
    take(store, "t", 3)
    reason = DeadReason.MANUAL
    store.exchange(
        [Bury(job_id=one, token="t", failure=b"", reason=reason) for one in "bca"]
    )
    store.clean("mail", limit=1)
    assert ids(store, JobState.FAILED) == ["c", "b"]


# -- drain ------------------------------------------------------------------------


def test_drain_deletes_waiting_jobs_only(store: Store, clock: ManualClock) -> None:
    complete(store, clock, "done")
    add(store, "active")
    take(store, "t")
    put(store, new("w1", type="x"), new("w2", priority=3), new("d", delay_ms=1000))
    add(store, "other", queue="other")
    assert store.drain("mail") == Step(2, more=False)
    assert ids(store, JobState.WAITING) == []
    assert ids(store, JobState.DELAYED) == ["d"]
    assert ids(store, JobState.ACTIVE) == ["active"]
    assert ids(store, JobState.COMPLETED) == ["done"]
    assert ids(store, JobState.WAITING, "other") == ["other"]
    assert store.get_job("w1") is None
    assert store.fsck() == []


def test_drain_may_take_delayed_jobs_too(store: Store) -> None:
    add(store, "w")
    add(store, "d", delay_ms=1000)
    assert store.drain("mail", delayed=True) == Step(2, more=False)
    assert (store.get_job("w"), store.get_job("d")) == (None, None)


def test_drain_is_bounded(store: Store) -> None:
    add(store, *"abc")
    add(store, *"de", delay_ms=1000)
    steps = [store.drain("mail", delayed=True, limit=2) for _ in range(4)]
    assert [step.count for step in steps] == [2, 2, 1, 0]
    assert [step.more for step in steps] == [True, True, False, False]


# -- prune ------------------------------------------------------------------------


def test_prune_keeps_the_newest(store: Store, clock: ManualClock) -> None:
    complete(store, clock, *"abcde")
    step = store.prune("mail", JobState.COMPLETED, age_ms=None, keep=2)
    assert step == Step(3, more=False)
    assert ids(store, JobState.COMPLETED) == ["e", "d"]
    assert totals(store)["completed"] == 5
    assert store.fsck() == []


def test_prune_deletes_what_is_older(store: Store, clock: ManualClock) -> None:
    complete(store, clock, *"abc")  # ended 3, 2 and 1 ms ago
    step = store.prune("mail", JobState.COMPLETED, age_ms=2, keep=None)
    assert step == Step(1, more=False)
    assert ids(store, JobState.COMPLETED) == ["c", "b"]


def test_prune_deletes_what_either_bound_says(store: Store, clock: ManualClock) -> None:
    complete(store, clock, *"abcd")
    store.prune("mail", JobState.COMPLETED, age_ms=3, keep=2)
    assert ids(store, JobState.COMPLETED) == ["d", "c"]
    store.prune("mail", JobState.COMPLETED, age_ms=1, keep=2)
    assert ids(store, JobState.COMPLETED) == ["d"]


def test_prune_without_bounds_keeps_all(store: Store, clock: ManualClock) -> None:
    complete(store, clock, *"ab")
    step = store.prune("mail", JobState.COMPLETED, age_ms=None, keep=None)
    assert step == Step(0, more=False)
    assert len(ids(store, JobState.COMPLETED)) == 2


def test_prune_may_keep_nothing(store: Store, clock: ManualClock) -> None:
    complete(store, clock, *"ab")
    step = store.prune("mail", JobState.COMPLETED, age_ms=None, keep=0)
    assert step == Step(2, more=False)


@pytest.mark.parametrize(
    "bounds", [{"age_ms": 0, "keep": None}, {"age_ms": None, "keep": 1}]
)
def test_prune_is_bounded_and_takes_the_oldest_first(
    store: Store, clock: ManualClock, bounds: dict[str, int | None]
) -> None:
    complete(store, clock, *"abcd")

    def prune(limit: int) -> Step:
        return store.prune("mail", JobState.COMPLETED, limit=limit, **bounds)

    assert prune(2) == Step(2, more=True)
    assert ids(store, JobState.COMPLETED) == ["d", "c"]
    rest = 1 if bounds["keep"] else 2
    assert prune(2) == Step(rest, more=False)


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_every_terminal_state_can_be_pruned(
    store: Store, clock: ManualClock, state: JobState
) -> None:
    bury(store, clock, "dead")
    complete(store, clock, "done")
    add(store, "cancelled", "expired", expires_ms=1)
    store.cancel("cancelled")
    clock.advance(1)
    store.expire_due()
    assert store.prune("mail", state, age_ms=None, keep=0) == Step(1, more=False)
    info = store.get_queue("mail")
    assert info is not None
    assert info.counts[state] == 0
    assert sum(info.counts.values()) == 3


@pytest.mark.parametrize("state", sorted(LIVE))
def test_live_jobs_are_never_pruned(store: Store, state: JobState) -> None:
    add(store, "a")
    with pytest.raises(InvalidArgumentError):
        store.prune("mail", state, age_ms=0, keep=0)
    assert job(store, "a").state is JobState.WAITING


def test_a_queue_is_pruned_alone(store: Store, clock: ManualClock) -> None:
    bury(store, clock, "a")
    bury(store, clock, "b", queue="other")
    store.prune("mail", JobState.FAILED, age_ms=None, keep=0)
    assert ids(store, JobState.FAILED, "other") == ["b"]


def test_a_cancelled_record_may_be_removed_and_its_id_used_again(
    store: Store,
) -> None:
    add(store, "a")
    take(store, "t")
    settle(store, Cancel(job_id="a", token="t"))
    store.prune("mail", JobState.CANCELLED, age_ms=None, keep=0)
    assert add(store, "a")[0].status == "created"


# -- all --------------------------------------------------------------------------

STEPS: dict[str, Callable[[Store, str, int], Step]] = {
    "retry": lambda store, queue, limit: store.retry_dead_all(queue, limit=limit),
    "clean": lambda store, queue, limit: store.clean(queue, limit=limit),
    "drain": lambda store, queue, limit: store.drain(queue, limit=limit),
    "prune": lambda store, queue, limit: store.prune(
        queue, JobState.FAILED, age_ms=0, keep=0, limit=limit
    ),
}
each_step = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)


@each_step
@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_beyond_a_step_is_refused(
    store: Store, step: Callable[[Store, str, int], Step], limit: int
) -> None:
    with pytest.raises(InvalidArgumentError):
        step(store, "mail", limit)


@each_step
def test_a_step_on_an_unknown_queue_finds_nothing(
    store: Store, step: Callable[[Store, str, int], Step]
) -> None:
    assert step(store, "none", 10) == Step(0, more=False)
    assert store.list_queues() == []
