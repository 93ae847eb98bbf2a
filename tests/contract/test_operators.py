"""What a person does to one job: reschedule, promote, remove, retry from the dead."""

from dataclasses import replace

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import (
    INTERVAL_MS,
    add,
    job,
    new,
    put,
    settle,
    take,
    taken,
    totals,
)
from workflows.engine.states import AMENDABLE, DeadReason, JobState
from workflows.exceptions import ConflictError, InvalidArgumentError, NotFoundError
from workflows.store import (
    MAX_RELEASES,
    Bury,
    Cancel,
    Complete,
    Expire,
    Release,
    Retry,
    Settlement,
    Step,
    Store,
)

DEAD = Bury(job_id="a", token="t", failure=b"f", reason=DeadReason.EXHAUSTED)
ENDS: dict[JobState, Settlement] = {
    JobState.COMPLETED: Complete(job_id="a", token="t"),
    JobState.FAILED: DEAD,
    JobState.CANCELLED: Cancel(job_id="a", token="t"),
    JobState.EXPIRED: Expire(job_id="a", token="t"),
}


def in_state(store: Store, state: JobState) -> None:
    """Bring job `a` into a state."""
    add(store, "a", delay_ms=1000 if state is JobState.DELAYED else 0)
    if state in (JobState.WAITING, JobState.DELAYED):
        return
    take(store, "t")
    if state in ENDS:
        settle(store, ENDS[state])
    assert job(store, "a").state is state


# -- reschedule -------------------------------------------------------------------


def test_a_delayed_job_gets_a_new_due_time(store: Store, clock: ManualClock) -> None:
    add(store, "a", delay_ms=1000)
    assert store.reschedule("a", delay_ms=5000) is JobState.DELAYED
    assert job(store, "a").run_at == START + 5000
    assert store.reschedule("a", run_at=START + 70) is JobState.DELAYED
    assert job(store, "a").run_at == job(store, "a").ready_at == START + 70
    clock.advance(70)
    assert taken(store, "t") == ["a"]
    assert totals(store) == {"enqueued": 1}


def test_a_waiting_job_may_be_put_off(store: Store, clock: ManualClock) -> None:
    add(store, "a")
    assert store.reschedule("a", delay_ms=100) is JobState.DELAYED
    assert taken(store, "t") == []
    clock.advance(100)
    assert taken(store, "u") == ["a"]


def test_a_delayed_job_may_be_due_at_once(store: Store, clock: ManualClock) -> None:
    add(store, "a", delay_ms=1000)
    clock.advance(10)
    assert store.reschedule("a") is JobState.WAITING
    record = job(store, "a")
    assert (record.run_at, record.ready_at) == (None, START + 10)
    clock.advance(5000)
    assert store.promote_due() == (0, None)


def test_a_rescheduled_job_takes_a_new_place(store: Store) -> None:
    add(store, "a", "b")
    assert store.reschedule("a") is JobState.WAITING
    assert taken(store, "t", 2) == ["b", "a"]


@pytest.mark.parametrize(
    "state", [JobState.ACTIVE, *ENDS], ids=lambda state: state.value
)
def test_only_a_pending_job_can_be_rescheduled(store: Store, state: JobState) -> None:
    in_state(store, state)
    before = job(store, "a")
    with pytest.raises(ConflictError):
        store.reschedule("a", delay_ms=5)
    assert job(store, "a") == before


def test_a_delay_and_a_due_time_together_are_refused(store: Store) -> None:
    add(store, "a")
    with pytest.raises(InvalidArgumentError):
        store.reschedule("a", delay_ms=5, run_at=START + 9)
    assert job(store, "a").state is JobState.WAITING


# -- promote ----------------------------------------------------------------------


def test_a_delayed_job_is_promoted_now(store: Store, clock: ManualClock) -> None:
    add(store, "a", delay_ms=1000)
    add(store, "b")
    clock.advance(10)
    store.promote("a")
    record = job(store, "a")
    assert (record.state, record.run_at) == (JobState.WAITING, None)
    assert record.ready_at == START + 10
    assert taken(store, "t", 2) == ["b", "a"]


@pytest.mark.parametrize(
    "state",
    [JobState.WAITING, JobState.ACTIVE, *ENDS],
    ids=lambda state: state.value,
)
def test_only_a_delayed_job_can_be_promoted(store: Store, state: JobState) -> None:
    in_state(store, state)
    before = job(store, "a")
    with pytest.raises(ConflictError):
        store.promote("a")
    assert job(store, "a") == before


