"""What a claim grants, and in which order."""

from dataclasses import replace
from typing import Any

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import (
    INTERVAL_MS,
    LEASE_MS,
    ME,
    TYPE,
    add,
    claim,
    job,
    new,
    put,
    settle,
    take,
    taken,
)
from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import Claim, QueueClaim, Release, Retry, Store


def test_a_granted_job_is_active_and_leased(store: Store, clock: ManualClock) -> None:
    add(store, "a")
    clock.advance(100)
    take(store, "t")
    record = job(store, "a")
    assert record.state is JobState.ACTIVE
    assert (record.owner, record.lease_until) == (ME, START + 100 + LEASE_MS)
    assert record.started_at == START + 100
    assert record.attempts_made == 0


def test_a_grant_holds_all_that_a_run_needs(store: Store, clock: ManualClock) -> None:
    put(
        store,
        new(
            "a",
            payload=b"p",
            headers=b"h",
            priority=3,
            expires_ms=5000,
            trace="00-1-2-01",
        ),
    )
    clock.advance(100)
    (leased,) = take(store, "t", lease_ms=700)
    assert (leased.id, leased.queue, leased.type) == ("a", "mail", "send")
    assert (leased.payload, leased.headers) == (b"p", b"h")
    assert (leased.token, leased.attempt, leased.stalls) == ("t", 1, 0)
    assert (leased.priority, leased.trace) == (3, "00-1-2-01")
    assert (leased.created_at, leased.ready_at) == (START, START)
    assert leased.first_started_at == leased.started_at == START + 100
    assert (leased.expires_at, leased.lease_until) == (START + 5000, START + 800)


def test_a_claim_on_nothing_grants_nothing(store: Store) -> None:
    answer = store.exchange(claim=claim("t"))
    assert (answer.jobs, answer.statuses, answer.states) == ((), (), ())
    assert answer.now == START
    assert store.list_queues() == []


def test_a_claim_grants_no_more_than_slots_and_prefetch(store: Store) -> None:
    add(store, *"abcde")
    assert taken(store, "t", 1, prefetch=2) == ["a", "b", "c"]


def test_a_granted_job_is_not_granted_again(store: Store) -> None:
    add(store, "a")
    assert taken(store, "t1", 5) == ["a"]
    assert taken(store, "t2", 5) == []


def test_equal_priorities_are_granted_first_in_first_out(store: Store) -> None:
    for name in ("c", "a", "b"):
        add(store, name)
    assert taken(store, "t", 3) == ["c", "a", "b"]


def test_a_smaller_priority_is_granted_first(store: Store) -> None:
    put(
        store,
        new("five", priority=5),
        new("none"),
        new("minus", priority=-1),
        new("half", priority=0.5),
        new("big", priority=2**40),
    )
    assert taken(store, "t", 5) == ["minus", "none", "half", "five", "big"]


def test_priorities_with_long_fractions_keep_their_order(store: Store) -> None:
    put(store, new("b", priority=0.1 + 0.2), new("a", priority=0.3))
    assert taken(store, "t", 2) == ["a", "b"]
    assert job(store, "b").priority == 0.1 + 0.2


def test_many_jobs_of_one_priority_keep_their_order(store: Store) -> None:
    names = [f"{n:03}" for n in range(150)]
    add(store, *reversed(names), priority=7)
    assert taken(store, "t", 150) == names[::-1]


def test_only_the_types_that_the_worker_knows_are_granted(store: Store) -> None:
    put(store, new("a", type="new"), new("b"), new("c", type="new"))
    assert taken(store, "t", 5) == ["b"]
    assert taken(store, "u", 5, types=("new",)) == ["a", "c"]


def test_the_types_of_a_queue_are_merged_in_order(store: Store) -> None:
    put(
        store,
        new("a", type="x"),
        new("b", type="y"),
        new("c", type="x"),
        new("d", type="y", priority=-1),
    )
    assert taken(store, "t", 4, types=("y", "x")) == ["d", "a", "b", "c"]


