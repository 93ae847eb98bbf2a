"""Values beside the jobs, and locks that belong to a lease."""

import pytest

from tests.clock import ManualClock
from tests.contract.builders import add, claim, settle, take, taken
from workflows.engine.states import DeadReason
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    Bury,
    Cancel,
    Complete,
    Expire,
    Release,
    Retry,
    Settlement,
    Store,
)

SPACES = ("result", "value", "revoked", "lock", "join", "metric")


def test_a_value_is_what_was_put_last(store: Store) -> None:
    store.put_value("value", "k", b"1")
    store.put_value("value", "k", b"2")
    assert store.get_values("value", ["k", "none"]) == {"k": b"2"}


def test_values_and_keys_hold_anything(store: Store) -> None:
    keys = {"": b"", "ü:{}/\n": bytes(range(256)), "a" * 500: b"x" * 100_000}
    for key, value in keys.items():
        store.put_value("value", key, value)
    assert store.get_values("value", [*keys]) == keys
    assert store.list_values("value") == keys


def test_getting_no_values_is_fine(store: Store) -> None:
    assert store.get_values("value", []) == {}


@pytest.mark.parametrize("space", SPACES)
def test_spaces_do_not_mix(store: Store, space: str) -> None:
    for name in SPACES:
        store.put_value(name, "k", name.encode())
    store.flush_values(space)
    assert store.list_values(space) == {}
    for name in set(SPACES) - {space}:
        assert store.list_values(name) == {"k": name.encode()}


def test_a_value_is_put_if_absent_once(store: Store) -> None:
    assert store.put_value_if_absent("value", "k", b"1")
    assert not store.put_value_if_absent("value", "k", b"2")
    assert store.get_values("value", ["k"]) == {"k": b"1"}


def test_a_value_is_popped_once(store: Store) -> None:
    store.put_value("result", "k", b"1")
    assert store.pop_value("result", "k") == b"1"
    assert store.pop_value("result", "k") is None


def test_a_value_is_deleted_once(store: Store) -> None:
    store.put_value("result", "k", b"")
    assert store.delete_value("result", "k") is True
    assert store.delete_value("result", "k") is False


def test_a_counter_starts_at_nothing_and_reads_as_digits(store: Store) -> None:
    assert store.increment("metric", "n") == 1
    assert store.increment("metric", "n", 41) == 42
    assert store.increment("metric", "n", -50) == -8
    assert store.get_values("metric", ["n"]) == {"n": b"-8"}


def test_digits_that_were_put_can_be_incremented(store: Store) -> None:
    store.put_value("metric", "n", b"5")
    assert store.increment("metric", "n") == 6


def test_what_is_not_a_counter_cannot_be_incremented(store: Store) -> None:
    store.put_value("metric", "n", b"x")
    with pytest.raises(InvalidArgumentError):
        store.increment("metric", "n")
    assert store.get_values("metric", ["n"]) == {"n": b"x"}


# -- time to live -----------------------------------------------------------------


def test_a_value_whose_time_is_over_does_not_exist(
    store: Store, clock: ManualClock
) -> None:
    store.put_value("result", "k", b"1", ttl_ms=100)
    clock.advance(99)
    assert store.get_values("result", ["k"]) == {"k": b"1"}
    clock.advance(1)
    assert store.get_values("result", ["k"]) == {}
    assert store.list_values("result") == {}
    assert store.delete_value("result", "k") is False
    assert store.pop_value("result", "k") is None


def test_a_value_whose_time_is_over_can_be_put_and_counted_anew(
    store: Store, clock: ManualClock
) -> None:
    for key in ("k", "n", "p"):
        store.put_value("value", key, b"7", ttl_ms=100)
    clock.advance(100)
    assert store.put_value_if_absent("value", "k", b"2")
    assert store.increment("value", "n") == 1
    store.put_value("value", "p", b"3")
    clock.advance(1_000_000)
    assert store.list_values("value") == {"k": b"2", "n": b"1", "p": b"3"}


def test_a_popped_value_whose_time_is_over_is_nothing(
    store: Store, clock: ManualClock
) -> None:
    store.put_value("result", "k", b"1", ttl_ms=100)
    clock.advance(100)
    assert store.pop_value("result", "k") is None


def test_putting_again_takes_the_new_time_to_live(
    store: Store, clock: ManualClock
) -> None:
    store.put_value("result", "k", b"1", ttl_ms=100)
    store.put_value("result", "k", b"2")
    clock.advance(100)
    assert store.get_values("result", ["k"]) == {"k": b"2"}


def test_if_absent_may_have_a_time_to_live(store: Store, clock: ManualClock) -> None:
    assert store.put_value_if_absent("lock", "k", b"1", ttl_ms=100)
    assert not store.put_value_if_absent("lock", "k", b"2", ttl_ms=900)
    clock.advance(100)
    assert store.put_value_if_absent("lock", "k", b"3")


# -- revocations ------------------------------------------------------------------