# -- promote all ------------------------------------------------------------------


def test_delayed_jobs_are_promoted_first_due_first(
    store: Store, clock: ManualClock
) -> None:
    add(store, "late", delay_ms=3000)
    add(store, "soon", delay_ms=1000, type="bounce")
    add(store, "now")
    add(store, "next", delay_ms=2000)
    clock.advance(10)
    assert store.promote_all("mail", limit=2) == Step(2, more=True)
    assert job(store, "soon").ready_at == job(store, "next").ready_at == START + 10
    assert store.promote_all("mail") == Step(1, more=False)
    assert store.promote_all("mail") == Step(0, more=False)
    order = taken(store, "t", 4, types=("send", "bounce"))
    assert order == ["now", "soon", "next", "late"]
    assert store.fsck() == []


def test_promoting_all_leaves_other_queues_alone(store: Store) -> None:
    add(store, "a", delay_ms=1000, queue="order")
    assert store.promote_all("mail") == Step(0, more=False)
    assert store.promote_all("nothing here") == Step(0, more=False)
    assert job(store, "a").state is JobState.DELAYED


# -- amend ------------------------------------------------------------------------


@pytest.mark.parametrize("state", sorted(AMENDABLE), ids=lambda state: state.value)
def test_a_job_that_waits_or_is_dead_is_amended(store: Store, state: JobState) -> None:
    in_state(store, state)
    before = job(store, "a")
    store.amend("a", payload=b"new", priority=7)
    assert job(store, "a") == replace(before, payload=b"new", priority=7)
    store.amend("a", priority=0.25)
    store.amend("a")
    assert job(store, "a") == replace(before, payload=b"new", priority=0.25)
    assert store.fsck() == []


@pytest.mark.parametrize(
    "state", sorted(frozenset(JobState) - AMENDABLE), ids=lambda state: state.value
)
def test_no_other_job_can_be_amended(store: Store, state: JobState) -> None:
    in_state(store, state)
    before = job(store, "a")
    with pytest.raises(ConflictError):
        store.amend("a", payload=b"new", priority=7)
    assert job(store, "a") == before


def test_an_amended_priority_counts_from_then_on(store: Store) -> None:
    add(store, "a", "b", "c", priority=5)
    add(store, "d", priority=5, delay_ms=1000)
    store.amend("c", priority=1)
    store.amend("a", priority=9)
    store.amend("d", priority=0)
    store.promote("d")
    assert taken(store, "t", 4) == ["d", "c", "b", "a"]


def test_an_amended_job_keeps_its_place(store: Store) -> None:
    add(store, "a", "b", "c")
    store.amend("a", priority=1)
    store.amend("a", priority=0)
    assert taken(store, "t", 3) == ["a", "b", "c"]


def test_a_stalled_job_is_amended_among_its_like(
    store: Store, clock: ManualClock
) -> None:
    store.sweep(interval_ms=INTERVAL_MS)
    add(store, "a")
    take(store, "s", lease_ms=1000)
    clock.advance(1000)
    store.sweep(interval_ms=INTERVAL_MS)
    store.amend("a", priority=3)
    assert (job(store, "a").stalls, job(store, "a").priority) == (1, 3)
    assert store.fsck() == []
    assert taken(store, "t") == ["a"]


@pytest.mark.parametrize("priority", [float("nan"), float("inf")])
def test_a_priority_that_is_none_is_refused(store: Store, priority: float) -> None:
    add(store, "a")
    with pytest.raises(InvalidArgumentError):
        store.amend("a", priority=priority)


# -- remove -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [JobState.WAITING, JobState.DELAYED, *ENDS],
    ids=lambda state: state.value,
)
def test_a_job_that_is_not_active_is_removed_whole(
    store: Store, clock: ManualClock, state: JobState
) -> None:
    in_state(store, state)
    store.remove("a")
    assert store.get_job("a") is None
    assert store.list_jobs("mail", state).jobs == ()
    info = store.get_queue("mail")
    assert info is not None
    assert set(info.counts.values()) == {0}
    assert info.totals["enqueued"] == 1
    clock.advance(100_000)
    assert taken(store, "u", 5) == []
    assert store.fsck() == []


