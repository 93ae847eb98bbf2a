"""Activities: how they run and end, and what their run hears."""

from dataclasses import replace

import pytest

from tests.clock import START, ManualClock
from tests.contract.activity_builders import CLOCKS, OUTCOME, schedule, work
from tests.contract.builders import job, minutes, totals
from tests.contract.run_builders import (
    WORK,
    activity,
    do,
    end,
    entry,
    exchange,
    inbox,
    send,
    take_task,
    take_tasks,
    take_work,
    unscheduled,
)
from workflows.engine.states import DeadReason, JobState
from workflows.store import (
    Bury,
    Cancel,
    Complete,
    Expire,
    JobKind,
    Release,
    Retry,
    Settlement,
    SettleStatus,
    Store,
    Value,
)

OK, ALREADY = SettleStatus.OK, SettleStatus.ALREADY


def test_an_activity_is_a_job_of_its_queue(run_store: Store) -> None:
    schedule(run_store, deadlines=CLOCKS, headers=b"h", priority=4, trace="00-t")
    record = job(run_store, "act")
    assert (record.kind, record.run_id, record.state) == (
        JobKind.ACTIVITY,
        "r",
        JobState.WAITING,
    )
    assert (record.deadlines, record.close_at) == (CLOCKS, START + 100)
    assert (record.beat_at, record.details, record.detached) == (None, b"", False)
    leased = work(run_store)
    assert (leased.kind, leased.run_id, leased.type) == (
        JobKind.ACTIVITY,
        "r",
        "activity/charge",
    )
    assert (leased.payload, leased.headers, leased.priority) == (b"input", b"h", 4)
    assert (leased.deadlines, leased.close_at) == (CLOCKS, START + 100)
    assert (leased.details, leased.failure, leased.trace) == (b"", b"", "00-t")
    assert run_store.fsck() == []


ENDS: list[Settlement] = [
    Complete(job_id="act", token="a", result=b"r", outcome=OUTCOME),
    Bury(
        job_id="act",
        token="a",
        failure=b"f",
        reason=DeadReason.EXHAUSTED,
        outcome=OUTCOME,
    ),
    Cancel(job_id="act", token="a", outcome=OUTCOME),
    Expire(job_id="act", token="a", outcome=OUTCOME),
]
each_end = pytest.mark.parametrize(
    "ending", ENDS, ids=[type(each).__name__ for each in ENDS]
)


@each_end
def test_the_end_of_an_activity_leaves_no_record_but_an_outcome_and_a_task(
    run_store: Store, ending: Settlement
) -> None:
    schedule(run_store)
    work(run_store)
    assert exchange(run_store, ending).statuses == (OK,)
    assert run_store.get_job("act") is None
    assert inbox(run_store) == [(1, "activity", b"outcome")]
    assert exchange(run_store, ending).statuses == (ALREADY,)
    assert len(inbox(run_store)) == 1
    assert take_task(run_store).run_id == "r"
    queue = run_store.get_queue(WORK)
    assert queue is not None
    assert set(queue.counts.values()) == {0}
    assert run_store.fsck() == []


def test_every_end_of_activities_is_counted(run_store: Store) -> None:
    schedule(run_store, *(activity(f"a{number}") for number in range(1, 5)))
    take_work(run_store, slots=4)
    exchange(
        run_store,
        Complete(job_id="a1", token="a"),
        Bury(job_id="a2", token="a", failure=b"f", reason=DeadReason.NON_RETRYABLE),
        Cancel(job_id="a3", token="a"),
        Expire(job_id="a4", token="a"),
    )
    ends = {"enqueued": 4, "completed": 1, "cancelled": 1, "expired": 1}
    assert totals(run_store, WORK) == {**ends, "dead:non_retryable": 1}
    assert minutes(run_store, WORK) == {**ends, "dead": 1}


@each_end
def test_an_end_for_a_closed_run_writes_nothing_more(
    run_store: Store, ending: Settlement
) -> None:
    schedule(run_store)
    work(run_store)
    end(run_store)
    late = replace(ending, values=(Value(key="k", value=b"v"),))
    assert exchange(run_store, late).statuses == (OK,)
    assert run_store.get_job("act") is None
    assert inbox(run_store) == []
    assert take_tasks(run_store) == ()
    assert run_store.get_values("result", ["k"]) == {}
    assert run_store.fsck() == []


def test_an_end_writes_values_like_any_settlement(run_store: Store) -> None:
    schedule(run_store)
    work(run_store)
    value = Value(key="k", value=b"v")
    exchange(run_store, Complete(job_id="act", token="a", values=(value,)))
    assert run_store.get_values("result", ["k"]) == {"k": b"v"}
    assert inbox(run_store) == []  # it had no outcome


def test_a_retry_tells_the_run_nothing_and_keeps_failure_and_details(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store)
    work(run_store)
    run_store.beat("act", "a", b"half")
    retry = Retry(
        job_id="act", token="a", failure=b"oops", delay_ms=50, outcome=OUTCOME
    )
    assert exchange(run_store, retry).states == (JobState.DELAYED,)
    assert inbox(run_store) == []
    record = job(run_store, "act")
    assert (record.beat_at, record.details) == (None, b"half")
    clock.advance(50)
    leased = work(run_store, "a2")
    assert (leased.attempt, leased.failure, leased.details) == (2, b"oops", b"half")
    assert totals(run_store, WORK) == {"enqueued": 1, "retried": 1}


@pytest.mark.parametrize(
    "last",
    [
        Retry(job_id="act", token="a", failure=b"f", outcome=OUTCOME),
        Release(job_id="act", token="a", started=True, outcome=OUTCOME),
        Release(job_id="act", token="a", started=False, outcome=OUTCOME),
    ],
    ids=["retry", "release", "unstarted"],
)
def test_after_a_cancel_request_a_retry_or_release_ends_the_activity(
    run_store: Store, last: Settlement
) -> None:
    schedule(run_store)
    work(run_store)
    send(run_store)
    do(run_store, cancel_activities=(unscheduled(),))
    assert exchange(run_store, last).states == (JobState.CANCELLED,)
    assert run_store.get_job("act") is None
    assert inbox(run_store) == [(2, "activity", b"outcome")]


def test_many_outcomes_of_one_exchange_come_in_their_order(run_store: Store) -> None:
    schedule(run_store, activity("a1"), activity("a2"), activity("a3"))
    take_work(run_store, slots=3)
    exchange(
        run_store,
        *(
            Complete(job_id=name, token="a", outcome=entry("activity", name.encode()))
            for name in ("a2", "a1", "a3")
        ),
    )
    assert [data for _, _, data in inbox(run_store)] == [b"a2", b"a1", b"a3"]
    assert len(take_tasks(run_store)) == 1
    assert run_store.fsck() == []