def test_only_the_queues_of_the_claim_are_granted(store: Store) -> None:
    add(store, "a", queue="other")
    assert taken(store, "t", 5) == []


def test_a_claim_without_queues_grants_nothing(store: Store) -> None:
    add(store, "a")
    assert taken(store, "t", 5, queues=()) == []


# -- shares -----------------------------------------------------------------------


def weighed(token: str, slots: int, **shares: int) -> Claim:
    queues = tuple(QueueClaim(queue, (TYPE,), n) for queue, n in shares.items())
    return Claim(id=token, owner=ME, queues=queues, slots=slots)


def test_the_first_pass_takes_the_share_of_each_queue(store: Store) -> None:
    add(store, "a1", "a2", "a3", "a4", queue="a")
    add(store, "b1", "b2", "b3", "b4", queue="b")
    jobs = store.exchange(claim=weighed("t", 4, a=3, b=1)).jobs
    assert [leased.id for leased in jobs] == ["a1", "a2", "a3", "b1"]


def test_the_second_pass_fills_what_is_left_in_the_same_order(store: Store) -> None:
    add(store, "a1", "a2", "a3", "a4", queue="a")
    add(store, "b1", queue="b")
    jobs = store.exchange(claim=weighed("t", 4, b=3, a=1)).jobs
    assert [leased.id for leased in jobs] == ["b1", "a1", "a2", "a3"]


def test_a_queue_without_a_share_gets_what_the_others_leave(store: Store) -> None:
    add(store, "a1", "a2", queue="a")
    add(store, "b1", queue="b")
    jobs = store.exchange(claim=weighed("t", 2, a=0, b=2)).jobs
    assert [leased.id for leased in jobs] == ["b1", "a1"]


def test_shares_do_not_lift_the_number_of_slots(store: Store) -> None:
    add(store, "a1", "a2", queue="a")
    add(store, "b1", "b2", queue="b")
    jobs = store.exchange(claim=weighed("t", 1, a=5, b=5)).jobs
    assert [leased.id for leased in jobs] == ["a1"]


# -- suspects ---------------------------------------------------------------------


def stall(store: Store, clock: ManualClock, *ids: str) -> None:
    """Make suspects of these jobs, in order."""
    store.sweep(interval_ms=INTERVAL_MS)
    add(store, *ids)
    assert taken(store, f"stall-{ids}", len(ids), lease_ms=1000) == [*ids]
    clock.advance(1000)
    swept = store.sweep(interval_ms=INTERVAL_MS)
    assert {one.outcome for one in swept} == {"stalled"}


def test_a_suspect_is_granted_within_slots(store: Store, clock: ManualClock) -> None:
    stall(store, clock, "s")
    (leased,) = take(store, "t", 1)
    assert (leased.id, leased.stalls, leased.attempt) == ("s", 1, 1)


def test_a_suspect_is_not_prefetched(store: Store, clock: ManualClock) -> None:
    stall(store, clock, "s")
    assert taken(store, "t", 0, prefetch=5) == []


def test_a_suspect_behind_the_slots_is_passed_over(
    store: Store, clock: ManualClock
) -> None:
    stall(store, clock, "s")
    put(store, new("urgent", priority=-1), new("x"), new("y"))
    assert taken(store, "t", 1, prefetch=2) == ["urgent", "x", "y"]
    assert taken(store, "u", 1) == ["s"]


def test_one_claim_grants_one_suspect(store: Store, clock: ManualClock) -> None:
    stall(store, clock, "s1", "s2", "s3")
    add(store, "x", "y")
    assert taken(store, "t", 3) == ["s1", "x", "y"]
    assert taken(store, "u", 3) == ["s2"]


