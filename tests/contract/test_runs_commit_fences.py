"""The fences of a commit, in their order: what is refused changes nothing."""

from dataclasses import replace
from typing import Any

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import claim, put, totals
from tests.contract.run_builders import (
    TASKS,
    child,
    closed,
    commit,
    do,
    end,
    entry,
    exchange,
    inbox,
    load,
    new_run,
    query,
    ref,
    run,
    send,
    start,
    take_task,
    take_tasks,
    timer,
)
from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    RunStatus,
    SettleStatus,
    Store,
)

OK, ALREADY, LOST = SettleStatus.OK, SettleStatus.ALREADY, SettleStatus.LOST
CONFLICT, AGAIN = SettleStatus.CONFLICT, SettleStatus.AGAIN


def test_a_thousand_signals_make_one_task(run_store: Store) -> None:
    start(run_store)
    do(run_store)
    for number in range(1000):
        send(run_store, entry(data=b"%d" % number))
    assert len(take_tasks(run_store, "t", 10)) == 1
    assert [data for _, _, data in inbox(run_store)] == [b"%d" % n for n in range(1000)]
    assert run(run_store).inbox == 1000
    assert totals(run_store, TASKS)["enqueued"] == 2


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
