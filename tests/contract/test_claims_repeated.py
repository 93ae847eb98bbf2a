"""A claim whose reply was lost is sent again under the same id."""

from tests.contract.builders import add, claim, job, settle, take, taken
from workflows.engine.states import JobState
from workflows.store import Complete, QueueLimits, Release, Retry, Store


def test_a_repeated_claim_returns_the_same_jobs(store: Store) -> None:
    add(store, "a", "b", "c")
    first = take(store, "t", 2)
    assert take(store, "t", 2) == first
    assert job(store, "c").state is JobState.WAITING


def test_a_repeated_claim_grants_nothing_new(store: Store) -> None:
    add(store, "a")
    assert taken(store, "t", 5) == ["a"]
    add(store, "b")
    assert taken(store, "t", 5) == ["a"]
    assert job(store, "b").state is JobState.WAITING


def test_a_repeated_claim_lists_only_what_its_token_still_holds(store: Store) -> None:
    add(store, *"abcd")
    take(store, "t", 4)
    settle(store, Complete(job_id="a", token="t"))
    settle(store, Retry(job_id="b", token="t"))
    settle(store, Release(job_id="c", token="t", started=False))
    assert taken(store, "u", 1) == ["c"]
    assert taken(store, "t", 4) == ["d"]


def test_a_claim_that_holds_nothing_any_more_grants_nothing_new(store: Store) -> None:
    add(store, "a", "b")
    take(store, "t", 1)
    settle(store, Complete(job_id="a", token="t"))
    assert taken(store, "t", 1) == []
    assert job(store, "b").state is JobState.WAITING


def test_a_repeated_claim_shows_a_renewed_lease(store: Store) -> None:
    add(store, "a")
    (first,) = take(store, "t")
    store.renew("me", [("a", "t")], lease_ms=90_000)
    (again,) = take(store, "t")
    assert again.lease_until == first.started_at + 90_000


def test_a_repeated_claim_takes_no_rate_slot(store: Store) -> None:
    store.declare_queue("mail", QueueLimits(rate_max=2, rate_ms=1000))
    add(store, "a", "b", "c")
    take(store, "t", 1)
    take(store, "t", 1)
    assert taken(store, "u", 5) == ["b"]


def test_a_repeated_exchange_settles_once_and_grants_once(store: Store) -> None:
    add(store, "a", "b", "c")
    take(store, "t", 1)
    end = Complete(job_id="a", token="t", result=b"1")
    first = store.exchange([end], claim("u", 1))
    again = store.exchange([end], claim("u", 1))
    assert (first.statuses, again.statuses) == (("ok",), ("already",))
    assert (first.states, again.states) == ((JobState.COMPLETED,), (None,))
    assert first.jobs == again.jobs
    assert job(store, "a").attempts_made == 1


def test_a_settlement_and_a_claim_in_one_exchange_see_each_other(store: Store) -> None:
    store.declare_queue("mail", QueueLimits(concurrency=1))
    add(store, "a", "b")
    take(store, "t", 2)
    answer = store.exchange([Complete(job_id="a", token="t")], claim("u", 2))
    assert [leased.id for leased in answer.jobs] == ["b"]
