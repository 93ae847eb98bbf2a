"""Activities: how they run and end, what their run hears, deadlines, heartbeats."""

from dataclasses import replace
from typing import Any

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import INTERVAL_MS, LEASE_MS, ME, job, minutes, totals
from tests.contract.run_builders import (
    WORK,
    activity,
    closed,
    commit,
    do,
    end,
    entry,
    exchange,
    inbox,
    inline,
    limits,
    run,
    send,
    start,
    take_task,
    take_tasks,
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
    Expire,
    JobKind,
    LeasedJob,
    QueueLimits,
    Release,
    Retry,
    Return,
    Settlement,
    SettleStatus,
    Store,
    Value,
)

OK, ALREADY, LOST = SettleStatus.OK, SettleStatus.ALREADY, SettleStatus.LOST
OUTCOME = entry("activity", b"outcome")
CLOCKS = limits(
    schedule_to_start=10, start_to_close=20, schedule_to_close=100, heartbeat=5
)


def schedule(store: Store, *jobs: Any, **fields: Any) -> None:
    """Start the run with these activities (one, `act`, with these fields)."""
    start(store)
    do(store, activities=jobs or (activity(**fields),))


def work(store: Store, token: str = "a") -> LeasedJob:
    """Claim the one activity that waits."""
    (leased,) = take_work(store, token)
    return leased


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


def test_a_released_activity_never_dies(run_store: Store) -> None:
    schedule(run_store, max_stalls=0)
    for number in range(13):
        work(run_store, f"a{number}")
        last = Release(job_id="act", token=f"a{number}", started=True)
        assert exchange(run_store, last).states == (JobState.WAITING,)
    assert run_store.fsck() == []


# -- cancellation by the run --


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


def test_nobody_owns_the_end_of_a_pending_activity_that_ran_before(
    run_store: Store,
) -> None:
    schedule(run_store)
    token = work(run_store).token
    exchange(run_store, Retry(job_id="act", token=token))
    exchange(run_store, Retry(job_id="act", token="", failure=b"late"))
    assert [one.owner for one in job(run_store, "act").attempts] == [ME, ""]


# -- deadlines --


def overdue(store: Store) -> list[tuple[str, str]]:
    """Which activities are overdue, under which tokens."""
    return [
        (each.activity.id, each.token)
        for each in store.list_overdue()
        if each.activity is not None
    ]


def test_a_pending_activity_is_overdue_after_schedule_to_start(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store, deadlines=CLOCKS)
    clock.advance(9)
    assert overdue(run_store) == []
    clock.advance(1)
    assert overdue(run_store) == [("act", "")]
    assert overdue(run_store) == [("act", "")]  # reading changes nothing


def test_schedule_to_start_counts_from_when_it_became_ready(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store, deadlines=limits(schedule_to_start=10), delay_ms=30)
    clock.advance(39)
    run_store.promote_due()
    assert overdue(run_store) == []
    clock.advance(1)
    assert overdue(run_store) == [("act", "")]


@pytest.mark.parametrize(
    ("deadlines", "after"),
    [
        (limits(start_to_close=20), 20),
        (limits(heartbeat=5), 5),
        (limits(schedule_to_close=30), 25),
        (limits(start_to_close=20, heartbeat=5, schedule_to_close=30), 5),
    ],
    ids=["start-to-close", "heartbeat", "schedule-to-close", "earliest"],
)
def test_an_active_activity_is_overdue_after_the_earliest_of_its_timeouts(
    run_store: Store, clock: ManualClock, deadlines: Any, after: int
) -> None:
    schedule(run_store, deadlines=deadlines)
    clock.advance(5)
    work(run_store)
    clock.advance(after - 1)
    assert overdue(run_store) == []
    clock.advance(1)
    assert overdue(run_store) == [("act", "a")]


def test_a_claim_ends_schedule_to_start(run_store: Store, clock: ManualClock) -> None:
    schedule(run_store, deadlines=limits(schedule_to_start=10))
    work(run_store)
    clock.advance(1000)
    assert overdue(run_store) == []