def test_an_active_job_cannot_be_removed(store: Store) -> None:
    in_state(store, JobState.ACTIVE)
    with pytest.raises(ConflictError):
        store.remove("a")
    assert settle(store, Complete(job_id="a", token="t")) == "ok"


def test_a_new_job_may_take_the_id_of_a_removed_one(store: Store) -> None:
    in_state(store, JobState.FAILED)
    store.remove("a")
    put(store, new("a", payload=b"2", priority=4))
    record = job(store, "a")
    assert (record.payload, record.priority, record.attempts) == (b"2", 4, ())
    assert (record.attempts_made, record.failure, record.reason) == (0, b"", None)


def test_an_unknown_job_is_not_found(store: Store) -> None:
    for call in (
        store.reschedule,
        store.promote,
        store.amend,
        store.remove,
        store.retry_dead,
        store.cancel,
    ):
        with pytest.raises(NotFoundError):
            call("none")
    assert store.get_job("none") is None


# -- retry a dead letter ----------------------------------------------------------


def test_a_retried_dead_letter_waits_again_as_the_same_job(
    store: Store, clock: ManualClock
) -> None:
    put(store, new("a", priority=5, payload=b"p", headers=b"h", trace="tr"))
    take(store, "s")
    settle(store, Retry(job_id="a", token="s", failure=b"one"))
    take(store, "t")
    settle(store, DEAD)
    history = job(store, "a").attempts
    clock.advance(100)
    store.retry_dead("a")
    record = job(store, "a")
    assert (record.state, record.priority) == (JobState.WAITING, 5)
    assert (record.payload, record.headers, record.trace) == (b"p", b"h", "tr")
    assert (record.attempts, record.dead_retries) == (history, 1)
    assert len(history) == 2
    assert (record.attempts_made, record.stalls, record.releases) == (0, 0, 0)
    assert (record.reason, record.finished_at) == (None, None)
    assert (record.ready_at, record.created_at) == (START + 100, START)
    assert record.failure == b"f"
    (leased,) = take(store, "u")
    assert (leased.attempt, leased.first_started_at) == (1, START + 100)


def test_stalls_and_releases_start_anew(store: Store, clock: ManualClock) -> None:
    store.sweep(interval_ms=INTERVAL_MS)
    add(store, "a", max_stalls=0)
    for number in range(MAX_RELEASES):
        take(store, f"r{number}")
        settle(store, Release(job_id="a", token=f"r{number}", started=True))
    take(store, "s", lease_ms=1000)
    clock.advance(1000)
    store.sweep(interval_ms=INTERVAL_MS)
    assert job(store, "a").state is JobState.FAILED
    store.retry_dead("a")
    assert (job(store, "a").stalls, job(store, "a").releases) == (0, 0)
    assert taken(store, "t", 0, prefetch=1) == ["a"]
    settle(store, Release(job_id="a", token="t", started=True))
    assert job(store, "a").state is JobState.WAITING


def test_a_retried_dead_letter_goes_behind_its_equals(store: Store) -> None:
    in_state(store, JobState.FAILED)
    add(store, "b")
    store.retry_dead("a")
    assert taken(store, "u", 2) == ["b", "a"]


def test_a_retried_dead_letter_no_longer_expires(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a", expires_ms=100)
    take(store, "t")
    settle(store, DEAD)
    clock.advance(1000)
    store.retry_dead("a")
    assert job(store, "a").expires_at is None
    assert taken(store, "u") == ["a"]


@pytest.mark.parametrize("state", [s for s in JobState if s is not JobState.FAILED])
def test_only_a_dead_letter_can_be_retried(store: Store, state: JobState) -> None:
    in_state(store, state)
    before = job(store, "a")
    with pytest.raises(ConflictError):
        store.retry_dead("a")
    assert job(store, "a") == before


def test_a_dead_letter_is_retried_once_per_death(store: Store) -> None:
    in_state(store, JobState.FAILED)
    store.retry_dead("a")
    with pytest.raises(ConflictError):
        store.retry_dead("a")
    assert job(store, "a").dead_retries == 1
    take(store, "u")
    settle(
        store, Bury(job_id="a", token="u", failure=b"g", reason=DeadReason.EXHAUSTED)
    )
    store.retry_dead("a")
    assert job(store, "a").dead_retries == 2
    assert len(job(store, "a").attempts) == 2
    assert totals(store)["dead:exhausted"] == 2
