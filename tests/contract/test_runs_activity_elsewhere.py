"""Activities that no worker runs: cancelled, settled or completed from elsewhere."""

from typing import Any

import pytest

from tests.clock import START, ManualClock
from tests.contract.activity_builders import CLOCKS, OUTCOME, overdue, schedule, work
from tests.contract.builders import INTERVAL_MS, ME, job, totals
from tests.contract.run_builders import (
    WORK,
    activity,
    closed,
    commit,
    do,
    end,
    exchange,
    inbox,
    inline,
    limits,
    run,
    send,
    start,
    take_task,
    take_work,
    unscheduled,
)
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    Beat,
    Bury,
    Cancel,
    Commit,
    Complete,
    Detach,
    QueueLimits,
    Release,
    Retry,
    Return,
    Settlement,
    SettleStatus,
    Store,
)

OK, ALREADY, LOST = SettleStatus.OK, SettleStatus.ALREADY, SettleStatus.LOST


def test_a_released_activity_never_dies(run_store: Store) -> None:
    schedule(run_store, max_stalls=0)
    for number in range(13):
        work(run_store, f"a{number}")
        last = Release(job_id="act", token=f"a{number}", started=True)
        assert exchange(run_store, last).states == (JobState.WAITING,)
    assert run_store.fsck() == []


@pytest.mark.parametrize("delay_ms", [0, 50])
def test_cancelling_a_pending_activity_removes_it_and_says_so(
    run_store: Store, delay_ms: int
) -> None:
    schedule(run_store, delay_ms=delay_ms, deadlines=CLOCKS)
    send(run_store)
    do(run_store, cancel_activities=(unscheduled(),))
    assert run_store.get_job("act") is None
    assert inbox(run_store) == [(2, "activity_canceled", b"s")]
    assert take_task(run_store).run_id == "r"
    assert totals(run_store, WORK) == {"enqueued": 1}
    assert run_store.fsck() == []


def test_cancelling_an_active_activity_asks_it(run_store: Store) -> None:
    schedule(run_store)
    work(run_store)
    send(run_store)
    do(run_store, cancel_activities=(unscheduled(),))
    assert inbox(run_store) == []
    assert run_store.beat("act", "a", b"") == Beat(held=True, cancel_requested=True)
    assert job(run_store, "act").cancel_requested


def test_cancelling_what_is_not_an_activity_of_the_run_does_nothing(
    run_store: Store,
) -> None:
    schedule(run_store)
    start(run_store, "r2", "w2")
    do(
        run_store,
        "r2",
        cancel_activities=(unscheduled(), unscheduled("unknown")),
    )
    assert inbox(run_store, "r2") == []
    assert job(run_store, "act").state is JobState.WAITING


def test_starting_and_cancelling_in_one_commit_leaves_only_the_entry(
    run_store: Store,
) -> None:
    start(run_store)
    do(run_store, activities=(activity(),), cancel_activities=(unscheduled(),))
    assert run_store.get_job("act") is None
    assert inbox(run_store) == [(1, "activity_canceled", b"s")]


@pytest.mark.parametrize("by", ["its run", "the end of its run", "nobody"])
def test_the_settlement_of_an_activity_that_was_removed_later_is_still_known(
    run_store: Store, clock: ManualClock, by: str
) -> None:
    schedule(run_store)
    work(run_store)
    again = Retry(job_id="act", token="a", delay_ms=50)
    assert exchange(run_store, again).statuses == (OK,)
    if by == "its run":
        send(run_store)
        do(run_store, cancel_activities=(unscheduled(),))
    elif by == "nobody":
        exchange(run_store, Cancel(job_id="act", token=""))
    else:
        end(run_store)
    clock.advance(10)
    run_store.prune_runs(age_ms=0)
    assert run_store.get_job("act") is None
    assert exchange(run_store, again).statuses == (ALREADY,)


# -- settling what nobody runs --


