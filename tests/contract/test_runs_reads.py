"""Reading runs: pages, counts, what they wait for, waiting for them; pruning."""

import threading

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import claim
from tests.contract.run_builders import (
    TASKS,
    activity,
    child,
    closed,
    commit,
    do,
    end,
    entry,
    exchange,
    limits,
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
)
from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    UNTIL_CLOSED,
    LoadedRun,
    Parent,
    PendingWork,
    RunStatus,
    Step,
    Store,
)


def ids(store: Store, **filters: object) -> list[str]:
    """The ids of all runs that match, page by page."""
    found: list[str] = []
    cursor = None
    for _ in range(100):
        page = store.list_runs(cursor=cursor, **filters)  # type: ignore[arg-type]
        found += [record.run_id for record in page.runs]
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError("the cursor never ends")


# -- histories --


def test_events_are_read_from_a_number_on(run_store: Store) -> None:
    start(run_store)
    do(run_store, events=(b"2", b"3", b"4"))
    assert run_store.read_history("r") == (b"started", b"2", b"3", b"4")
    assert run_store.read_history("r", start=2, limit=2) == (b"2", b"3")
    assert run_store.read_history("r", start=5) == ()
    assert run_store.read_history("unknown") == ()
    loaded = run_store.load_run("r", start=4)
    assert loaded == LoadedRun(run=run(run_store), events=(b"4",), inbox=(), now=START)
    assert run_store.load_run("unknown") is None


def test_histories_of_runs_are_kept_apart(run_store: Store) -> None:
    for name in ("a", "b"):
        start(run_store, name, f"w-{name}")
    for job in take_tasks(run_store):
        exchange(run_store, commit(run_store, job.run_id, events=(b"x",) * 100))
    do_all = [load(run_store, name).run.length for name in ("a", "b")]
    assert do_all == [101, 101]
    assert run_store.fsck() == []


def test_large_and_empty_events_are_kept_as_they_are(run_store: Store) -> None:
    start(run_store)
    events = (b"", b"\0" * 100_000, bytes(range(256)))
    do(run_store, events=events)
    assert load(run_store).events == (b"started", *events)
    assert run(run_store).size == 7 + 100_000 + 256


# -- pending work --


def test_what_a_run_waits_for(run_store: Store, clock: ManualClock) -> None:
    start(run_store)
    do(
        run_store,
        activities=(activity("a1"), activity("a2", deadlines=limits(heartbeat=5))),
        timers=(timer("x", START + 50), timer("y", START + 40)),
        children=(child("c1", "cw1"), child("c2", "cw2")),
    )
    clock.advance(3)
    (leased,) = take_work(run_store)
    run_store.beat(leased.id, leased.token, b"half")
    end(run_store, of=ref("c2", "cw2"))
    work = run_store.pending_work("r")
    assert work is not None
    assert work.task is not None
    assert (work.task.id, work.task.run_id) == ("wft:r", "r")
    assert [(each.id, each.state) for each in work.activities] == [
        ("a1", JobState.ACTIVE),
        ("a2", JobState.WAITING),
    ]
    assert (work.activities[0].details, work.activities[0].beat_at) == (
        b"half",
        START + 3,
    )
    assert dict(work.tokens) == {"a1": leased.token}
    assert dict(work.timers) == {"x": START + 50, "y": START + 40}
    assert [each.run_id for each in work.children] == ["c1"]
    assert run_store.pending_work("unknown") is None


def test_a_run_that_waits_for_nothing(run_store: Store) -> None:
    start(run_store)
    do(run_store)
    assert run_store.pending_work("r") == PendingWork(
        task=None, activities=(), timers={}, children=()
    )


# -- lists and counts --


def test_runs_are_listed_newest_start_first_then_by_id(
    run_store: Store, clock: ManualClock
) -> None:
    for name in ("b", "a", "c"):
        start(run_store, name, f"w-{name}")
    clock.advance(1)
    start(run_store, "0", "w-0")
    assert ids(run_store) == ["0", "c", "b", "a"]
    assert ids(run_store, limit=1) == ["0", "c", "b", "a"]
    page = run_store.list_runs(limit=2)
    assert page.runs == (run(run_store, "0"), run(run_store, "c"))
    assert page.cursor is not None
    assert run_store.list_runs(limit=4).cursor is None