def test_schedule_to_close_is_never_moved_by_a_retry(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store, deadlines=limits(schedule_to_close=100, schedule_to_start=60))
    clock.advance(10)
    work(run_store)
    clock.advance(40)
    exchange(run_store, Retry(job_id="act", token="a", delay_ms=20))
    assert job(run_store, "act").close_at == START + 100
    clock.advance(49)
    run_store.promote_due()
    assert overdue(run_store) == []
    clock.advance(1)
    assert overdue(run_store) == [("act", "")]


def test_an_activity_that_ended_is_never_overdue(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store, deadlines=CLOCKS)
    work(run_store)
    exchange(run_store, Complete(job_id="act", token="a"))
    clock.advance(1000)
    assert run_store.list_overdue() == []


# -- heartbeats --


def test_a_heartbeat_moves_its_timeout_and_keeps_its_details(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store, deadlines=limits(heartbeat=5, start_to_close=12))
    leased = work(run_store)
    clock.advance(4)
    assert run_store.beat("act", "a", b"1") == Beat(held=True, cancel_requested=False)
    record = job(run_store, "act")
    assert (record.beat_at, record.details) == (START + 4, b"1")
    assert record.lease_until == leased.lease_until
    clock.advance(4)
    assert overdue(run_store) == []
    run_store.beat("act", "a", b"2")
    clock.advance(4)
    assert overdue(run_store) == [("act", "a")]  # by start-to-close


def test_the_heartbeat_of_an_earlier_attempt_moves_nothing(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store, deadlines=limits(heartbeat=5))
    work(run_store)
    clock.advance(4)
    run_store.beat("act", "a", b"1")
    exchange(run_store, Retry(job_id="act", token="a"))
    clock.advance(2)
    leased = work(run_store, "a2")
    assert (leased.details, job(run_store, "act").beat_at) == (b"1", None)
    assert run_store.beat("act", "a", b"late") == Beat(
        held=False, cancel_requested=False
    )
    assert job(run_store, "act").details == b"1"
    clock.advance(4)
    assert overdue(run_store) == []
    clock.advance(1)
    assert overdue(run_store) == [("act", "a2")]


def test_a_heartbeat_for_a_closed_run_is_not_held(run_store: Store) -> None:
    schedule(run_store)
    work(run_store)
    end(run_store)
    assert not run_store.beat("act", "a", b"1").held
    assert job(run_store, "act").details == b""


def test_only_activities_beat(run_store: Store) -> None:
    start(run_store)
    take_task(run_store)
    assert not run_store.beat("wft:r", "t", b"1").held
    assert not run_store.beat("unknown", "t", b"1").held


# -- a lost worker --


def test_a_lost_activity_is_listed_by_each_sweep_until_it_is_settled(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store)
    run_store.sweep(interval_ms=LEASE_MS)
    work(run_store)
    clock.advance(LEASE_MS)
    for _ in range(2):
        (swept,) = run_store.sweep(interval_ms=LEASE_MS)
        assert (swept.job_id, swept.queue, swept.type) == (
            "act",
            WORK,
            "activity/charge",
        )
        assert (swept.outcome, swept.token) == ("lost", "a")
    record = job(run_store, "act")
    assert (record.state, record.stalls) == (JobState.ACTIVE, 0)
    retry = Retry(job_id="act", token="a", failure=b"lost")
    assert exchange(run_store, retry).statuses == (OK,)
    assert run_store.sweep(interval_ms=LEASE_MS) == []
    assert work(run_store, "a2").attempt == 2


def test_after_a_gap_the_lease_of_an_activity_is_extended(
    run_store: Store, clock: ManualClock
) -> None:
    schedule(run_store)
    work(run_store)
    clock.advance(LEASE_MS)
    (swept,) = run_store.sweep(interval_ms=INTERVAL_MS)
    assert (swept.outcome, swept.token) == ("extended", "")


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
