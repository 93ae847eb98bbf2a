"""What is written with a settlement: jobs, values, joins."""

from collections.abc import Callable

import pytest

from tests.clock import ManualClock
from tests.contract.builders import add, job, new, settle, take, taken, totals
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    Bury,
    Cancel,
    Complete,
    Expire,
    Join,
    NewJob,
    Release,
    Retry,
    Settlement,
    Store,
    Value,
)


def run(store: Store, *ids: str) -> None:
    add(store, *ids)
    assert taken(store, "t", len(ids)) == [*ids]


def test_follow_up_jobs_are_enqueued_in_order(store: Store) -> None:
    run(store, "a")
    end = Complete(job_id="a", token="t", jobs=(new("c"), new("b", delay_ms=50)))
    settle(store, end)
    assert job(store, "c").state is JobState.WAITING
    assert job(store, "b").state is JobState.DELAYED
    assert totals(store) == {"enqueued": 3, "completed": 1}


@pytest.mark.parametrize(
    "kind",
    [
        lambda jobs: Complete(job_id="a", token="t", jobs=jobs, remove=True),
        lambda jobs: Retry(job_id="a", token="t", jobs=jobs),
        lambda jobs: Bury(
            job_id="a", token="t", jobs=jobs, failure=b"", reason=DeadReason.MANUAL
        ),
        lambda jobs: Release(job_id="a", token="t", jobs=jobs, started=True),
        lambda jobs: Cancel(job_id="a", token="t", jobs=jobs),
        lambda jobs: Expire(job_id="a", token="t", jobs=jobs),
    ],
    ids=["complete", "retry", "bury", "release", "cancel", "expire"],
)
def test_every_settlement_may_have_follow_ups(
    store: Store, kind: Callable[[tuple[NewJob, ...]], Settlement]
) -> None:
    run(store, "a")
    assert settle(store, kind((new("b", queue="other"),))) == "ok"
    assert job(store, "b").queue == "other"


def test_a_follow_up_whose_id_is_taken_is_skipped(store: Store) -> None:
    add(store, "b", payload=b"old", priority=9)
    run(store, "a")
    jobs = (new("b", payload=b"new"), new("c"), new("a"))
    assert settle(store, Complete(job_id="a", token="t", jobs=jobs)) == "ok"
    assert job(store, "b").payload == b"old"
    assert job(store, "c").state is JobState.WAITING
    assert job(store, "a").state is JobState.COMPLETED


def test_a_follow_up_may_take_the_dedup_id_that_its_parent_frees(store: Store) -> None:
    add(store, "a", dedup_id="d")
    take(store, "t")
    jobs: tuple[NewJob, ...] = (new("b", dedup_id="d"), new("c", dedup_id="d"))
    settle(store, Complete(job_id="a", token="t", jobs=jobs))
    assert job(store, "b").state is JobState.WAITING
    assert store.get_job("c") is None


def test_a_follow_up_may_take_the_id_of_a_record_that_is_not_kept(
    store: Store,
) -> None:
    run(store, "a")
    jobs = (new("a", payload=b"again"),)
    answer = store.exchange([Complete(job_id="a", token="t", jobs=jobs, remove=True)])
    assert answer.states == (JobState.COMPLETED,)
    record = job(store, "a")
    assert (record.state, record.payload) == (JobState.WAITING, b"again")
    assert record.attempts == ()
    assert taken(store, "u") == ["a"]
    assert store.fsck() == []


def test_a_repeated_settlement_enqueues_its_follow_ups_once(store: Store) -> None:
    run(store, "a")
    end = Complete(job_id="a", token="t", jobs=(new("b"),))
    settle(store, end)
    store.remove("b")
    assert settle(store, end) == "already"
    assert store.get_job("b") is None


def test_a_lost_settlement_writes_no_follow_ups(store: Store) -> None:
    run(store, "a")
    end = Complete(
        job_id="a",
        token="wrong",
        jobs=(new("b"),),
        values=(Value(key="k", value=b"v"),),
        join=Join(key="j", index=0, size=1, value=b"v", job=new("c")),
    )
    assert settle(store, end) == "lost"
    assert (store.get_job("b"), store.get_job("c")) == (None, None)
    assert store.list_values("result") == {}
    assert store.list_values("join") == {}


