"""What becomes of jobs whose dedup id is held: throttle, debounce, reschedule."""

from typing import Any

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import add, job, new, put, settle, take, taken
from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    Complete,
    Dedup,
    Enqueued,
    EnqueueStatus,
    NewJob,
    OnDuplicate,
    Store,
)

CREATED, _, DEDUPLICATED, RESCHEDULED = EnqueueStatus
REPLACE = Dedup(on_duplicate=OnDuplicate.REPLACE)
RESCHEDULE = Dedup(on_duplicate=OnDuplicate.RESCHEDULE)
THROTTLE = Dedup(ttl_ms=1000)
DEBOUNCE = Dedup(ttl_ms=1000, extend=True, on_duplicate=OnDuplicate.REPLACE)


def say(store: Store, job_id: str, dedup: Dedup | None, **fields: Any) -> Enqueued:
    (answer,) = add(store, job_id, dedup_id="d", dedup=dedup, **fields)
    return answer


# -- for a time -------------------------------------------------------------------


def test_a_throttle_outlasts_the_end_of_its_job(
    store: Store, clock: ManualClock
) -> None:
    assert say(store, "a", THROTTLE) == Enqueued("a", CREATED)
    take(store, "t")
    settle(store, Complete(job_id="a", token="t"))
    clock.advance(999)
    assert say(store, "b", THROTTLE) == Enqueued("a", DEDUPLICATED)
    store.remove("a")
    assert say(store, "b", THROTTLE) == Enqueued("a", DEDUPLICATED)
    clock.advance(1)
    assert say(store, "b", THROTTLE) == Enqueued("b", CREATED)


def test_a_throttle_ends_before_its_job(store: Store, clock: ManualClock) -> None:
    say(store, "a", THROTTLE)
    clock.advance(1000)
    assert say(store, "b", THROTTLE) == Enqueued("b", CREATED)
    assert taken(store, "t", 5) == ["a", "b"]
    assert job(store, "a").dedup_id is None
    assert store.fsck() == []


def test_a_duplicate_does_not_lengthen_a_throttle(
    store: Store, clock: ManualClock
) -> None:
    say(store, "a", THROTTLE)
    clock.advance(900)
    say(store, "b", THROTTLE)
    clock.advance(100)
    assert say(store, "c", THROTTLE).status is CREATED


def test_a_duplicate_that_extends_begins_the_time_anew(
    store: Store, clock: ManualClock
) -> None:
    extending = Dedup(ttl_ms=1000, extend=True)
    say(store, "a", extending)
    for _ in range(3):
        clock.advance(900)
        assert say(store, "b", extending) == Enqueued("a", DEDUPLICATED)
    clock.advance(1000)
    assert say(store, "b", extending).status is CREATED


def test_a_job_without_a_rule_minds_a_throttle_and_the_other_way_round(
    store: Store, clock: ManualClock
) -> None:
    say(store, "a", THROTTLE)
    assert say(store, "b", None) == Enqueued("a", DEDUPLICATED)
    clock.advance(1000)
    say(store, "b", None)
    assert say(store, "c", THROTTLE) == Enqueued("b", DEDUPLICATED)
    clock.advance(5000)
    assert say(store, "c", THROTTLE) == Enqueued("b", DEDUPLICATED)


def test_a_throttle_is_of_one_queue(store: Store) -> None:
    say(store, "a", THROTTLE)
    assert say(store, "b", THROTTLE, queue="order").status is CREATED


# -- replace ----------------------------------------------------------------------


def test_a_delayed_job_is_replaced(store: Store, clock: ManualClock) -> None:
    say(store, "a", REPLACE, delay_ms=1000, payload=b"old")
    clock.advance(600)
    assert say(store, "b", REPLACE, delay_ms=1000, payload=b"new").status is CREATED
    assert store.get_job("a") is None
    clock.advance(600)
    assert taken(store, "t", 5) == []
    clock.advance(400)
    (leased,) = take(store, "u", 5)
    assert (leased.id, leased.payload) == ("b", b"new")
    assert store.fsck() == []


@pytest.mark.parametrize("state", [JobState.WAITING, JobState.ACTIVE])
def test_only_a_delayed_job_is_replaced(store: Store, state: JobState) -> None:
    say(store, "a", REPLACE)
    if state is JobState.ACTIVE:
        take(store, "t")
    assert say(store, "b", REPLACE) == Enqueued("a", DEDUPLICATED)
    assert job(store, "a").state is state
    assert store.get_job("b") is None


def test_a_debounced_job_runs_once_with_the_last_payload(
    store: Store, clock: ManualClock
) -> None:
    for number in range(4):
        answer = say(
            store, f"j{number}", DEBOUNCE, delay_ms=1000, payload=b"%d" % number
        )
        assert answer == Enqueued(f"j{number}", CREATED)
        clock.advance(500)
    clock.advance(500)
    (leased,) = take(store, "t", 5)
    assert (leased.id, leased.payload) == ("j3", b"3")
    settle(store, Complete(job_id="j3", token="t"))
    assert say(store, "next", DEBOUNCE).status is CREATED
    assert store.fsck() == []


