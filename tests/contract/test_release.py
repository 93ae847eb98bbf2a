"""Giving jobs back, and functions that outlive their lease."""

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
from workflows.store import (
    MAX_RELEASES,
    Bury,
    Complete,
    QueueLimits,
    Release,
    Retry,
    Return,
    Settlement,
    Store,
)


def release(token: str, *, started: bool, job_id: str = "a") -> Release:
    return Release(job_id=job_id, token=token, started=started)


def test_a_buffered_job_is_given_back_without_a_trace(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a")
    clock.advance(10)
    take(store, "t")
    clock.advance(10)
    answer = store.exchange([release("t", started=False)])
    assert answer.states == (JobState.WAITING,)
    record = job(store, "a")
    assert (record.state, record.lease_until) == (JobState.WAITING, None)
    assert (record.attempts_made, record.releases, record.stalls) == (0, 0, 0)
    assert (record.attempts, record.ready_at) == ((), START)
    assert totals(store) == {"enqueued": 1}


def test_a_started_job_is_given_back_without_an_attempt(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a")
    take(store, "t")
    clock.advance(10)
    settle(store, release("t", started=True))
    record = job(store, "a")
    assert (record.state, record.ready_at) == (JobState.WAITING, START + 10)
    assert (record.attempts_made, record.releases, record.stalls) == (0, 1, 0)
    (attempt,) = record.attempts
    assert (attempt.attempt, attempt.outcome, attempt.owner) == (1, "released", ME)
    assert totals(store) == {"enqueued": 1, "released": 1}
    assert take(store, "u")[0].attempt == 1


def released_often(store: Store, **fields: int) -> None:
    add(store, "a", **fields)
    for number in range(MAX_RELEASES):
        take(store, f"t{number}")
        settle(store, release(f"t{number}", started=True))
    assert (job(store, "a").releases, job(store, "a").stalls) == (MAX_RELEASES, 0)


def test_after_ten_started_releases_each_further_one_is_a_stall(store: Store) -> None:
    released_often(store)
    take(store, "u")
    assert store.exchange([release("u", started=True)]).states == (JobState.WAITING,)
    assert (job(store, "a").releases, job(store, "a").stalls) == (11, 1)
    assert job(store, "a").attempts[-1].outcome == "stalled"
    assert totals(store) == {"enqueued": 1, "released": 11, "stalled": 1}
    take(store, "v")
    settle(store, release("v", started=True))
    assert (job(store, "a").releases, job(store, "a").stalls) == (12, 2)


def test_a_release_that_is_one_stall_too_many_makes_a_dead_letter(store: Store) -> None:
    released_often(store, max_stalls=0)
    take(store, "u")
    assert store.exchange([release("u", started=True)]).states == (JobState.FAILED,)
    record = job(store, "a")
    assert (record.state, record.reason) == (JobState.FAILED, DeadReason.STALLED)
    assert totals(store)["dead:stalled"] == 1
    assert minutes(store) == {"enqueued": 1, "stalled": 1, "dead": 1}
    assert store.fsck() == []


def test_unstarted_releases_never_count(store: Store) -> None:
    add(store, "a")
    for number in range(MAX_RELEASES * 2):
        take(store, f"t{number}")
        settle(store, release(f"t{number}", started=False))
    record = job(store, "a")
    assert (record.releases, record.stalls, record.attempts) == (0, 0, ())


# -- lingering --------------------------------------------------------------------

LINGERS: list[Settlement] = [
    Retry(job_id="a", token="t", failure=b"late", linger=True),
    Bury(
        job_id="a", token="t", failure=b"late", reason=DeadReason.TIMEOUT, linger=True
    ),
    Bury(
        job_id="a",
        token="t",
        failure=b"late",
        reason=DeadReason.TIMEOUT,
        linger=True,
        remove=True,
    ),
]
each_lingering = pytest.mark.parametrize("end", LINGERS, ids=["retry", "dead", "gone"])


def linger(store: Store, end: Settlement, lease_ms: int = 30_000) -> None:
    """Job `a` timed out in a thread that still runs and holds a lock; `b` waits."""
    store.declare_queue("mail", QueueLimits(concurrency=1))
    store.sweep(interval_ms=INTERVAL_MS)
    add(store, "a")
    take(store, "t", lease_ms=lease_ms)
    assert store.put_value_if_absent("lock", "l", b"t", lease=("a", "t"))
    assert settle(store, end) == "ok"
    add(store, "b", priority=-1)


@each_lingering
def test_a_lingering_function_keeps_its_place_and_its_locks(
    store: Store, end: Settlement
) -> None:
    linger(store, end)
    assert taken(store, "u") == []
    assert store.get_values("lock", ["l"]) == {"l": b"t"}
    assert store.fsck() == []


@each_lingering
def test_a_return_frees_the_place_and_the_locks(store: Store, end: Settlement) -> None:
    linger(store, end)
    assert settle(store, Return(job_id="a", token="t")) == "ok"
    assert store.get_values("lock", ["l"]) == {}
    assert taken(store, "u") == ["b"]


@each_lingering
def test_a_return_may_be_repeated(store: Store, end: Settlement) -> None:
    linger(store, end)
    returned = Return(job_id="a", token="t")
    assert store.exchange([returned, returned]).statuses == ("ok", "ok")
    before = store.get_job("a")
    assert settle(store, returned) == "ok"
    assert store.get_job("a") == before


@each_lingering
def test_a_function_may_begin_and_end_to_linger_in_one_exchange(
    store: Store, end: Settlement
) -> None:
    store.declare_queue("mail", QueueLimits(concurrency=1))
    add(store, "a")
    take(store, "t")
    assert store.put_value_if_absent("lock", "l", b"t", lease=("a", "t"))
    returned = Return(job_id="a", token="t")
    assert store.exchange([end, returned]).statuses == ("ok", "ok")
    assert store.list_values("lock") == {}
    assert store.fsck() == []
    add(store, "b", priority=-1)
    assert taken(store, "u") == ["b"]


def test_a_return_does_not_touch_the_next_run(store: Store) -> None:
    linger(store, LINGERS[0])
    store.set_limits("mail", QueueLimits())
    assert taken(store, "u", 2) == ["b", "a"]
    before = job(store, "a")
    answer = store.exchange([Return(job_id="a", token="t")])
    assert (answer.statuses, answer.states) == (("ok",), (JobState.ACTIVE,))
    assert job(store, "a") == before
    assert settle(store, Complete(job_id="a", token="u")) == "ok"


def test_a_return_where_nothing_lingers_is_ok(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    before = job(store, "a")
    assert settle(store, Return(job_id="a", token="t")) == "ok"
    assert settle(store, Return(job_id="a", token="other")) == "ok"
    assert settle(store, Return(job_id="none", token="t")) == "ok"
    assert job(store, "a") == before


@each_lingering
def test_a_lingering_lease_is_renewed(
    store: Store, clock: ManualClock, end: Settlement
) -> None:
    linger(store, end, lease_ms=1000)
    for _ in range(3):
        clock.advance(900)
        assert store.renew(ME, [("a", "t")], lease_ms=1000).lost == ()
        store.sweep(interval_ms=INTERVAL_MS)
    assert taken(store, "u") == []


@each_lingering
def test_a_lingering_lease_that_runs_out_is_dropped_without_a_stall(
    store: Store, clock: ManualClock, end: Settlement
) -> None:
    linger(store, end, lease_ms=1000)
    before = store.get_job("a")
    clock.advance(1000)
    assert taken(store, "u") == []
    assert store.sweep(interval_ms=INTERVAL_MS) == []
    assert store.get_job("a") == before
    assert store.get_values("lock", ["l"]) == {}
    assert store.renew(ME, [("a", "t")], lease_ms=1000).lost == ("a",)
    assert taken(store, "v") == ["b"]


@each_lingering
def test_a_lingering_lease_is_extended_after_a_gap(
    store: Store, clock: ManualClock, end: Settlement
) -> None:
    linger(store, end, lease_ms=1000)
    clock.advance(INTERVAL_MS * 3)
    assert store.sweep(interval_ms=INTERVAL_MS) == []
    assert taken(store, "u") == []
    clock.advance(1000)
    assert store.sweep(interval_ms=INTERVAL_MS) == []
    assert taken(store, "v") == ["b"]


@each_lingering
def test_a_lingering_token_settled_its_job_already(
    store: Store, end: Settlement
) -> None:
    linger(store, end)
    assert settle(store, Complete(job_id="a", token="t")) == "already"
    assert settle(store, end) == "already"
    assert store.get_values("lock", ["l"]) == {"l": b"t"}


def test_a_lock_may_still_be_taken_while_lingering(store: Store) -> None:
    linger(store, LINGERS[0])
    assert store.put_value_if_absent("lock", "m", b"t", lease=("a", "t"))
    settle(store, Return(job_id="a", token="t"))
    assert store.list_values("lock") == {}


def test_removing_a_job_does_not_end_its_lingering_function(store: Store) -> None:
    linger(store, LINGERS[1])
    store.remove("a")
    assert taken(store, "u") == []
    assert store.fsck() == []
    settle(store, Return(job_id="a", token="t"))
    assert taken(store, "v") == ["b"]


def test_the_place_of_a_lingering_function_is_in_its_own_queue(store: Store) -> None:
    linger(store, LINGERS[0])
    store.declare_queue("other", QueueLimits(concurrency=1))
    add(store, "c", queue="other")
    assert taken(store, "u", queues=("other",)) == ["c"]
