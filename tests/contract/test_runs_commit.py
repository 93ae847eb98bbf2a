"""Commits: fences in their order, all or nothing, and what is there afterwards."""

from dataclasses import replace
from typing import Any

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import LEASE_MS, claim, minutes, put, totals
from tests.contract.run_builders import (
    TASK,
    TASKS,
    WORK,
    activity,
    child,
    closed,
    commit,
    deliver,
    do,
    end,
    entry,
    exchange,
    fresh,
    inbox,
    inline,
    load,
    new_run,
    query,
    ref,
    run,
    send,
    start,
    take_task,
    take_tasks,
    take_work,
    timer,
    unscheduled,
)
from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    Commit,
    Complete,
    QueueLimits,
    Retry,
    RunStatus,
    SettleStatus,
    Store,
    TaskRetry,
    Value,
    task_job_id,
)

OK, ALREADY, LOST = SettleStatus.OK, SettleStatus.ALREADY, SettleStatus.LOST
CONFLICT, AGAIN = SettleStatus.CONFLICT, SettleStatus.AGAIN


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


def test_a_thousand_signals_make_one_task(run_store: Store) -> None:
    start(run_store)
    do(run_store)
    for number in range(1000):
        send(run_store, entry(data=b"%d" % number))
    assert len(take_tasks(run_store, "t", 10)) == 1
    assert [data for _, _, data in inbox(run_store)] == [b"%d" % n for n in range(1000)]
    assert run(run_store).inbox == 1000
    assert totals(run_store, TASKS)["enqueued"] == 2


# -- fences --


def test_a_repeated_commit_is_already_done_and_changes_nothing(
    run_store: Store,
) -> None:
    start(run_store)
    take_task(run_store)
    whole = commit(run_store, events=(b"a",), timers=(timer("x", START + 5),))
    assert exchange(run_store, whole).statuses == (OK,)
    before = load(run_store)
    assert exchange(run_store, whole).statuses == (ALREADY,)
    send(run_store)
    assert exchange(run_store, whole).statuses == (ALREADY,)
    take_task(run_store, "t2")
    assert exchange(run_store, whole).statuses == (ALREADY,)
    end(run_store)
    assert exchange(run_store, whole).statuses == (ALREADY,)
    assert load(run_store).events == before.events


def test_a_commit_that_was_renewed_twice_is_still_known(run_store: Store) -> None:
    start(run_store)
    first = None
    for number in range(3):
        send(run_store)
        take_task(run_store, f"t{number}")
        whole = commit(run_store, token=f"t{number}")
        first = first or whole
        send(run_store)
        assert exchange(run_store, whole).statuses == (OK,)
    assert first is not None
    assert exchange(run_store, first).statuses == (ALREADY,)


def test_a_commit_whose_token_does_not_hold_is_lost(run_store: Store) -> None:
    start(run_store)
    assert exchange(run_store, commit(run_store, events=(b"a",))).statuses == (LOST,)
    take_task(run_store)
    other = commit(run_store, token="other", length=99)  # LOST comes before CONFLICT
    assert exchange(run_store, other).statuses == (LOST,)
    assert load(run_store).events == (b"started",)
    assert exchange(run_store, commit(run_store)).statuses == (OK,)


def test_a_run_closed_from_outside_makes_the_commit_lost(run_store: Store) -> None:
    start(run_store)
    take_task(run_store)
    whole = commit(run_store, events=(b"a",))
    end(run_store, closed(events=(b"z",)))
    assert exchange(run_store, whole).statuses == (LOST,)
    assert load(run_store).events == (b"started", b"z")


@pytest.mark.parametrize(
    "fields",
    [
        {"length": 0},
        {"length": 2},
        {"at": START - 1},
        {"at": START + 11},
        {"run_id": "other"},
        {"run_id": "missing"},
        {"length": 2, "close": closed(RunStatus.COMPLETED), "taken": 0},
    ],
    ids=str,
)
def test_a_commit_that_does_not_fit_conflicts_and_keeps_its_lease(
    run_store: Store, clock: ManualClock, fields: dict[str, Any]
) -> None:
    start(run_store, "other", "ow")
    start(run_store)
    send(run_store)
    take_tasks(run_store)
    clock.advance(10)
    before = load(run_store)
    wrong = replace(commit(run_store, events=(b"a",)), **fields)
    done = exchange(run_store, wrong)
    assert (done.statuses, done.states) == ((CONFLICT,), (None,))
    assert load(run_store).events == before.events
    assert load(run_store).inbox == before.inbox
    assert exchange(run_store, commit(run_store)).statuses == (OK,)