def test_runs_are_listed_by_all_that_is_given(run_store: Store) -> None:
    parent = Parent(workflow_id="w", run_id="r")
    start(run_store)
    end(run_store, closed(RunStatus.COMPLETED))
    start(run_store, "r2", type="Other")
    start(run_store, "c", "cw", parent=parent)
    assert ids(run_store, status=RunStatus.RUNNING) == ["r2", "c"]
    assert ids(run_store, status=RunStatus.COMPLETED, limit=1) == ["r"]
    assert ids(run_store, type="Other") == ["r2"]
    assert ids(run_store, workflow_id="w", limit=1) == ["r2", "r"]
    assert ids(run_store, parent_run_id="r") == ["c"]
    assert ids(run_store, workflow_id="w", status=RunStatus.RUNNING) == ["r2"]
    assert ids(run_store, workflow_id="cw", type="Other") == []


@pytest.mark.parametrize("cursor", ["", "x", "[1]", '["a",1]'])
def test_a_cursor_that_the_store_did_not_make_is_refused(
    run_store: Store, cursor: str
) -> None:
    with pytest.raises(InvalidArgumentError, match="cursor"):
        run_store.list_runs(cursor=cursor)


def test_limits_of_reads_are_checked(run_store: Store) -> None:
    for limit in (0, 1001):
        with pytest.raises(InvalidArgumentError):
            run_store.list_runs(limit=limit)
        with pytest.raises(InvalidArgumentError):
            run_store.read_history("r", limit=limit)
        with pytest.raises(InvalidArgumentError):
            run_store.list_overdue(limit=limit)
        with pytest.raises(InvalidArgumentError):
            run_store.prune_runs(age_ms=0, limit=limit)


def test_runs_are_counted_per_status(run_store: Store, clock: ManualClock) -> None:
    assert run_store.count_runs() == {}
    for name in ("a", "b", "c"):
        start(run_store, name, f"w-{name}")
    end(run_store, closed(RunStatus.FAILED), ref("b", "w-b"))
    assert run_store.count_runs() == {RunStatus.RUNNING: 2, RunStatus.FAILED: 1}
    clock.advance(10)
    run_store.prune_runs(age_ms=0)
    assert run_store.count_runs() == {RunStatus.RUNNING: 2}
    run_store.wipe()
    assert run_store.count_runs() == {}
    assert run_store.list_queues() == []


def test_the_runs_of_a_workflow_are_not_queues(run_store: Store) -> None:
    start(run_store)
    assert [queue.name for queue in run_store.list_queues()] == ["tasks"]


# -- overdue runs --


def test_open_runs_are_overdue_at_their_deadline_oldest_first(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store, "late", "w1", deadline_ms=20)
    start(run_store, "early", "w2", deadline_at=START + 10)
    start(run_store, "closed", "w3", deadline_ms=5)
    start(run_store, "free", "w4")
    end(run_store, of=ref("closed", "w3"))
    for job in take_tasks(run_store):
        made = (activity("act", "free", deadlines=limits(schedule_to_start=15)),)
        own = made if job.run_id == "free" else ()
        exchange(run_store, commit(run_store, job.run_id, activities=own))
    clock.advance(9)
    assert run_store.list_overdue() == []
    clock.advance(11)
    found = run_store.list_overdue()
    assert [each.run.run_id if each.run else each.activity.id for each in found] == [  # type: ignore[union-attr]
        "early",
        "act",
        "late",
    ]
    assert found[0].run == run(run_store, "early")
    assert run_store.list_overdue(limit=1) == found[:1]


# -- waiting --


def test_a_wait_for_a_run_that_has_changed_returns_at_once(run_store: Store) -> None:
    start(run_store)
    assert run_store.wait_run("r", length=0, timeout_s=60)
    assert not run_store.wait_run("r", length=1, timeout_s=0)
    end(run_store)
    assert run_store.wait_run("r", length=99, timeout_s=60)


def test_a_wait_for_a_run_ends_when_events_are_appended(adapter: Store) -> None:
    start(adapter)
    answers: list[bool] = []
    waiter = threading.Thread(
        target=lambda: answers.append(adapter.wait_run("r", length=1, timeout_s=60))
    )
    waiter.start()
    send(adapter)
    do(adapter, events=(b"a",))
    waiter.join(30)
    assert answers == [True]