@pytest.mark.parametrize("delay_ms", [0, 50])
def test_a_pending_activity_is_settled_with_an_empty_token(
    run_store: Store, delay_ms: int
) -> None:
    schedule(run_store, delay_ms=delay_ms)
    late = Bury(
        job_id="act",
        token="",
        failure=b"f",
        reason=DeadReason.TIMEOUT,
        spend=False,
        outcome=OUTCOME,
    )
    assert exchange(run_store, late).statuses == (OK,)
    assert run_store.get_job("act") is None
    assert inbox(run_store) == [(1, "activity", b"outcome")]
    assert exchange(run_store, late).statuses == (ALREADY,)
    queue = run_store.get_queue(WORK)
    assert queue is not None
    assert set(queue.counts.values()) == {0}
    assert run_store.fsck() == []


def test_the_empty_token_of_a_retry_is_known_once_the_activity_runs(
    run_store: Store,
) -> None:
    schedule(run_store)
    again = Retry(job_id="act", token="", failure=b"f")
    assert exchange(run_store, again).statuses == (OK,)
    work(run_store)
    assert exchange(run_store, again).statuses == (ALREADY,)


def test_an_empty_token_does_not_settle_what_runs_or_is_no_activity(
    run_store: Store,
) -> None:
    schedule(run_store)
    work(run_store)
    assert exchange(run_store, Cancel(job_id="act", token="")).statuses == (LOST,)
    send(run_store)
    assert exchange(run_store, Cancel(job_id="wft:r", token="")).statuses == (LOST,)
    assert job(run_store, "act").state is JobState.ACTIVE


@pytest.mark.parametrize(
    "wrong",
    [
        Detach(job_id="act", token=""),
        Release(job_id="act", token="", started=False),
        Release(job_id="act", token="", started=True),
        Commit(job_id="act", token="", run_id="r", length=1, at=START),
        Commit(job_id="act", token="", run_id="r", length=9, at=START),
    ],
    ids=["detach", "unstarted", "started", "commit", "commit-that-does-not-fit"],
)
def test_what_needs_a_worker_does_not_settle_a_pending_activity(
    run_store: Store, wrong: Settlement
) -> None:
    schedule(run_store)
    before = job(run_store, "act")
    assert exchange(run_store, wrong).statuses == (LOST,)
    assert job(run_store, "act") == before
    assert work(run_store).id == "act"
    assert run_store.fsck() == []


@pytest.mark.parametrize("by", ["nobody", "elsewhere"])
def test_what_no_worker_runs_does_not_linger(run_store: Store, by: str) -> None:
    run_store.declare_queue(WORK, QueueLimits(concurrency=1))
    if by == "nobody":
        schedule(run_store)
    else:
        detached(run_store)
    token = "" if by == "nobody" else "a"
    exchange(run_store, Retry(job_id="act", token=token, linger=True))
    assert work(run_store, "a2").id == "act"
    assert run_store.fsck() == []


def test_a_lingering_activity_keeps_its_place(run_store: Store) -> None:
    run_store.declare_queue(WORK, QueueLimits(concurrency=1))
    schedule(run_store)
    work(run_store)
    exchange(run_store, Retry(job_id="act", token="a", linger=True))
    assert take_work(run_store, "a2") == ()
    exchange(run_store, Return(job_id="act", token="a"))
    assert work(run_store, "a3").id == "act"


def test_a_pending_activity_can_be_retried(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store, deadlines=limits(schedule_to_start=10))
    clock.advance(10)
    again = Retry(job_id="act", token="", failure=b"unknown", delay_ms=5)
    assert exchange(run_store, again).states == (JobState.DELAYED,)
    assert run_store.list_overdue() == []
    record = job(run_store, "act")
    assert (record.owner, record.started_at) == (None, None)
    (attempt,) = record.attempts
    assert (attempt.owner, attempt.outcome) == ("", "retry")
    assert attempt.started_at == attempt.ended_at == START + 10
    clock.advance(5)
    leased = work(run_store)
    assert (leased.attempt, leased.failure) == (2, b"unknown")
    assert run_store.fsck() == []


# -- completion from elsewhere --


