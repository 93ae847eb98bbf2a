"""How a lease ends, and that it ends once."""

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import (
    INTERVAL_MS,
    LEASE_MS,
    ME,
    add,
    job,
    minutes,
    new,
    settle,
    take,
    taken,
    totals,
)
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_HISTORY,
    REQUEST_MEMORY_MS,
    Attempt,
    Bury,
    Cancel,
    Complete,
    Expire,
    Release,
    Retry,
    Settlement,
    Store,
)

ENDS: list[Settlement] = [
    Complete(job_id="a", token="t", result=b"r"),
    Complete(job_id="a", token="t", remove=True),
    Retry(job_id="a", token="t", failure=b"f"),
    Retry(job_id="a", token="t", failure=b"f", delay_ms=500),
    Retry(job_id="a", token="t", spend=False),
    Bury(job_id="a", token="t", failure=b"f", reason=DeadReason.EXHAUSTED),
    Bury(job_id="a", token="t", failure=b"f", reason=DeadReason.EXHAUSTED, remove=True),
    Bury(
        job_id="a", token="t", failure=b"f", reason=DeadReason.UNDECODABLE, spend=False
    ),
    Release(job_id="a", token="t", started=True),
    Release(job_id="a", token="t", started=False),
    Cancel(job_id="a", token="t"),
    Expire(job_id="a", token="t"),
]
each_end = pytest.mark.parametrize(
    "end",
    ENDS,
    ids=[f"{number}-{type(end).__name__}" for number, end in enumerate(ENDS)],
)


def run_for(store: Store, clock: ManualClock, ms: int) -> None:
    """Enqueue `a`, wait 100 ms, start it, and let it run."""
    add(store, "a")
    clock.advance(100)
    assert taken(store, "t") == ["a"]
    clock.advance(ms)


def attempt(outcome: str, failure: bytes = b"", number: int = 1) -> Attempt:
    return Attempt(
        attempt=number,
        started_at=START + 100,
        ended_at=START + 150,
        owner=ME,
        outcome=outcome,  # type: ignore[arg-type]  # one of its literals
        failure=failure,
    )


# -- the effect of each -----------------------------------------------------------


def test_complete_ends_a_job_with_its_result(store: Store, clock: ManualClock) -> None:
    run_for(store, clock, 50)
    answer = store.exchange([Complete(job_id="a", token="t", result=b"42")])
    assert answer.states == (JobState.COMPLETED,)
    record = job(store, "a")
    assert (record.state, record.result) == (JobState.COMPLETED, b"42")
    assert (record.attempts_made, record.finished_at) == (1, START + 150)
    assert (record.lease_until, record.owner) == (None, ME)
    assert record.attempts == (attempt("completed"),)
    assert totals(store) == {"enqueued": 1, "completed": 1}


def test_a_result_may_be_empty_or_missing(store: Store) -> None:
    add(store, "a", "b")
    take(store, "t", 2)
    settle(store, Complete(job_id="a", token="t", result=b""))
    settle(store, Complete(job_id="b", token="t"))
    assert (job(store, "a").result, job(store, "b").result) == (b"", None)


def test_complete_may_keep_no_record_but_counts(
    store: Store, clock: ManualClock
) -> None:
    run_for(store, clock, 50)
    answer = store.exchange([Complete(job_id="a", token="t", remove=True)])
    assert answer.states == (JobState.COMPLETED,)
    assert store.get_job("a") is None
    assert totals(store) == {"enqueued": 1, "completed": 1}
    assert minutes(store) == {"enqueued": 1, "completed": 1}
    assert store.list_jobs("mail", JobState.COMPLETED).jobs == ()
    assert store.fsck() == []


