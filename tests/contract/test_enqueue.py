"""Accepting jobs."""

import math

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import add, job, new, put, settle, take, taken, totals
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_STEP,
    REQUEST_MEMORY_MS,
    Bury,
    Cancel,
    Complete,
    Enqueued,
    EnqueueStatus,
    Expire,
    Release,
    Retry,
    Settlement,
    Store,
)

CREATED, DUPLICATE, DEDUPLICATED, _ = EnqueueStatus


def test_an_accepted_job_waits_with_all_its_fields(store: Store) -> None:
    whole = new(
        "a",
        payload=b'{"to": "x"}',
        headers=b"h",
        priority=2.5,
        expires_ms=1000,
        max_stalls=7,
        dedup_id="d",
        trace="00-ab-cd-01",
    )
    assert put(store, whole) == [Enqueued("a", CREATED)]
    record = job(store, "a")
    assert record.state is JobState.WAITING
    assert (record.queue, record.type) == ("mail", "send")
    assert (record.payload, record.headers) == (b'{"to": "x"}', b"h")
    assert (record.priority, record.max_stalls) == (2.5, 7)
    assert (record.created_at, record.ready_at) == (START, START)
    assert record.expires_at == START + 1000
    assert (record.dedup_id, record.trace) == ("d", "00-ab-cd-01")


def test_a_fresh_job_has_no_past(store: Store) -> None:
    add(store, "a")
    record = job(store, "a")
    assert (record.attempts_made, record.stalls, record.releases) == (0, 0, 0)
    assert (record.started_at, record.finished_at, record.run_at) == (None,) * 3
    assert (record.owner, record.lease_until, record.result) == (None,) * 3
    assert (record.failure, record.reason, record.attempts) == (b"", None, ())
    assert (record.cancel_requested, record.dead_retries) == (False, 0)


def test_any_bytes_are_a_payload(store: Store) -> None:
    payload = bytes(range(256)) * 3
    put(store, new("a", payload=payload, headers=payload[::-1]))
    (leased,) = take(store, "t")
    assert (leased.payload, leased.headers) == (payload, payload[::-1])


def test_ids_and_names_may_hold_any_text(store: Store) -> None:
    odd = "ü:{}/%\n '\"|\U0001f600"
    put(store, new(odd, queue=odd, type=odd, dedup_id=odd))
    assert taken(store, "t", queues=(odd,), types=(odd,)) == [odd]
    assert settle(store, Complete(job_id=odd, token="t")) == "ok"
    (page,) = store.list_jobs(odd, JobState.COMPLETED).jobs
    assert page.id == odd


def test_a_delay_means_delayed_until_its_due_time(store: Store) -> None:
    add(store, "a", delay_ms=1000)
    record = job(store, "a")
    assert record.state is JobState.DELAYED
    assert (record.run_at, record.ready_at) == (START + 1000, START + 1000)


def test_a_due_time_in_the_future_means_delayed(store: Store) -> None:
    add(store, "a", run_at=START + 1)
    assert job(store, "a").run_at == START + 1


@pytest.mark.parametrize("run_at", [START, START - 1, 0])
def test_a_due_time_that_is_not_in_the_future_means_waiting(
    store: Store, run_at: int
) -> None:
    add(store, "a", run_at=run_at)
    record = job(store, "a")
    assert (record.state, record.run_at) == (JobState.WAITING, None)
    assert record.ready_at == START


def test_an_id_that_exists_is_a_duplicate_and_changes_nothing(store: Store) -> None:
    add(store, "a", payload=b"1")
    answers = add(store, "a", payload=b"2", queue="other")
    assert answers == [Enqueued("a", DUPLICATE)]
    assert job(store, "a").payload == b"1"
    assert store.get_queue("other") is None
    assert totals(store) == {"enqueued": 1}


