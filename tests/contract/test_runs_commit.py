"""Commits: what is there afterwards, closing with an inbox, failed tasks."""

from typing import Any

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import minutes, totals
from tests.contract.run_builders import (
    TASKS,
    activity,
    child,
    closed,
    commit,
    deliver,
    do,
    entry,
    exchange,
    inbox,
    inline,
    load,
    new_run,
    ref,
    run,
    send,
    start,
    take_task,
    take_tasks,
    timer,
    unscheduled,
)
from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    Complete,
    Retry,
    RunStatus,
    SettleStatus,
    Store,
    TaskRetry,
    Value,
    task_job_id,
)

OK, ALREADY = SettleStatus.OK, SettleStatus.ALREADY
AGAIN = SettleStatus.AGAIN


def test_a_commit_appends_its_events_and_takes_the_inbox(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    send(run_store, entry(data=b"1"))
    send(run_store, entry(data=b"2"))
    take_task(run_store)
    clock.advance(7)
    done = exchange(run_store, commit(run_store, events=(b"a", b"bc"), info=b"new"))
    assert (done.statuses, done.states) == ((OK,), (JobState.COMPLETED,))
    loaded = load(run_store)
    assert (loaded.events, loaded.inbox) == ((b"started", b"a", b"bc"), ())
    record = loaded.run
    assert (record.length, record.size, record.last_at) == (3, 10, START + 7)
    assert (record.inbox, record.inbox_seq, record.info) == (0, 2, b"new")
    assert run_store.get_job(task_job_id("r")) is None
    assert take_tasks(run_store, "t2") == ()
    assert run_store.fsck() == []


def test_a_committed_task_is_counted_like_a_completed_job(run_store: Store) -> None:
    start(run_store)
    do(run_store)
    assert totals(run_store, TASKS) == {"enqueued": 1, "completed": 1}
    assert minutes(run_store, TASKS) == {"enqueued": 1, "completed": 1}
    queue = run_store.get_queue(TASKS)
    assert queue is not None
    assert set(queue.counts.values()) == {0}


def test_what_came_meanwhile_makes_a_new_task_without_attempts(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    take_task(run_store)
    ready = commit(run_store, events=(b"a",))
    clock.advance(5)
    send(run_store)
    assert exchange(run_store, ready).states == (JobState.WAITING,)
    assert inbox(run_store) == [(1, "signal", b"s")]
    clock.advance(5)
    job = take_task(run_store, "t2")
    assert (job.id, job.attempt, job.stalls) == (task_job_id("r"), 1, 0)
    assert (job.created_at, job.ready_at) == (START + 5, START + 5)
    assert job.first_started_at == START + 10
    assert totals(run_store, TASKS) == {"enqueued": 2, "completed": 1}
    assert run_store.fsck() == []


def test_entries_that_a_commit_makes_for_its_own_run_make_a_new_task(
    run_store: Store,
) -> None:
    start(run_store)
    take_task(run_store)
    exchange(run_store, commit(run_store, children=(child(),)))
    assert inbox(run_store) == [(1, "child_started", b"c")]
    assert {job.run_id for job in take_tasks(run_store, "t2")} == {"r", "c"}


# -- closing with an inbox --


def test_closing_over_unseen_entries_is_refused_with_again(run_store: Store) -> None:
    start(run_store)
    send(run_store, entry(data=b"seen"))
    take_task(run_store)
    whole = commit(run_store, events=(b"a",), close=closed(RunStatus.COMPLETED))
    send(run_store, entry(data=b"new"))
    done = exchange(run_store, whole)
    assert (done.statuses, done.states) == ((AGAIN,), (None,))
    assert [data for _, _, data in inbox(run_store)] == [b"seen", b"new"]
    assert run(run_store).status is RunStatus.RUNNING
    whole = commit(run_store, events=(b"b",), close=closed(RunStatus.COMPLETED))
    done = exchange(run_store, whole)
    assert (done.statuses, done.states) == ((OK,), (JobState.COMPLETED,))
    assert load(run_store).events == (b"started", b"b")


def test_continue_as_new_carries_unseen_signals_in_order_and_with_their_times(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    send(run_store, entry(data=b"seen"))
    take_task(run_store)
    following = closed(
        RunStatus.CONTINUED_AS_NEW,
        events=(b"continued",),
        next_run=new_run("r2", first_run_id="r", inbox=(entry("note", b"own"),)),
        carry=True,
    )
    whole = commit(run_store, events=(b"a",), close=following)
    clock.advance(3)
    send(run_store, entry(data=b"1"))
    send(run_store, entry(data=b"2"))
    clock.advance(3)
    assert exchange(run_store, whole).statuses == (OK,)
    old, new = load(run_store), load(run_store, "r2")
    assert (old.run.status, old.run.next_run_id) == (RunStatus.CONTINUED_AS_NEW, "r2")
    assert (old.events, old.inbox) == ((b"started", b"a", b"continued"), ())
    assert (new.run.first_run_id, new.run.workflow_id) == ("r", "w")
    assert [(i.seq, i.at, i.data) for i in new.inbox] == [
        (1, START + 6, b"own"),
        (2, START + 3, b"1"),
        (3, START + 3, b"2"),
    ]
    assert run_store.get_run(ref(None)) == new.run
    assert [job.run_id for job in take_tasks(run_store, "t2")] == ["r2"]
    assert run_store.fsck() == []


@pytest.mark.parametrize("kind", ["timer_fired", "cancel"])
def test_carrying_over_anything_but_signals_is_refused_with_again(
    run_store: Store, kind: str
) -> None:
    start(run_store)
    take_task(run_store)
    following = closed(RunStatus.CONTINUED_AS_NEW, next_run=new_run("r2"), carry=True)
    whole = commit(run_store, close=following)
    send(run_store)
    send(run_store, entry(kind))
    assert exchange(run_store, whole).statuses == (AGAIN,)
    assert run_store.load_run("r2") is None


def test_without_carry_signals_are_dropped_so_it_is_again_too(
    run_store: Store,
) -> None:
    start(run_store)
    take_task(run_store)
    whole = commit(
        run_store,
        close=closed(RunStatus.CONTINUED_AS_NEW, next_run=new_run("r2")),
    )
    send(run_store)
    assert exchange(run_store, whole).statuses == (AGAIN,)


# -- failed tasks --


def test_a_failed_task_is_pending_again_with_its_attempt_spent(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    send(run_store, entry(data=b"1"))
    take_task(run_store)
    whole = commit(
        run_store,
        events=(b"failed",),
        taken=0,
        retry=TaskRetry(delay_ms=100, failure=b"bug"),
    )
    done = exchange(run_store, whole)
    assert (done.statuses, done.states) == ((OK,), (JobState.DELAYED,))
    assert exchange(run_store, whole).statuses == (ALREADY,)
    assert load(run_store).events == (b"started", b"failed")
    assert run(run_store).failure == b"bug"
    assert len(inbox(run_store)) == 1
    send(run_store)  # does not end the delay
    assert take_tasks(run_store, "t2") == ()
    clock.advance(100)
    job = take_task(run_store, "t3")
    assert (job.attempt, job.failure) == (2, b"bug")
    assert totals(run_store, TASKS) == {"enqueued": 1, "retried": 1}
    assert exchange(run_store, commit(run_store, token="t3")).statuses == (OK,)
    assert run(run_store).failure == b""
    assert run_store.fsck() == []


@pytest.mark.parametrize("kind", ["signal", "cancel"])
def test_what_comes_does_not_end_the_delay_of_a_failed_first_task(
    run_store: Store, kind: str
) -> None:
    start(run_store)
    take_task(run_store)
    exchange(run_store, commit(run_store, retry=TaskRetry(delay_ms=100, failure=b"f")))
    send(run_store, entry(kind))
    assert take_tasks(run_store, "t2") == ()


def test_a_failed_task_without_a_delay_waits_at_once_even_with_an_empty_inbox(
    run_store: Store,
) -> None:
    start(run_store)
    take_task(run_store)
    done = exchange(
        run_store, commit(run_store, retry=TaskRetry(delay_ms=0, failure=b"f"))
    )
    assert done.states == (JobState.WAITING,)
    assert take_task(run_store, "t2").attempt == 2
    assert run_store.fsck() == []


@pytest.mark.parametrize(
    "fields",
    [
        {"timers": (timer("x", START),)},
        {"activities": (activity(),)},
        {"children": (child(),)},
        {"deliveries": (deliver(ref("x")),)},
        {"cancel_timers": ("x",)},
        {"cancel_activities": (unscheduled(),)},
        {"close": closed()},
        {"info": b""},
        {"inline": inline()},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_failed_task_has_no_effects_beside_its_events(
    run_store: Store, fields: dict[str, Any]
) -> None:
    start(run_store)
    take_task(run_store)
    retry = TaskRetry(delay_ms=0, failure=b"f")
    with pytest.raises(InvalidArgumentError, match="retry"):
        exchange(run_store, commit(run_store, retry=retry, **fields))


# -- values, and what is not a commit --


def test_a_commit_writes_values_and_jobs_like_any_settlement(run_store: Store) -> None:
    start(run_store)
    take_task(run_store)
    exchange(run_store, commit(run_store, values=(Value(key="k", value=b"v"),)))
    assert run_store.get_values("result", ["k"]) == {"k": b"v"}


def test_a_workflow_task_is_not_settled_by_anything_that_ends_a_job(
    run_store: Store,
) -> None:
    start(run_store)
    take_task(run_store)
    with pytest.raises(InvalidArgumentError, match="Commit"):
        exchange(run_store, Complete(job_id=task_job_id("r"), token="t"))
    retry = Retry(job_id=task_job_id("r"), token="t")
    assert exchange(run_store, retry).states == (JobState.WAITING,)


@pytest.mark.parametrize(
    "fields",
    [
        {"activities": (activity(run_id="other"),)},
        {"activities": (activity(expires_ms=5),)},
        {"activities": (activity(dedup_id="d"),)},
        {"activities": (activity(job_id=""),)},
        {"timers": (timer("", START),)},
        {"children": (child(""),)},
        {"close": closed(RunStatus.RUNNING)},
        {"close": closed(RunStatus.CONTINUED_AS_NEW, carry=True)},
        {"inline": inline(token="")},
    ],
)
def test_a_bad_value_in_a_commit_is_refused_before_anything_is_written(
    run_store: Store, fields: dict[str, Any]
) -> None:
    start(run_store)
    take_task(run_store)
    before = load(run_store)
    with pytest.raises(InvalidArgumentError):
        exchange(run_store, commit(run_store, events=(b"a",), **fields))
    assert load(run_store) == before