def test_a_retry_with_a_delay_is_delayed(store: Store, clock: ManualClock) -> None:
    run_for(store, clock, 50)
    retry = Retry(job_id="a", token="t", failure=b"boom", delay_ms=700)
    assert store.exchange([retry]).states == (JobState.DELAYED,)
    record = job(store, "a")
    assert (record.state, record.run_at) == (JobState.DELAYED, START + 850)
    assert record.ready_at == START + 850
    assert (record.attempts_made, record.failure) == (1, b"boom")
    assert (record.finished_at, record.lease_until) == (None, None)
    assert record.attempts == (attempt("retry", b"boom"),)
    assert totals(store) == {"enqueued": 1, "retried": 1}


def test_a_retry_at_a_time_is_delayed_until_then(
    store: Store, clock: ManualClock
) -> None:
    run_for(store, clock, 50)
    settle(store, Retry(job_id="a", token="t", run_at=START + 999))
    assert job(store, "a").run_at == START + 999


def test_a_retry_without_a_delay_waits_at_once(
    store: Store, clock: ManualClock
) -> None:
    run_for(store, clock, 50)
    assert settle(store, Retry(job_id="a", token="t", run_at=START)) == "ok"
    record = job(store, "a")
    assert (record.state, record.ready_at) == (JobState.WAITING, START + 150)
    (leased,) = take(store, "u")
    assert (leased.attempt, leased.token) == (2, "u")
    assert leased.first_started_at == START + 100
    assert leased.started_at == START + 150


def test_a_snooze_spends_no_attempt(store: Store, clock: ManualClock) -> None:
    run_for(store, clock, 50)
    settle(store, Retry(job_id="a", token="t", delay_ms=10, spend=False))
    record = job(store, "a")
    assert (record.attempts_made, record.failure) == (0, b"")
    assert record.attempts == (attempt("snoozed"),)
    assert totals(store) == {"enqueued": 1}
    clock.advance(10)
    assert take(store, "u")[0].attempt == 1


def test_the_newest_failure_stays(store: Store) -> None:
    add(store, "a")
    for token, failure in (("t", b"one"), ("u", b"two"), ("v", b"")):
        take(store, token)
        settle(store, Retry(job_id="a", token=token, failure=failure))
    assert job(store, "a").failure == b"two"
    assert [one.failure for one in job(store, "a").attempts] == [b"one", b"two", b""]
    assert [one.attempt for one in job(store, "a").attempts] == [1, 2, 3]


@pytest.mark.parametrize("reason", DeadReason)
def test_a_buried_job_is_a_dead_letter_of_its_queue(
    store: Store, clock: ManualClock, reason: DeadReason
) -> None:
    run_for(store, clock, 50)
    bury = Bury(job_id="a", token="t", failure=b"boom", reason=reason)
    assert store.exchange([bury]).states == (JobState.FAILED,)
    record = job(store, "a")
    assert (record.state, record.reason) == (JobState.FAILED, reason)
    assert (record.failure, record.finished_at) == (b"boom", START + 150)
    assert (record.attempts_made, record.queue) == (1, "mail")
    assert record.attempts == (attempt("dead", b"boom"),)
    assert totals(store) == {"enqueued": 1, f"dead:{reason.value}": 1}
    assert minutes(store) == {"enqueued": 1, "dead": 1}


def test_what_never_ran_is_buried_without_an_attempt(
    store: Store, clock: ManualClock
) -> None:
    run_for(store, clock, 50)
    settle(store, ENDS[7])
    record = job(store, "a")
    assert (record.attempts_made, record.reason) == (0, DeadReason.UNDECODABLE)
    assert record.attempts == (attempt("dead", b"f"),)
    histogram = [k for m in store.series("mail", since_minute=0) for k in m.counts]
    assert set(histogram) <= {"enqueued", "dead"}