def test_the_time_of_a_commit_is_from_the_last_commit_to_the_store_s_now(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    clock.advance(10)
    do(run_store, at=START + 4)
    send(run_store)
    take_task(run_store)
    assert exchange(run_store, commit(run_store, at=START + 3)).statuses == (CONFLICT,)
    assert exchange(run_store, commit(run_store, at=START + 4)).statuses == (OK,)


def test_a_new_run_whose_id_exists_is_a_conflict(run_store: Store) -> None:
    start(run_store, "c", "elsewhere")
    start(run_store)
    take_tasks(run_store)
    whole = commit(run_store, events=(b"a",), children=(child("c"),))
    assert exchange(run_store, whole).statuses == (CONFLICT,)
    next_run = closed(RunStatus.CONTINUED_AS_NEW, next_run=new_run("c"))
    assert exchange(run_store, commit(run_store, close=next_run)).statuses == (
        CONFLICT,
    )
    assert load(run_store).events == (b"started",)


def test_a_next_run_of_another_workflow_is_a_conflict(run_store: Store) -> None:
    start(run_store)
    take_task(run_store)
    stray = closed(RunStatus.CONTINUED_AS_NEW, next_run=new_run("r2", "another"))
    assert exchange(run_store, commit(run_store, close=stray)).statuses == (CONFLICT,)
    assert run_store.load_run("r2") is None


def test_two_new_runs_of_one_commit_have_two_ids(run_store: Store) -> None:
    start(run_store)
    take_task(run_store)
    twins = (child("c", "cw1"), child("c", "cw2"))
    with pytest.raises(InvalidArgumentError, match="one id"):
        exchange(run_store, commit(run_store, children=twins))


def test_the_lease_of_a_query_does_not_commit(run_store: Store) -> None:
    start(run_store)
    do(run_store)
    put(run_store, query())
    wanted = claim("q", queues=(TASKS,), types=("query/Order",))
    assert len(run_store.exchange(claim=wanted).jobs) == 1
    whole = commit(run_store, job_id="q", token="q", events=(b"a",))
    assert exchange(run_store, whole).statuses == (CONFLICT,)
    assert load(run_store).events == (b"started",)


def test_commits_of_one_exchange_stand_and_fall_alone(run_store: Store) -> None:
    for name in ("r", "r2", "r3"):
        start(run_store, name, f"w-{name}")
    take_tasks(run_store)
    send(run_store, to=ref("r3", "w-r3"))
    done = exchange(
        run_store,
        commit(run_store, "r", length=5),
        commit(run_store, "r2", events=(b"a",)),
        commit(run_store, "r3", taken=0, close=closed(RunStatus.COMPLETED)),
        commit(run_store, "r", events=(b"b",)),
    )
    assert done.statuses == (CONFLICT, OK, AGAIN, OK)
    assert done.states == (None, JobState.COMPLETED, None, JobState.COMPLETED)
    assert load(run_store).events == (b"started", b"b")
    assert load(run_store, "r2").events == (b"started", b"a")
    assert load(run_store, "r3").events == (b"started",)
    assert run_store.fsck() == []


def test_two_commits_of_one_run_in_one_exchange_follow_each_other(
    run_store: Store,
) -> None:
    start(run_store)
    take_task(run_store)
    first = commit(run_store, events=(b"a",))
    again = commit(run_store, events=(b"a",))
    assert exchange(run_store, first, again).statuses == (OK, ALREADY)
    assert load(run_store).events == (b"started", b"a")


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


# -- inline --


def test_an_inline_activity_is_leased_in_the_same_write(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    take_task(run_store)
    clock.advance(5)
    whole = commit(run_store, activities=(activity(),), inline=inline())
    done = exchange(run_store, whole)
    (job,) = done.jobs
    assert (job.id, job.token, job.attempt) == ("act", "in", 1)
    assert (job.run_id, job.payload) == ("r", b"input")
    assert (job.started_at, job.lease_until) == (START + 5, START + 5 + LEASE_MS)
    assert take_work(run_store) == ()
    assert exchange(run_store, whole).jobs == (job,)  # the answer was lost
    ended = Complete(job_id="act", token="in", outcome=entry("activity", b"x"))
    assert exchange(run_store, ended).statuses == (OK,)
    assert exchange(run_store, whole).jobs == ()
    assert inbox(run_store) == [(1, "activity", b"x")]


@pytest.mark.parametrize("limit", ["pause", "concurrency", "rate"])
def test_an_inline_activity_waits_if_its_queue_forbids_it(
    run_store: Store, limit: str
) -> None:
    limits = {
        "pause": QueueLimits(),
        "concurrency": QueueLimits(concurrency=1),
        "rate": QueueLimits(rate_max=1, rate_ms=1000),
    }
    run_store.declare_queue(WORK, limits[limit])
    if limit == "pause":
        run_store.pause(WORK)
    start(run_store)
    take_task(run_store)
    both = commit(
        run_store,
        activities=(activity("a1"), activity("a2")),
        inline=inline("a1", "in1"),
    )
    first = exchange(run_store, both).jobs
    assert len(first) == (0 if limit == "pause" else 1)
    send(run_store)
    take_task(run_store, "t2")
    second = exchange(
        run_store, commit(run_store, token="t2", inline=inline("a2", "i2"))
    )
    assert (second.statuses, second.jobs) == ((OK,), ())
    waiting = run_store.get_job("a2")
    assert waiting is not None
    assert waiting.state is JobState.WAITING


def chain(store: Store, number: int, **fields: Any) -> Commit:
    """A commit with the lease of activity `number`, whose outcome is in its events."""
    return commit(
        store, **{"job_id": f"a{number}", "token": f"in{number}", "taken": 0, **fields}
    )


def begin_chain(store: Store) -> None:
    """Start a run whose first activity runs inline."""
    start(store)
    take_task(store)
    first = commit(store, activities=(activity("a1"),), inline=inline("a1", "in1"))
    assert len(exchange(store, first).jobs) == 1


def test_an_inline_chain_ends_an_activity_and_leases_the_next_in_one_write(
    run_store: Store,
) -> None:
    run_store.declare_queue(WORK, QueueLimits(concurrency=1))
    begin_chain(run_store)
    whole = chain(
        run_store,
        1,
        events=(b"done 1",),
        activities=(activity("a2"),),
        inline=inline("a2", "in2"),
    )
    done = exchange(run_store, whole)
    assert (done.statuses, done.states) == ((OK,), (JobState.COMPLETED,))
    assert [job.id for job in done.jobs] == ["a2"]
    assert exchange(run_store, whole).statuses == (ALREADY,)
    assert run_store.get_job("a1") is None
    assert take_tasks(run_store, "t2") == ()
    last = chain(run_store, 2, failed=True, close=closed(RunStatus.FAILED))
    done = exchange(run_store, last)
    assert (done.statuses, done.states) == ((OK,), (JobState.FAILED,))
    assert run(run_store).status is RunStatus.FAILED
    assert totals(run_store, WORK) == {
        "enqueued": 2,
        "completed": 1,
        "dead:exhausted": 1,
    }
    assert run_store.fsck() == []


def test_an_inline_chain_conflicts_while_the_run_has_a_workflow_task(
    run_store: Store,
) -> None:
    begin_chain(run_store)
    whole = chain(run_store, 1, events=(b"done 1",))
    send(run_store)
    assert exchange(run_store, whole).statuses == (CONFLICT,)
    alone = Complete(job_id="a1", token="in1", outcome=entry("activity"))
    assert exchange(run_store, alone).statuses == (OK,)
    assert [kind for _, kind, _ in inbox(run_store)] == ["signal", "activity"]


def test_an_inline_chain_conflicts_when_the_run_is_closed(run_store: Store) -> None:
    begin_chain(run_store)
    whole = chain(run_store, 1)
    end(run_store)
    assert exchange(run_store, whole).statuses == (CONFLICT,)


def test_an_activity_chains_only_to_its_own_run(run_store: Store) -> None:
    begin_chain(run_store)
    start(run_store, "r2", "w2")
    do(run_store, "r2")
    other = commit(run_store, "r2", job_id="a1", token="in1")
    assert exchange(run_store, other).statuses == (CONFLICT,)


def test_entries_that_an_inline_chain_makes_make_a_task(run_store: Store) -> None:
    begin_chain(run_store)
    done = exchange(run_store, chain(run_store, 1, children=(child(),)))
    assert done.statuses == (OK,)
    assert {job.run_id for job in take_tasks(run_store, fresh("t"))} == {"r", "c"}
    assert TASK == "workflow/Order"
