"""Activities that run inline: leased, ended and chained in the writes of commits."""

from typing import Any

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import LEASE_MS, totals
from tests.contract.run_builders import (
    TASK,
    WORK,
    activity,
    child,
    closed,
    commit,
    do,
    end,
    entry,
    exchange,
    fresh,
    inbox,
    inline,
    run,
    send,
    start,
    take_task,
    take_tasks,
    take_work,
)
from workflows.engine.states import JobState
from workflows.store import (
    Commit,
    Complete,
    QueueLimits,
    RunStatus,
    SettleStatus,
    Store,
)

OK, ALREADY = SettleStatus.OK, SettleStatus.ALREADY
CONFLICT = SettleStatus.CONFLICT


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