def detached(store: Store, **fields: Any) -> None:
    """Start the run with an activity that is detached."""
    schedule(store, **fields)
    work(store)
    done = exchange(store, Detach(job_id="act", token="a"))
    assert (done.statuses, done.states) == ((OK,), (JobState.ACTIVE,))


def test_a_detached_activity_is_active_without_a_worker(
    run_store: Store, clock: ManualClock
) -> None:
    run_store.declare_queue(WORK, QueueLimits(concurrency=1))
    detached(run_store)
    record = job(run_store, "act")
    assert (record.state, record.detached) == (JobState.ACTIVE, True)
    assert (record.lease_until, record.owner) == (None, ME)
    assert run_store.renew(ME, [("act", "a")], lease_ms=5).lost == ("act",)
    run_store.sweep(interval_ms=INTERVAL_MS)
    clock.advance(10**9)
    assert run_store.sweep(interval_ms=10**9) == []
    send(run_store)
    do(run_store, activities=(activity("next"),))
    assert work(run_store, "a2").id == "next"  # its place is free
    assert run_store.fsck() == []
    done = exchange(run_store, Complete(job_id="act", token="a", outcome=OUTCOME))
    assert done.statuses == (OK,)
    assert inbox(run_store) == [(2, "activity", b"outcome")]
    assert run_store.fsck() == []


def test_a_repeated_claim_does_not_return_what_was_detached(run_store: Store) -> None:
    detached(run_store)
    assert take_work(run_store, "a") == ()


def test_a_repeated_commit_does_not_return_what_was_detached(run_store: Store) -> None:
    start(run_store)
    take_task(run_store)
    whole = commit(run_store, activities=(activity(),), inline=inline())
    assert len(exchange(run_store, whole).jobs) == 1
    exchange(run_store, Detach(job_id="act", token="in"))
    again = exchange(run_store, whole)
    assert (again.statuses, again.jobs) == ((ALREADY,), ())


def test_detaching_again_changes_nothing(run_store: Store) -> None:
    detached(run_store)
    assert exchange(run_store, Detach(job_id="act", token="a")).statuses == (OK,)
    assert exchange(run_store, Detach(job_id="act", token="b")).statuses == (LOST,)
    exchange(run_store, Complete(job_id="act", token="a"))
    assert exchange(run_store, Detach(job_id="act", token="a")).statuses == (ALREADY,)
    assert run_store.fsck() == []


def test_the_deadlines_of_a_detached_activity_hold_and_it_may_beat(
    run_store: Store, clock: ManualClock
) -> None:
    detached(run_store, deadlines=limits(heartbeat=5, start_to_close=12))
    clock.advance(4)
    assert run_store.beat("act", "a", b"1").held
    clock.advance(4)
    assert overdue(run_store) == []
    clock.advance(4)
    assert overdue(run_store) == [("act", "a")]
    exchange(run_store, Retry(job_id="act", token="a", failure=b"timeout"))
    record = job(run_store, "act")
    assert (record.state, record.detached) == (JobState.WAITING, False)
    assert work(run_store, "a2").attempt == 2
    assert run_store.fsck() == []


def test_only_an_activity_is_detached(run_store: Store) -> None:
    start(run_store)
    take_task(run_store)
    with pytest.raises(InvalidArgumentError):
        exchange(run_store, Detach(job_id="wft:r", token="t"))


def test_a_detached_activity_ends_with_its_pruned_run(
    run_store: Store, clock: ManualClock
) -> None:
    detached(run_store)
    end(run_store, closed())
    assert run(run_store).closed_at == START
    clock.advance(10)
    assert run_store.prune_runs(age_ms=5).count == 1
    assert run_store.get_job("act") is None
    assert run_store.fsck() == []


def test_nobody_owns_the_end_of_a_pending_activity_that_ran_before(
    run_store: Store,
) -> None:
    schedule(run_store)
    token = work(run_store).token
    exchange(run_store, Retry(job_id="act", token=token))
    exchange(run_store, Retry(job_id="act", token="", failure=b"late"))
    assert [one.owner for one in job(run_store, "act").attempts] == [ME, ""]