def test_a_claim_may_allow_more_suspects_or_none(
    store: Store, clock: ManualClock
) -> None:
    stall(store, clock, "s1", "s2", "s3")
    add(store, "x")
    assert taken(store, "t", 4, suspects=0) == ["x"]
    assert taken(store, "u", 4, suspects=2) == ["s1", "s2"]


def test_suspects_of_all_queues_of_a_claim_count_together(
    store: Store, clock: ManualClock
) -> None:
    stall(store, clock, "s1")
    add(store, "s2", queue="other")
    taken(store, "w", 1, queues=("other",), lease_ms=1000)
    clock.advance(1000)
    store.sweep(interval_ms=INTERVAL_MS)
    assert taken(store, "t", 4, queues=("mail", "other")) == ["s1"]


# -- places -----------------------------------------------------------------------


def test_a_retry_without_delay_goes_behind_the_others(store: Store) -> None:
    add(store, "a", "b")
    take(store, "t", 1)
    settle(store, Retry(job_id="a", token="t"))
    assert taken(store, "u", 2) == ["b", "a"]


def test_a_release_keeps_the_place(store: Store) -> None:
    add(store, "a", "b", "c")
    take(store, "t", 2)
    settle(store, Release(job_id="b", token="t", started=True))
    settle(store, Release(job_id="a", token="t", started=False))
    assert taken(store, "u", 3) == ["a", "b", "c"]


def test_a_stall_keeps_the_place(store: Store, clock: ManualClock) -> None:
    stall(store, clock, "a")
    add(store, "b")
    assert taken(store, "u", 2) == ["a", "b"]


def test_a_release_keeps_the_priority(store: Store) -> None:
    put(store, new("a", priority=5), new("b", priority=9))
    take(store, "t", 1)
    add(store, "c", priority=7)
    settle(store, Release(job_id="a", token="t", started=True))
    assert taken(store, "u", 3) == ["a", "c", "b"]


# -- looking again ----------------------------------------------------------------


def test_a_claim_that_got_less_says_when_the_next_job_is_due(store: Store) -> None:
    add(store, "later", delay_ms=700)
    add(store, "soon", delay_ms=300)
    answer = store.exchange(claim=claim("t"))
    assert answer.jobs == ()
    assert answer.next_in_ms is not None
    assert 0 < answer.next_in_ms <= 300


def test_a_claim_promotes_what_is_due(store: Store, clock: ManualClock) -> None:
    add(store, "b", delay_ms=200)
    add(store, "a", delay_ms=100)
    add(store, "later", delay_ms=500)
    clock.advance(200)
    assert taken(store, "t", 5) == ["a", "b"]


def test_a_due_job_stands_behind_those_that_wait_already(
    store: Store, clock: ManualClock
) -> None:
    add(store, "due", delay_ms=100)
    add(store, "waiting")
    clock.advance(100)
    assert taken(store, "t", 2) == ["waiting", "due"]


def test_a_claim_does_not_grant_what_expired(store: Store, clock: ManualClock) -> None:
    add(store, "old", expires_ms=100)
    add(store, "good", expires_ms=101)
    clock.advance(100)
    assert taken(store, "t", 5) == ["good"]
    assert job(store, "old").state is JobState.EXPIRED


def test_a_claim_never_starts_a_job_early(store: Store, clock: ManualClock) -> None:
    add(store, "a", delay_ms=100)
    clock.advance(99)
    assert taken(store, "t") == []
    clock.advance(1)
    assert taken(store, "u") == ["a"]


@pytest.mark.parametrize(
    "fields", [{"slots": -1}, {"prefetch": -1}, {"suspects": -1}, {"lease_ms": 0}]
)
def test_a_claim_of_less_than_nothing_is_refused(
    store: Store, fields: dict[str, Any]
) -> None:
    add(store, "a")
    with pytest.raises(InvalidArgumentError):
        store.exchange(claim=replace(claim("t"), **fields))
    assert job(store, "a").state is JobState.WAITING
    with pytest.raises(InvalidArgumentError):
        store.exchange(claim=claim(""))