def test_an_id_is_taken_as_long_as_its_record_is_kept(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    settle(store, Complete(job_id="a", token="t"))
    assert add(store, "a") == [Enqueued("a", DUPLICATE)]
    store.remove("a")
    assert add(store, "a") == [Enqueued("a", CREATED)]


def test_one_batch_is_accepted_in_its_order(store: Store) -> None:
    answers = add(store, "c", "a", "b")
    assert [answer.id for answer in answers] == ["c", "a", "b"]
    assert taken(store, "t", 3) == ["c", "a", "b"]


def test_an_id_twice_in_a_batch_is_a_duplicate(store: Store) -> None:
    assert [answer.status for answer in add(store, "a", "a")] == [CREATED, DUPLICATE]


def test_a_dedup_id_twice_in_a_batch_admits_the_first(store: Store) -> None:
    answers = add(store, "a", "b", dedup_id="d")
    assert answers == [Enqueued("a", CREATED), Enqueued("a", DEDUPLICATED)]
    assert store.get_job("b") is None


def test_an_id_that_exists_counts_before_its_dedup_id(store: Store) -> None:
    add(store, "a", dedup_id="d")
    add(store, "b")
    assert add(store, "b", dedup_id="d") == [Enqueued("b", DUPLICATE)]


def test_an_empty_batch_is_accepted(store: Store) -> None:
    assert store.enqueue([], request_id="r") == []
    assert store.list_queues() == []


# -- requests ---------------------------------------------------------------------


def test_a_repeated_request_gets_the_same_answer_and_writes_nothing(
    store: Store,
) -> None:
    jobs = [new("a"), new("b", dedup_id="d"), new("c", dedup_id="d")]
    first = store.enqueue(jobs, request_id="r")
    assert store.enqueue(jobs, request_id="r") == first
    assert totals(store) == {"enqueued": 2}
    assert len(store.list_jobs("mail", JobState.WAITING).jobs) == 2


def test_a_request_is_remembered_after_its_jobs_are_finished_and_removed(
    store: Store,
) -> None:
    first = store.enqueue([new("a")], request_id="r")
    take(store, "t")
    settle(store, Complete(job_id="a", token="t", remove=True))
    assert store.enqueue([new("a")], request_id="r") == first
    assert store.get_job("a") is None


def test_a_request_is_remembered_for_fifteen_minutes(
    store: Store, clock: ManualClock
) -> None:
    first = store.enqueue([new("a")], request_id="r")
    store.remove("a")
    for _ in range(15):
        clock.advance(REQUEST_MEMORY_MS // 15)
        put(store)
        store.sweep(interval_ms=5000)
        store.promote_due()
    assert store.enqueue([new("a")], request_id="r") == first
    assert store.get_job("a") is None


def test_a_request_that_created_nothing_is_remembered_too(store: Store) -> None:
    add(store, "a", dedup_id="d")
    first = store.enqueue([new("b", dedup_id="d")], request_id="r")
    store.remove("a")
    assert store.enqueue([new("b", dedup_id="d")], request_id="r") == first
    assert store.get_job("b") is None


def test_a_refused_request_is_not_remembered(store: Store) -> None:
    with pytest.raises(InvalidArgumentError):
        store.enqueue([new("")], request_id="r")
    assert store.enqueue([new("a")], request_id="r") == [Enqueued("a", CREATED)]


# -- refusals ---------------------------------------------------------------------


def test_more_than_a_step_is_refused_whole(store: Store) -> None:
    with pytest.raises(InvalidArgumentError):
        add(store, *(f"{n}" for n in range(MAX_STEP + 1)))
    assert store.list_queues() == []


def test_a_whole_step_is_accepted(store: Store) -> None:
    answers = add(store, *(f"{n:04}" for n in range(MAX_STEP)))
    assert len(answers) == MAX_STEP
    info = store.get_queue("mail")
    assert info is not None
    assert info.counts[JobState.WAITING] == MAX_STEP


@pytest.mark.parametrize(
    "fields",
    [
        {"id": ""},
        {"queue": ""},
        {"type": ""},
        {"priority": math.nan},
        {"priority": math.inf},
        {"priority": -math.inf},
        {"delay_ms": 1, "run_at": START + 5},
        {"id": "nul\0"},
        {"queue": "\ud800"},
        {"type": "lone \udfff"},
        {"dedup_id": ""},
        {"run_at": 2**63},
        {"delay_ms": 2**64},
        {"expires_ms": 2**64},
        {"max_stalls": 2**64},
    ],
    ids=ascii,
)
def test_an_unacceptable_job_refuses_its_whole_batch(
    store: Store, fields: dict[str, object]
) -> None:
    bad = new("bad", **fields)
    with pytest.raises(InvalidArgumentError):
        put(store, new("good"), bad)
    assert store.get_job("good") is None
    assert store.list_queues() == []


# -- dedup ------------------------------------------------------------------------


def test_a_live_job_holds_its_dedup_id(store: Store) -> None:
    add(store, "a", dedup_id="d")
    assert add(store, "b", dedup_id="d") == [Enqueued("a", DEDUPLICATED)]
    take(store, "t")
    assert add(store, "b", dedup_id="d") == [Enqueued("a", DEDUPLICATED)]


def test_a_dedup_id_is_of_one_queue(store: Store) -> None:
    add(store, "a", dedup_id="d")
    assert add(store, "b", queue="other", dedup_id="d") == [Enqueued("b", CREATED)]


@pytest.mark.parametrize(
    "end",
    [
        Complete(job_id="a", token="t"),
        Complete(job_id="a", token="t", remove=True),
        Bury(job_id="a", token="t", failure=b"", reason=DeadReason.EXHAUSTED),
        Bury(
            job_id="a",
            token="t",
            failure=b"",
            reason=DeadReason.EXHAUSTED,
            remove=True,
        ),
        Cancel(job_id="a", token="t"),
        Expire(job_id="a", token="t"),
    ],
    ids=lambda end: f"{type(end).__name__}-{getattr(end, 'remove', False)}",
)
def test_the_end_of_a_job_frees_its_dedup_id(store: Store, end: Settlement) -> None:
    add(store, "a", dedup_id="d")
    take(store, "t")
    assert settle(store, end) == "ok"
    assert add(store, "b", dedup_id="d") == [Enqueued("b", CREATED)]
    assert store.fsck() == []


@pytest.mark.parametrize(
    "end",
    [
        Retry(job_id="a", token="t"),
        Retry(job_id="a", token="t", delay_ms=1000),
        Release(job_id="a", token="t", started=True),
        Release(job_id="a", token="t", started=False),
    ],
    ids=str,
)
def test_a_job_that_will_run_again_keeps_its_dedup_id(
    store: Store, end: Settlement
) -> None:
    add(store, "a", dedup_id="d")
    take(store, "t")
    settle(store, end)
    assert add(store, "b", dedup_id="d") == [Enqueued("a", DEDUPLICATED)]


@pytest.mark.parametrize("how", ["cancel", "remove", "drain", "expire"])
def test_a_pending_job_that_goes_frees_its_dedup_id(
    store: Store, clock: ManualClock, how: str
) -> None:
    add(store, "a", dedup_id="d", expires_ms=1000)
    if how == "cancel":
        store.cancel("a")
    elif how == "remove":
        store.remove("a")
    elif how == "drain":
        store.drain("mail")
    else:
        clock.advance(1000)
        store.expire_due()
    assert add(store, "b", dedup_id="d") == [Enqueued("b", CREATED)]
    assert store.fsck() == []


def test_death_by_stalls_frees_the_dedup_id(store: Store, clock: ManualClock) -> None:
    add(store, "a", dedup_id="d", max_stalls=0)
    store.sweep(interval_ms=5000)
    take(store, "t", lease_ms=1000)
    clock.advance(1000)
    store.sweep(interval_ms=5000)
    assert job(store, "a").state is JobState.FAILED
    assert add(store, "b", dedup_id="d") == [Enqueued("b", CREATED)]


def test_the_end_of_an_old_job_does_not_free_the_dedup_id_of_a_new_one(
    store: Store,
) -> None:
    add(store, "a", dedup_id="d")
    take(store, "t")
    settle(store, Bury(job_id="a", token="t", failure=b"", reason=DeadReason.EXHAUSTED))
    add(store, "b", dedup_id="d")
    store.retry_dead("a")
    store.cancel("a")
    store.remove("a")
    assert add(store, "c", dedup_id="d") == [Enqueued("b", DEDUPLICATED)]


def test_removing_a_dead_letter_does_not_free_the_dedup_id_of_a_new_job(
    store: Store,
) -> None:
    add(store, "a", dedup_id="d")
    take(store, "t")
    settle(store, Bury(job_id="a", token="t", failure=b"", reason=DeadReason.EXHAUSTED))
    add(store, "b", dedup_id="d")
    store.remove("a")
    assert add(store, "c", dedup_id="d") == [Enqueued("b", DEDUPLICATED)]


def test_a_retried_dead_letter_does_not_take_its_dedup_id_again(store: Store) -> None:
    add(store, "a", dedup_id="d")
    take(store, "t")
    settle(store, Bury(job_id="a", token="t", failure=b"", reason=DeadReason.EXHAUSTED))
    store.retry_dead("a")
    assert job(store, "a").dedup_id is None
    assert add(store, "b", dedup_id="d") == [Enqueued("b", CREATED)]
