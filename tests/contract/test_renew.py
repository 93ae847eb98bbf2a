"""Keeping leases."""

from tests.clock import START, ManualClock
from tests.contract.builders import (
    INTERVAL_MS,
    LEASE_MS,
    ME,
    add,
    job,
    settle,
    take,
    taken,
)
from workflows.engine.states import JobState
from workflows.store import Complete, Retry, Store


def test_a_renewal_extends_the_lease_from_now(store: Store, clock: ManualClock) -> None:
    add(store, "a")
    take(store, "t")
    clock.advance(10_000)
    answer = store.renew(ME, [("a", "t")], lease_ms=7_000)
    assert (answer.lost, answer.cancel_requested) == ((), ())
    assert answer.now == START + 10_000
    assert job(store, "a").lease_until == START + 17_000


def test_a_renewal_may_be_repeated(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    first = store.renew(ME, [("a", "t")], lease_ms=1000)
    assert store.renew(ME, [("a", "t"), ("a", "t")], lease_ms=1000) == first


def test_many_leases_are_renewed_at_once_and_the_lost_ones_named(store: Store) -> None:
    add(store, *"abcd")
    take(store, "t", 4)
    settle(store, Complete(job_id="b", token="t"))
    settle(store, Retry(job_id="c", token="t"))
    pairs = [("a", "t"), ("b", "t"), ("c", "t"), ("d", "x"), ("none", "t")]
    answer = store.renew(ME, pairs, lease_ms=90_000)
    assert answer.lost == ("b", "c", "d", "none")
    assert job(store, "a").lease_until == START + 90_000
    assert job(store, "d").lease_until == START + LEASE_MS


def test_a_renewal_of_nothing_is_fine(store: Store) -> None:
    answer = store.renew(ME, [], lease_ms=1000)
    assert (answer.lost, answer.cancel_requested) == ((), ())


def test_a_lease_that_ran_out_but_was_not_swept_is_renewed(
    store: Store, clock: ManualClock
) -> None:
    store.sweep(interval_ms=INTERVAL_MS)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    clock.advance(5000)
    assert store.renew(ME, [("a", "t")], lease_ms=1000).lost == ()
    assert store.sweep(interval_ms=INTERVAL_MS) == []
    assert job(store, "a").state is JobState.ACTIVE


def test_a_swept_lease_is_never_revived(store: Store, clock: ManualClock) -> None:
    store.sweep(interval_ms=INTERVAL_MS)
    add(store, "a")
    take(store, "t", lease_ms=1000)
    clock.advance(1000)
    store.sweep(interval_ms=INTERVAL_MS)
    before = job(store, "a")
    assert store.renew(ME, [("a", "t")], lease_ms=1000).lost == ("a",)
    assert job(store, "a") == before
    assert taken(store, "u") == ["a"]
    assert store.renew(ME, [("a", "t")], lease_ms=99_000).lost == ("a",)
    assert job(store, "a").lease_until == clock.now + LEASE_MS


def test_a_settled_lease_is_never_revived(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    settle(store, Complete(job_id="a", token="t"))
    assert store.renew(ME, [("a", "t")], lease_ms=1000).lost == ("a",)
    assert job(store, "a").state is JobState.COMPLETED
    assert store.fsck() == []


def test_the_token_is_the_fence_not_the_owner(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    assert store.renew("somebody else", [("a", "t")], lease_ms=1000).lost == ()


def test_a_renewal_may_shorten_a_lease(store: Store, clock: ManualClock) -> None:
    add(store, "a")
    take(store, "t", lease_ms=90_000)
    store.renew(ME, [("a", "t")], lease_ms=1000)
    assert job(store, "a").lease_until == START + 1000