def test_an_exchange_says_whether_anything_is_revoked(
    store: Store, clock: ManualClock
) -> None:
    assert store.exchange().revocations is False
    store.put_value("value", "k", b"1")
    assert store.exchange().revocations is False
    store.put_value("revoked", "k", b"1", ttl_ms=100)
    assert store.exchange().revocations is True
    assert store.exchange(claim=claim("t")).revocations is True
    clock.advance(100)
    assert store.exchange().revocations is False
    store.put_value_if_absent("revoked", "k", b"1")
    assert store.exchange().revocations is True
    store.delete_value("revoked", "k")
    assert store.exchange().revocations is False


# -- locks ------------------------------------------------------------------------


def lock(store: Store, key: str, job_id: str, token: str) -> bool:
    return store.put_value_if_absent("lock", key, token.encode(), lease=(job_id, token))


def test_a_lock_needs_a_lease_that_holds(store: Store) -> None:
    add(store, "a")
    assert not lock(store, "k", "a", "t")
    take(store, "t")
    assert not lock(store, "k", "a", "wrong")
    assert not lock(store, "k", "none", "t")
    assert lock(store, "k", "a", "t")
    assert not lock(store, "k", "a", "t")
    settle(store, Complete(job_id="a", token="t"))
    assert not lock(store, "k", "a", "t")
    assert store.list_values("lock") == {}


@pytest.mark.parametrize(
    "end",
    [
        Complete(job_id="a", token="t"),
        Complete(job_id="a", token="t", remove=True),
        Retry(job_id="a", token="t"),
        Retry(job_id="a", token="t", delay_ms=5),
        Bury(job_id="a", token="t", failure=b"", reason=DeadReason.MANUAL),
        Release(job_id="a", token="t", started=True),
        Release(job_id="a", token="t", started=False),
        Cancel(job_id="a", token="t"),
        Expire(job_id="a", token="t"),
    ],
    ids=str,
)
def test_the_end_of_a_lease_frees_its_locks(store: Store, end: Settlement) -> None:
    add(store, "a")
    take(store, "t")
    assert lock(store, "k", "a", "t")
    assert lock(store, "l", "a", "t")
    settle(store, end)
    assert store.list_values("lock") == {}
    assert store.fsck() == []


def test_a_lock_belongs_to_one_job_of_its_claim(store: Store) -> None:
    add(store, "a", "b")
    take(store, "t", 2)
    assert lock(store, "k", "a", "t")
    settle(store, Complete(job_id="b", token="t"))
    assert list(store.list_values("lock")) == ["k"]
    settle(store, Complete(job_id="a", token="t"))
    assert store.list_values("lock") == {}


def test_a_lost_settlement_frees_nothing(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    lock(store, "k", "a", "t")
    settle(store, Complete(job_id="a", token="wrong"))
    assert list(store.list_values("lock")) == ["k"]


def test_a_lock_freed_by_hand_may_be_taken_by_another_lease(store: Store) -> None:
    add(store, "a", "b")
    take(store, "t", 1)
    take(store, "u", 1)
    assert lock(store, "k", "a", "t")
    assert store.delete_value("lock", "k")
    assert lock(store, "k", "b", "u")
    settle(store, Complete(job_id="a", token="t"))
    assert store.get_values("lock", ["k"]) == {"k": b"u"}


def test_a_value_that_replaces_a_lock_does_not_belong_to_the_lease(
    store: Store,
) -> None:
    add(store, "a")
    take(store, "t")
    lock(store, "k", "a", "t")
    store.put_value("lock", "k", b"mine")
    settle(store, Complete(job_id="a", token="t"))
    assert store.get_values("lock", ["k"]) == {"k": b"mine"}


def test_a_lock_may_end_before_its_lease(store: Store, clock: ManualClock) -> None:
    add(store, "a", "b")
    take(store, "t", 1)
    take(store, "u", 1)
    assert store.put_value_if_absent("lock", "k", b"", ttl_ms=100, lease=("a", "t"))
    clock.advance(100)
    assert lock(store, "k", "b", "u")
    settle(store, Complete(job_id="a", token="t"))
    assert store.get_values("lock", ["k"]) == {"k": b"u"}


def test_a_value_of_a_lease_may_be_in_any_space(store: Store) -> None:
    add(store, "a")
    take(store, "t")
    store.put_value_if_absent("value", "k", b"1", lease=("a", "t"))
    settle(store, Complete(job_id="a", token="t"))
    assert store.list_values("value") == {}


def test_a_follow_up_may_take_the_lock_that_its_parent_held(store: Store) -> None:
    add(store, "a", "b")
    take(store, "t", 1)
    lock(store, "k", "a", "t")
    answer = store.exchange([Complete(job_id="a", token="t")], claim("u"))
    assert [leased.id for leased in answer.jobs] == ["b"]
    assert lock(store, "k", "b", "u")
    assert taken(store, "v") == []