def test_who_replaces_without_extending_takes_over_the_rest_of_the_time(
    store: Store, clock: ManualClock
) -> None:
    rule = Dedup(ttl_ms=1000, on_duplicate=OnDuplicate.REPLACE)
    say(store, "a", rule, delay_ms=9000)
    clock.advance(900)
    assert say(store, "b", rule, delay_ms=9000).status is CREATED
    clock.advance(99)
    assert say(store, "c", THROTTLE) == Enqueued("b", DEDUPLICATED)
    clock.advance(1)
    assert say(store, "c", THROTTLE).status is CREATED
    assert store.get_job("a") is None
    assert job(store, "b").state is JobState.DELAYED


def test_who_is_replaced_holds_nothing_any_more(
    store: Store, clock: ManualClock
) -> None:
    say(store, "a", REPLACE, delay_ms=9000)
    assert say(store, "b", DEBOUNCE, delay_ms=9000) == Enqueued("b", CREATED)
    assert store.fsck() == []
    clock.advance(1000)
    assert say(store, "c", None) == Enqueued("c", CREATED)


# -- reschedule -------------------------------------------------------------------


def test_a_pending_job_gets_the_due_time_of_its_duplicate(
    store: Store, clock: ManualClock
) -> None:
    say(store, "a", RESCHEDULE, delay_ms=1000, payload=b"old")
    clock.advance(500)
    answer = say(store, "b", RESCHEDULE, delay_ms=2000, payload=b"new")
    assert answer == Enqueued("a", RESCHEDULED)
    record = job(store, "a")
    assert (record.run_at, record.payload) == (START + 2500, b"old")
    assert say(store, "c", RESCHEDULE, run_at=START) == Enqueued("a", RESCHEDULED)
    assert taken(store, "t", 5) == ["a"]
    assert store.fsck() == []


def test_a_job_that_runs_is_not_rescheduled(store: Store) -> None:
    say(store, "a", RESCHEDULE)
    take(store, "t")
    assert say(store, "b", RESCHEDULE, delay_ms=5) == Enqueued("a", DEDUPLICATED)
    settle(store, Complete(job_id="a", token="t"))
    assert say(store, "b", RESCHEDULE, delay_ms=5).status is CREATED


# -- calls ------------------------------------------------------------------------


def test_in_one_call_each_job_meets_those_before_it(store: Store) -> None:
    jobs = [
        new("a", dedup_id="d", dedup=REPLACE, delay_ms=1000),
        new("b", dedup_id="d", dedup=REPLACE, delay_ms=1000),
        new("c", dedup_id="d", dedup=RESCHEDULE, delay_ms=7000),
        new("d", dedup_id="e"),
        new("b", dedup_id="d"),
    ]
    answers = put(store, *jobs)
    assert [one.status for one in answers] == [
        *(CREATED, CREATED, RESCHEDULED, CREATED),
        EnqueueStatus.DUPLICATE,
    ]
    assert store.get_job("a") is None
    assert job(store, "b").run_at == START + 7000


def test_a_repeated_request_does_nothing_twice(
    store: Store, clock: ManualClock
) -> None:
    jobs = [new("a", dedup_id="d", dedup=RESCHEDULE, delay_ms=1000)]
    more = [
        new("b", dedup_id="d", dedup=RESCHEDULE, delay_ms=5000),
        new("c", dedup_id="e", dedup=DEBOUNCE, delay_ms=5000),
    ]
    store.enqueue(jobs, request_id="1")
    answers = store.enqueue(more, request_id="2")
    clock.advance(500)
    assert store.enqueue(more, request_id="2") == answers
    assert job(store, "a").run_at == START + 5000
    assert job(store, "c").run_at == START + 5000


@pytest.mark.parametrize(
    "bad",
    [
        new("a", dedup=THROTTLE),
        new("a", dedup_id="d", dedup=Dedup(ttl_ms=0)),
        new("a", dedup_id="d", dedup=Dedup(extend=True)),
    ],
    ids=["no id", "no time", "extends nothing"],
)
def test_a_rule_that_means_nothing_is_refused(store: Store, bad: NewJob) -> None:
    with pytest.raises(InvalidArgumentError):
        put(store, new("good"), bad)
    assert store.get_job("good") is None


def test_follow_ups_take_no_rule(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    follow_up = new("b", dedup_id="d", dedup=THROTTLE)
    with pytest.raises(InvalidArgumentError):
        settle(store, Complete(job_id="a", token="t", jobs=(follow_up,)))
    assert job(store, "a").state is JobState.ACTIVE