def test_an_unacceptable_follow_up_refuses_the_settlement(store: Store) -> None:
    run(store, "a")
    with pytest.raises(InvalidArgumentError):
        settle(store, Complete(job_id="a", token="t", jobs=(new("b"), new("", id=""))))
    assert job(store, "a").state is JobState.ACTIVE
    assert store.get_job("b") is None


# -- values -----------------------------------------------------------------------


def test_values_are_written_with_the_settlement(store: Store) -> None:
    run(store, "a")
    values = (Value(key="k", value=b"1"), Value(key="empty", value=b""))
    settle(store, Complete(job_id="a", token="t", values=values))
    assert store.list_values("result") == {"k": b"1", "empty": b""}


def test_a_settlement_replaces_an_older_value(store: Store) -> None:
    store.put_value("result", "k", b"old", ttl_ms=10)
    run(store, "a")
    settle(store, Retry(job_id="a", token="t", values=(Value(key="k", value=b"1"),)))
    assert store.get_values("result", ["k"]) == {"k": b"1"}


def test_a_settled_value_may_have_a_time_to_live(
    store: Store, clock: ManualClock
) -> None:
    run(store, "a")
    values = (Value(key="k", value=b"1", ttl_ms=100),)
    settle(store, Complete(job_id="a", token="t", values=values))
    clock.advance(99)
    assert store.get_values("result", ["k"]) == {"k": b"1"}
    clock.advance(1)
    assert store.get_values("result", ["k"]) == {}


def test_a_value_taken_by_its_reader_does_not_come_back_with_a_repeat(
    store: Store,
) -> None:
    run(store, "a")
    end = Complete(job_id="a", token="t", values=(Value(key="k", value=b"1"),))
    settle(store, end)
    assert store.pop_value("result", "k") == b"1"
    settle(store, end)
    assert store.pop_value("result", "k") is None


# -- joins ------------------------------------------------------------------------


def member(job_id: str, index: int, *, size: int = 3, token: str = "t") -> Complete:
    join = Join(
        key="chord",
        index=index,
        size=size,
        value=f"v{index}".encode(),
        job=new("last", queue="other"),
    )
    return Complete(job_id=job_id, token=token, join=join)


def test_the_last_member_enqueues_the_job(store: Store) -> None:
    run(store, *"abc")
    settle(store, member("a", 2))
    settle(store, member("c", 0))
    assert store.get_job("last") is None
    settle(store, member("b", 1))
    assert job(store, "last").state is JobState.WAITING
    keys = [f"chord:{index}" for index in range(3)]
    values = store.get_values("join", keys)
    assert values == {"chord:0": b"v0", "chord:1": b"v1", "chord:2": b"v2"}


def test_all_members_may_end_in_one_exchange(store: Store) -> None:
    run(store, *"abc")
    store.exchange([member("a", 0), member("b", 1), member("c", 2)])
    assert job(store, "last").queue == "other"


def test_a_join_of_one_enqueues_at_once(store: Store) -> None:
    run(store, "a")
    settle(store, member("a", 0, size=1))
    assert job(store, "last").state is JobState.WAITING


def test_an_index_counts_once_and_its_first_report_wins(store: Store) -> None:
    run(store, *"abc")
    settle(store, member("a", 0))
    again = Join(key="chord", index=0, size=3, value=b"x", job=new("last"))
    settle(store, Complete(job_id="b", token="t", join=again))
    settle(store, member("c", 1))
    assert store.get_job("last") is None
    assert store.get_values("join", ["chord:0"]) == {"chord:0": b"v0"}


def test_the_job_of_a_join_is_enqueued_once(store: Store) -> None:
    run(store, *"ab")
    store.exchange([member("a", 0, size=1)])
    store.remove("last")
    settle(store, member("b", 0, size=1))
    assert store.get_job("last") is None


def test_joins_of_different_keys_do_not_mix(store: Store) -> None:
    run(store, *"ab")
    one = Join(key="x", index=0, size=2, value=b"", job=new("x-last"))
    two = Join(key="y", index=1, size=2, value=b"", job=new("y-last"))
    settle(store, Complete(job_id="a", token="t", join=one))
    settle(store, Complete(job_id="b", token="t", join=two))
    assert (store.get_job("x-last"), store.get_job("y-last")) == (None, None)