def test_a_buried_job_may_keep_no_record_but_counts(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    answer = store.exchange([ENDS[6]])
    assert (answer.statuses, answer.states) == (("ok",), (JobState.FAILED,))
    assert store.get_job("a") is None
    assert totals(store) == {"enqueued": 1, "dead:exhausted": 1}


def test_a_running_job_ends_cancelled(store: Store, clock: ManualClock) -> None:
    run_for(store, clock, 50)
    answer = store.exchange([Cancel(job_id="a", token="t")])
    assert answer.states == (JobState.CANCELLED,)
    record = job(store, "a")
    assert (record.attempts_made, record.finished_at) == (0, START + 150)
    assert record.attempts == (attempt("cancelled"),)
    assert totals(store) == {"enqueued": 1, "cancelled": 1}


def test_a_claimed_job_may_be_found_expired(store: Store, clock: ManualClock) -> None:
    run_for(store, clock, 50)
    assert store.exchange([Expire(job_id="a", token="t")]).states == ("expired",)
    record = job(store, "a")
    assert (record.state, record.attempts_made) == (JobState.EXPIRED, 0)
    assert (record.attempts, record.finished_at) == ((), START + 150)
    assert totals(store) == {"enqueued": 1, "expired": 1}


def test_stalls_stay_when_the_job_is_retried(store: Store, clock: ManualClock) -> None:
    store.sweep(interval_ms=INTERVAL_MS)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    clock.advance(1000)
    store.sweep(interval_ms=INTERVAL_MS)
    take(store, "u")
    settle(store, Retry(job_id="a", token="u"))
    assert (job(store, "a").stalls, job(store, "a").attempts_made) == (1, 1)


def test_the_history_keeps_its_newest_hundred_attempts(store: Store) -> None:
    add(store, "a")
    for number in range(MAX_HISTORY + 5):
        take(store, f"t{number}")
        settle(store, Retry(job_id="a", token=f"t{number}", failure=b"f"))
    attempts = job(store, "a").attempts
    assert len(attempts) == MAX_HISTORY
    assert [one.attempt for one in attempts] == list(range(6, MAX_HISTORY + 6))
    assert job(store, "a").attempts_made == MAX_HISTORY + 5


# -- fences -----------------------------------------------------------------------


@each_end
def test_a_wrong_token_is_lost_and_changes_nothing(
    store: Store, end: Settlement
) -> None:
    add(store, "a")
    take(store, "right")
    before = job(store, "a"), totals(store)
    answer = store.exchange([end])
    assert (answer.statuses, answer.states) == (("lost",), (None,))
    assert (job(store, "a"), totals(store)) == before


@each_end
def test_a_job_that_is_not_leased_cannot_be_settled(
    store: Store, end: Settlement
) -> None:
    add(store, "a")
    before = job(store, "a")
    assert settle(store, end) == "lost"
    assert job(store, "a") == before


@each_end
def test_an_unknown_job_cannot_be_settled(store: Store, end: Settlement) -> None:
    assert settle(store, end) == "lost"
    assert store.get_job("a") is None
    assert store.list_queues() == []


@each_end
def test_a_repeated_settlement_is_already_done_and_changes_nothing(
    store: Store, clock: ManualClock, end: Settlement
) -> None:
    run_for(store, clock, 50)
    assert settle(store, end) == "ok"
    before = store.get_job("a"), totals(store), minutes(store)
    clock.advance(10)
    answer = store.exchange([end])
    assert (answer.statuses, answer.states) == (("already",), (None,))
    assert (store.get_job("a"), totals(store), minutes(store)) == before
    assert store.fsck() == []


@each_end
def test_a_token_settles_a_job_once_whatever_it_says_later(
    store: Store, end: Settlement
) -> None:
    add(store, "a")
    take(store, "t")
    settle(store, end)
    before = store.get_job("a")
    for other in ENDS:
        assert settle(store, other) == "already"
    assert store.get_job("a") == before


@each_end
def test_a_settlement_twice_in_one_exchange_counts_once(
    store: Store, end: Settlement
) -> None:
    add(store, "a")
    take(store, "t")
    assert store.exchange([end, end]).statuses == ("ok", "already")


@each_end
def test_a_swept_lease_cannot_be_settled(
    store: Store, clock: ManualClock, end: Settlement
) -> None:
    store.sweep(interval_ms=INTERVAL_MS)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    clock.advance(1000)
    store.sweep(interval_ms=INTERVAL_MS)
    before = job(store, "a")
    assert settle(store, end) == "lost"
    assert job(store, "a") == before


@each_end
def test_a_lease_that_ran_out_but_was_not_swept_still_settles(
    store: Store, clock: ManualClock, end: Settlement
) -> None:
    add(store, "a")
    take(store, "t")
    clock.advance(LEASE_MS * 10)
    assert settle(store, end) == "ok"


@each_end
def test_a_late_settlement_does_not_touch_the_next_lease(
    store: Store, clock: ManualClock, end: Settlement
) -> None:
    store.sweep(interval_ms=INTERVAL_MS)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    clock.advance(1000)
    store.sweep(interval_ms=INTERVAL_MS)
    take(store, "u")
    before = job(store, "a")
    assert settle(store, end) == "lost"
    assert job(store, "a") == before
    assert settle(store, Complete(job_id="a", token="u")) == "ok"


def test_a_repeat_after_the_next_claim_is_already_done(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    settle(store, Retry(job_id="a", token="t"))
    take(store, "u")
    before = job(store, "a")
    assert settle(store, Retry(job_id="a", token="t")) == "already"
    assert job(store, "a") == before


def test_a_token_of_one_job_does_not_settle_another(store: Store) -> None:
    add(store, "a", "b")
    take(store, "t", 1)
    take(store, "u", 1)
    assert settle(store, Complete(job_id="b", token="t")) == "lost"
    assert settle(store, Complete(job_id="a", token="u")) == "lost"


def test_an_attempt_number_is_not_a_token(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    assert settle(store, Complete(job_id="a", token="1")) == "lost"
    assert settle(store, Complete(job_id="a", token="")) == "lost"


def test_settlements_are_remembered_for_fifteen_minutes(
    store: Store, clock: ManualClock
) -> None:
    add(store, "a")
    take(store, "t")
    end = Complete(job_id="a", token="t", remove=True)
    settle(store, end)
    for _ in range(15):
        clock.advance(REQUEST_MEMORY_MS // 15)
        add(store, f"x{clock.now}")
        store.sweep(interval_ms=INTERVAL_MS)
    assert settle(store, end) == "already"


def test_a_settlement_is_remembered_after_the_job_was_removed(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    end = Complete(job_id="a", token="t")
    settle(store, end)
    store.remove("a")
    assert settle(store, end) == "already"


# -- batches ----------------------------------------------------------------------


def test_settlements_of_one_exchange_do_not_hinder_each_other(store: Store) -> None:
    add(store, *"abc")
    take(store, "t", 3)
    settle(store, Complete(job_id="b", token="t"))
    answer = store.exchange(
        [
            Complete(job_id="a", token="x"),
            Complete(job_id="b", token="t"),
            Complete(job_id="c", token="t"),
            Complete(job_id="none", token="t"),
        ]
    )
    assert answer.statuses == ("lost", "already", "ok", "lost")
    assert answer.states == (None, None, JobState.COMPLETED, None)
    assert job(store, "a").state is JobState.ACTIVE


def test_settlements_apply_in_order(store: Store) -> None:
    add(store, *"abc")
    take(store, "t", 3)
    store.exchange([Retry(job_id=name, token="t") for name in "cab"])
    assert taken(store, "u", 3) == ["c", "a", "b"]


def test_a_refused_exchange_settles_and_grants_nothing(store: Store) -> None:
    add(store, "a", "b")
    take(store, "t", 1)
    good = Complete(job_id="a", token="t")
    bad = Complete(job_id="a", token="t", jobs=(new(""),))
    with pytest.raises(InvalidArgumentError):
        store.exchange([good, bad])
    assert job(store, "a").state is JobState.ACTIVE
    assert settle(store, good) == "ok"


def test_an_empty_exchange_changes_nothing(store: Store) -> None:
    answer = store.exchange()
    assert (answer.statuses, answer.states, answer.jobs) == ((), (), ())
    assert answer.now == START
