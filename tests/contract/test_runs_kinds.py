"""Engine-owned jobs among plain ones: limits, queries, operators, the sweep."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import (
    INTERVAL_MS,
    LEASE_MS,
    QUEUE,
    TYPE,
    add,
    claim,
    job,
    new,
    put,
    taken,
    totals,
    worker,
)
from tests.contract.run_builders import (
    ACTIVITY,
    CHORE,
    TASK,
    TASKS,
    UPKEEP,
    WORK,
    activity,
    closed,
    commit,
    do,
    end,
    entry,
    exchange,
    query,
    run,
    send,
    start,
    take_task,
    take_tasks,
    take_work,
    upkeep,
)
from workflows.engine.states import DeadReason, JobState
from workflows.exceptions import ConflictError, InvalidArgumentError
from workflows.store import (
    Bury,
    Complete,
    JobKind,
    LeasedJob,
    QueueLimits,
    Release,
    Retry,
    SettleStatus,
    Store,
    Value,
    task_job_id,
)

QUERY = "query/Order"
OK = SettleStatus.OK
ONE = QueueLimits(concurrency=1)
RATE = QueueLimits(rate_max=1, rate_ms=1000)


def take_queries(store: Store, token: str = "q") -> tuple[LeasedJob, ...]:
    """Claim queries."""
    return store.exchange(claim=claim(token, 10, queues=(TASKS,), types=(QUERY,))).jobs


# -- limits --


@pytest.mark.parametrize("limits", [ONE, RATE], ids=["concurrency", "rate"])
def test_tasks_and_queries_start_in_a_queue_that_is_full(
    run_store: Store, limits: QueueLimits
) -> None:
    run_store.declare_queue(TASKS, limits)
    add(run_store, "plain", "more", queue=TASKS)
    assert taken(run_store, "p", queues=(TASKS,)) == ["plain"]
    for name in ("r", "r2"):
        start(run_store, name, f"w-{name}")
    put(run_store, query())
    wanted = claim("t", 10, queues=(TASKS,), types=(TYPE, TASK, QUERY))
    got = run_store.exchange(claim=wanted).jobs
    assert [leased.id for leased in got] == [task_job_id("r"), task_job_id("r2"), "q"]
    assert run_store.fsck() == []


@pytest.mark.parametrize("limits", [ONE, RATE], ids=["concurrency", "rate"])
def test_one_claim_takes_plain_jobs_within_the_limits_and_all_tasks(
    run_store: Store, limits: QueueLimits
) -> None:
    run_store.declare_queue(TASKS, limits)
    start(run_store, "r1", "w1")
    add(run_store, "plain", "more", queue=TASKS)
    start(run_store, "r2", "w2")
    wanted = claim("t", 10, queues=(TASKS,), types=(TYPE, TASK))
    got = run_store.exchange(claim=wanted).jobs
    assert [leased.id for leased in got] == ["wft:r1", "plain", "wft:r2"]
    assert run_store.exchange(claim=wanted).jobs == got


def test_tasks_and_queries_take_no_place_and_no_rate(run_store: Store) -> None:
    run_store.declare_queue(TASKS, QueueLimits(concurrency=1, rate_max=1, rate_ms=1000))
    start(run_store)
    put(run_store, query())
    add(run_store, "plain", queue=TASKS)
    assert len(take_tasks(run_store)) == len(take_queries(run_store)) == 1
    assert taken(run_store, "p", queues=(TASKS,)) == ["plain"]


def test_places_stay_right_whatever_becomes_of_a_task(
    run_store: Store, clock: ManualClock
) -> None:
    run_store.declare_queue(TASKS, ONE)
    run_store.sweep(interval_ms=LEASE_MS)
    start(run_store)
    take_task(run_store, "t1")
    exchange(run_store, Release(job_id="wft:r", token="t1", started=False))
    take_task(run_store, "t2")
    clock.advance(LEASE_MS)
    assert len(run_store.sweep(interval_ms=LEASE_MS)) == 1
    take_task(run_store, "t3")
    send(run_store)
    exchange(run_store, commit(run_store, token="t3", taken=0))
    take_task(run_store, "t4")
    end(run_store)
    add(run_store, "a", "b", queue=TASKS)
    assert taken(run_store, "p", 2, queues=(TASKS,)) == ["a"]
    assert run_store.fsck() == []


def test_an_unstarted_task_refunds_no_rate(run_store: Store) -> None:
    run_store.declare_queue(TASKS, RATE)
    add(run_store, "a", "b", queue=TASKS)
    assert taken(run_store, "p", 2, queues=(TASKS,)) == ["a"]
    start(run_store)
    take_task(run_store)
    exchange(run_store, Release(job_id="wft:r", token="t", started=False))
    assert taken(run_store, "p2", 2, queues=(TASKS,)) == []


def test_activities_are_bound_by_the_limits_of_their_queue(run_store: Store) -> None:
    run_store.declare_queue(WORK, ONE)
    start(run_store)
    do(run_store, activities=(activity("a1"), activity("a2")))
    assert len(take_work(run_store, slots=2)) == 1


def test_a_pause_holds_tasks_and_queries_too(run_store: Store) -> None:
    start(run_store)
    put(run_store, query())
    run_store.pause(TASKS)
    assert take_tasks(run_store) == take_queries(run_store) == ()
    run_store.wait({TASKS: (TASK,)}, 0)  # once for nothing is allowed
    assert run_store.wait({TASKS: (TASK,)}, 0) is False
    run_store.resume(TASKS)
    assert len(take_tasks(run_store, "t2")) == len(take_queries(run_store, "q2")) == 1


def test_a_task_in_a_full_queue_ends_a_wait(adapter: Store) -> None:
    adapter.declare_queue(TASKS, ONE)
    add(adapter, "a", queue=TASKS)
    assert taken(adapter, "p", queues=(TASKS,)) == ["a"]
    start(adapter)
    assert adapter.wait({TASKS: (TASK,)}, 0) is True


# -- queries --


def test_a_query_is_answered_by_a_value_and_leaves_no_record(run_store: Store) -> None:
    start(run_store)
    put(run_store, query())
    (leased,) = take_queries(run_store)
    assert (leased.kind, leased.run_id) == (JobKind.QUERY, "r")
    assert (leased.payload, leased.deadlines) == (b"question", None)
    answer = Value(key="query:q", value=b"answer", ttl_ms=1000)
    done = Complete(job_id="q", token="q", values=(answer,))
    assert exchange(run_store, done).statuses == (OK,)
    assert run_store.wait_value("result", "query:q", timeout_s=0) == b"answer"
    assert run_store.get_job("q") is None
    assert exchange(run_store, done).statuses == (SettleStatus.ALREADY,)
    assert run(run_store).inbox == 0
    assert run_store.fsck() == []


def test_a_query_of_a_closed_run_is_claimed_too(run_store: Store) -> None:
    start(run_store)
    end(run_store)
    put(run_store, query())
    assert len(take_queries(run_store)) == 1


def test_a_query_that_expires_is_gone(run_store: Store, clock: ManualClock) -> None:
    start(run_store)
    put(run_store, query(expires_ms=100))
    clock.advance(100)
    assert run_store.expire_due() == 1
    assert run_store.get_job("q") is None
    assert totals(run_store, TASKS) == {"enqueued": 2, "expired": 1}
    assert run_store.fsck() == []


@pytest.mark.parametrize(
    "wrong",
    [
        query(run_id="unknown"),
        query(run_id=""),
        query(dedup_id="d"),
        activity(),
        new("x", kind=JobKind.WORKFLOW_TASK, run_id="r"),
        new("x", run_id="r"),
    ],
    ids=["unknown-run", "no-run", "dedup", "activity", "task", "plain-with-a-run"],
)
def test_enqueue_refuses_what_is_the_engine_s(run_store: Store, wrong: Any) -> None:
    start(run_store)
    with pytest.raises(InvalidArgumentError):
        put(run_store, new("good"), wrong)
    assert run_store.get_job("good") is None


# -- operators --


OPERATIONS: dict[str, Callable[[Store, str], object]] = {
    "cancel": lambda store, name: store.cancel(name),
    "reschedule": lambda store, name: store.reschedule(name, delay_ms=5),
    "promote": lambda store, name: store.promote(name),
    "remove": lambda store, name: store.remove(name),
    "retry_dead": lambda store, name: store.retry_dead(name),
}


@pytest.mark.parametrize("name", ["wft:r", "act", "q", "u"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_operators_are_refused_what_the_engine_owns(
    run_store: Store, operation: str, name: str
) -> None:
    start(run_store)
    do(run_store, activities=(activity(delay_ms=50),))
    send(run_store)
    put(run_store, query(delay_ms=50), upkeep(delay_ms=50))
    before = job(run_store, name)
    with pytest.raises(ConflictError):
        OPERATIONS[operation](run_store, name)
    assert job(run_store, name) == before


def test_steps_over_a_queue_pass_over_what_the_engine_owns(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store, task_queue=QUEUE)
    put(run_store, query(queue=QUEUE), query("q2", queue=QUEUE, delay_ms=500))
    put(run_store, upkeep(queue=QUEUE), upkeep("u2", queue=QUEUE, delay_ms=500))
    add(run_store, "a", "b")
    add(run_store, "later", delay_ms=500)
    run_store.heartbeat(worker(queues={}))
    run_store.bury_unknown(grace_ms=0, interval_ms=INTERVAL_MS)
    assert job(run_store, "wft:r").state is JobState.WAITING
    assert job(run_store, "a").reason is DeadReason.UNKNOWN_TYPE
    add(run_store, "c", "d")
    step = run_store.drain(QUEUE, delayed=True, limit=2)
    assert (step.count, step.more) == (2, True)
    step = run_store.drain(QUEUE, delayed=True)
    assert (step.count, step.more) == (1, False)
    clock.advance(10)
    run_store.clean(QUEUE)
    for name in ("wft:r", "q", "q2", "u", "u2"):
        assert run_store.get_job(name) is not None
    assert run_store.fsck() == []


def test_no_end_of_an_engine_owned_job_is_a_dead_letter(run_store: Store) -> None:
    start(run_store)
    put(run_store, query())
    take_queries(run_store)
    bury = Bury(job_id="q", token="q", failure=b"f", reason=DeadReason.MANUAL)
    assert exchange(run_store, bury).states == (JobState.FAILED,)
    assert run_store.get_job("q") is None
    assert run_store.list_jobs(TASKS, JobState.FAILED).jobs == ()
    assert totals(run_store, TASKS) == {"enqueued": 2, "dead:manual": 1}
    assert run_store.fsck() == []


# -- upkeep --


def take_upkeep(store: Store, token: str = "u") -> tuple[LeasedJob, ...]:
    """Claim upkeep."""
    wanted = claim(token, 10, queues=(UPKEEP,), types=(CHORE,))
    return store.exchange(claim=wanted).jobs


def test_upkeep_outlives_the_run_whose_close_wrote_it(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    end(run_store, closed(jobs=(upkeep(),)))
    clock.advance(1)
    assert run_store.prune_runs(age_ms=0).count == 1
    assert run_store.fsck() == []
    (got,) = take_upkeep(run_store)
    assert (got.kind, got.run_id, got.payload) == (JobKind.UPKEEP, "", b"what")
    assert run_store.fsck() == []
    done = Complete(job_id="u", token="u", jobs=(upkeep(payload=b"more"),))
    assert exchange(run_store, done).statuses == (OK,)
    assert job(run_store, "u").payload == b"more"
    take_upkeep(run_store, "u2")
    assert exchange(run_store, Complete(job_id="u", token="u2")).statuses == (OK,)
    assert run_store.get_job("u") is None
    assert run_store.fsck() == []


def test_upkeep_starts_in_a_queue_that_is_full(run_store: Store) -> None:
    run_store.declare_queue(UPKEEP, QueueLimits(concurrency=1, rate_max=1, rate_ms=10))
    add(run_store, "plain", "more", queue=UPKEEP)
    assert taken(run_store, "p", queues=(UPKEEP,)) == ["plain"]
    put(run_store, upkeep())
    assert [got.id for got in take_upkeep(run_store)] == ["u"]
    exchange(run_store, Release(job_id="u", token="u", started=False))
    assert taken(run_store, "p2", queues=(UPKEEP,)) == []
    assert run_store.fsck() == []


def test_upkeep_that_failed_is_tried_again_and_again(
    run_store: Store, clock: ManualClock
) -> None:
    put(run_store, upkeep(max_stalls=0))
    for number in range(1, 6):
        (got,) = take_upkeep(run_store, f"u{number}")
        assert got.attempt == number
        again = Retry(job_id="u", token=got.token, failure=b"f", delay_ms=5)
        assert exchange(run_store, again).states == (JobState.DELAYED,)
        clock.advance(5)
    assert run_store.fsck() == []


def test_stalled_upkeep_waits_ever_longer_and_never_dies(
    run_store: Store, clock: ManualClock
) -> None:
    put(run_store, upkeep(max_stalls=0))
    for stalls, seconds in enumerate((0, 1, 2, 4, 8, 16, 32, 60, 60), start=1):
        assert len(take_upkeep(run_store, f"u{stalls}")) == 1
        assert stall(run_store, clock) == [("u", "stalled")]
        assert job(run_store, "u").ready_at == clock.now + seconds * 1000
        clock.advance(seconds * 1000)
    assert run_store.fsck() == []


@pytest.mark.parametrize("fields", [{"run_id": "r"}, {"dedup_id": "d"}], ids=str)
def test_upkeep_is_of_no_run_and_has_no_dedup_id(
    run_store: Store, fields: dict[str, Any]
) -> None:
    start(run_store)
    with pytest.raises(InvalidArgumentError, match="upkeep"):
        put(run_store, upkeep(**fields))


# -- the sweep --


def stall(store: Store, clock: ManualClock) -> list[tuple[str, str]]:
    """Let all leases run out, and sweep."""
    store.sweep(interval_ms=LEASE_MS)
    clock.advance(LEASE_MS)
    return [
        (swept.job_id, swept.outcome) for swept in store.sweep(interval_ms=LEASE_MS)
    ]


def test_a_stalled_task_waits_ever_longer_and_never_dies(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    place = new("later", queue=TASKS)
    put(run_store, place)
    for stalls, seconds in enumerate((0, 1, 2, 4, 8, 16, 32, 60, 60), start=1):
        take_task(run_store, f"t{stalls}")
        assert stall(run_store, clock) == [("wft:r", "stalled")]
        record = job(run_store, "wft:r")
        assert (record.stalls, record.attempts_made) == (stalls, 0)
        due_at = clock.now + seconds * 1000
        assert record.ready_at == due_at
        assert record.run_at == (due_at if seconds else None)
        if seconds:
            clock.advance(seconds * 1000 - 1)
            assert take_tasks(run_store, f"early{stalls}") == ()
            clock.advance(1)
    job_again = take_task(run_store, "last")
    assert (job_again.stalls, job_again.attempt) == (9, 1)
    assert totals(run_store, TASKS) == {"enqueued": 2, "stalled": 9}
    assert run_store.fsck() == []


def test_a_good_commit_forgets_the_stalls_of_a_task(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    take_task(run_store, "t1")
    stall(run_store, clock)
    take_task(run_store, "t2")
    send(run_store)
    exchange(run_store, commit(run_store, token="t2", taken=0))
    record = job(run_store, "wft:r")
    assert (record.stalls, record.attempts) == (0, ())
    assert run_store.fsck() == []


def test_a_stalled_task_is_a_suspect(run_store: Store, clock: ManualClock) -> None:
    start(run_store)
    take_task(run_store, "t1")
    stall(run_store, clock)
    assert take_tasks(run_store, "t2", suspects=0) == ()
    assert len(take_tasks(run_store, "t3", suspects=1)) == 1


def test_a_send_does_not_end_the_delay_after_stalls(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    for token in ("t1", "t2"):
        take_task(run_store, token)
        stall(run_store, clock)
    send(run_store, entry("cancel"))
    assert job(run_store, "wft:r").state is JobState.DELAYED


def test_a_stalled_query_ends(run_store: Store, clock: ManualClock) -> None:
    start(run_store)
    put(run_store, query(max_stalls=5))
    take_queries(run_store)
    assert stall(run_store, clock) == [("q", "dead")]
    assert run_store.get_job("q") is None
    assert totals(run_store, TASKS) == {
        "enqueued": 2,
        "stalled": 1,
        "dead:stalled": 1,
    }
    assert run_store.fsck() == []


def test_lost_activities_do_not_hinder_the_sweep_of_others(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    do(run_store, activities=(activity("a1"), activity("a2")))
    add(run_store, "plain")
    take_work(run_store, slots=2)
    assert taken(run_store, "p") == ["plain"]
    assert stall(run_store, clock) == [
        ("a1", "lost"),
        ("a2", "lost"),
        ("plain", "stalled"),
    ]
    assert run_store.fsck() == []
    assert clock.now > START


def test_types_of_activities_that_nobody_knows_are_not_buried(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    do(run_store, activities=(activity(),))
    run_store.bury_unknown(grace_ms=10, interval_ms=INTERVAL_MS)
    clock.advance(10)
    assert run_store.bury_unknown(grace_ms=10, interval_ms=INTERVAL_MS) == []
    assert job(run_store, "act").type == ACTIVITY


# -- what nobody knows --


def test_what_nobody_has_known_for_long_is_listed_and_stays(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    do(run_store, activities=(activity(), activity("a2", queue="other")))
    send(run_store)
    put(run_store, query(), upkeep())
    add(run_store, "plain")
    unknown = [("other", ACTIVITY), (TASKS, TASK), (WORK, ACTIVITY)]
    assert run_store.list_unknown(grace_ms=0) == []
    run_store.bury_unknown(grace_ms=10, interval_ms=INTERVAL_MS)
    assert run_store.list_unknown(grace_ms=0) == unknown
    clock.advance(9)
    assert run_store.list_unknown(grace_ms=10) == []
    clock.advance(1)
    assert run_store.list_unknown(grace_ms=10) == unknown
    run_store.heartbeat(worker(queues={WORK: (ACTIVITY,), TASKS: (ACTIVITY,)}))
    assert run_store.bury_unknown(grace_ms=10, interval_ms=INTERVAL_MS) == ["plain"]
    assert run_store.list_unknown(grace_ms=10) == unknown[:2]
    for name in ("act", "a2", "wft:r"):
        assert job(run_store, name).state is JobState.WAITING
    assert run_store.fsck() == []


def test_what_is_taken_or_delayed_is_not_unknown(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    do(run_store, activities=(activity(), activity("a2", type="activity/ship")))
    run_store.bury_unknown(grace_ms=0, interval_ms=INTERVAL_MS)
    assert len(run_store.list_unknown(grace_ms=0)) == 2
    (got,) = take_work(run_store)
    later = Retry(job_id=got.id, token=got.token, failure=b"f", delay_ms=50)
    assert run_store.list_unknown(grace_ms=0) == [(WORK, "activity/ship")]
    exchange(run_store, later)
    run_store.bury_unknown(grace_ms=0, interval_ms=INTERVAL_MS)
    clock.advance(50)
    run_store.promote_due()
    assert run_store.list_unknown(grace_ms=0) == [(WORK, "activity/ship")]
    run_store.bury_unknown(grace_ms=0, interval_ms=INTERVAL_MS)
    assert len(run_store.list_unknown(grace_ms=0)) == 2


def test_after_a_pause_nothing_is_unknown_yet(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    run_store.bury_unknown(grace_ms=0, interval_ms=INTERVAL_MS)
    clock.advance(2 * INTERVAL_MS + 1)
    run_store.bury_unknown(grace_ms=0, interval_ms=INTERVAL_MS)
    assert run_store.list_unknown(grace_ms=1) == []
    assert run_store.list_unknown(grace_ms=0) == [(TASKS, TASK)]