def test_a_wait_until_a_run_is_closed_sleeps_through_its_commits(
    adapter: Store,
) -> None:
    start(adapter)
    answers: list[bool] = []

    def wait() -> None:
        answers.append(adapter.wait_run("r", length=UNTIL_CLOSED, timeout_s=60))

    waiter = threading.Thread(target=wait)
    waiter.start()
    send(adapter)
    do(adapter, events=(b"a",))
    waiter.join(0.05)
    assert answers == []
    end(adapter)
    waiter.join(30)
    assert answers == [True]


def test_a_wait_for_a_value_pops_it(adapter: Store) -> None:
    assert adapter.wait_value("result", "k", timeout_s=0) is None
    answers: list[bytes | None] = []
    waiter = threading.Thread(
        target=lambda: answers.append(adapter.wait_value("result", "k", timeout_s=60))
    )
    waiter.start()
    adapter.put_value("result", "other", b"x")
    adapter.put_value("result", "k", b"v")
    waiter.join(30)
    assert answers == [b"v"]
    assert adapter.get_values("result", ["k"]) == {}


# -- pruning --


def test_closed_runs_are_pruned_oldest_first_with_all_that_is_left_of_them(
    run_store: Store, clock: ManualClock
) -> None:
    for name in ("a", "b", "c", "open"):
        start(run_store, name, f"w-{name}")
    for name in ("b", "a", "c"):
        clock.advance(10)
        end(run_store, of=ref(name, f"w-{name}"))
    clock.advance(10)  # b is 30, a 20, c 10 ms old
    assert run_store.prune_runs(age_ms=30) == Step(0, more=False)
    assert run_store.prune_runs(age_ms=10, limit=1) == Step(1, more=True)
    assert run_store.load_run("b") is None
    assert run_store.prune_runs(age_ms=10, limit=1) == Step(1, more=False)
    assert run_store.load_run("a") is None
    assert ids(run_store) == ["open", "c"]
    assert run_store.read_history("a") == ()
    assert run_store.get_run(ref(None, "w-a")) is None
    assert run_store.fsck() == []


@pytest.mark.parametrize("began", [False, True], ids=["waiting", "active"])
def test_the_queries_of_a_pruned_run_go_with_it(
    run_store: Store, clock: ManualClock, *, began: bool
) -> None:
    start(run_store)
    end(run_store)
    run_store.enqueue([query("q")], request_id="ask")
    if began:
        wanted = claim("t", queues=(TASKS,), types=("query/Order",))
        assert [job.id for job in run_store.exchange(claim=wanted).jobs] == ["q"]
    clock.advance(10)
    assert run_store.prune_runs(age_ms=5) == Step(1, more=False)
    assert run_store.get_job("q") is None
    assert run_store.load_run("r") is None
    assert run_store.fsck() == []


def test_a_workflow_whose_newest_run_was_pruned_is_unknown(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    end(run_store)
    clock.advance(10)
    assert run_store.prune_runs(age_ms=5).count == 1
    assert run_store.get_run(ref(None)) is None
    assert start(run_store, "r2", reuse="reject_duplicate").run_id == "r2"


def test_of_runs_that_closed_at_once_the_first_started_is_pruned_first(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store, "z")
    end(run_store, of=ref("z"))
    start(run_store, "a")
    end(run_store, of=ref("a"))
    clock.advance(10)
    assert run_store.prune_runs(age_ms=5, limit=1) == Step(1, more=True)
    assert run_store.get_run(ref(None)) == run(run_store, "a")


def test_pruning_an_old_run_leaves_the_current_one(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    take_task(run_store)
    following = new_run("r2", first_run_id="r", inbox=(entry(),))
    exchange(
        run_store,
        commit(run_store, close=closed(RunStatus.CONTINUED_AS_NEW, next_run=following)),
    )
    clock.advance(10)
    assert run_store.prune_runs(age_ms=5).count == 1
    assert run_store.get_run(ref(None)) == run(run_store, "r2")
    assert run(run_store, "r2").inbox == 1
    assert run_store.fsck() == []
