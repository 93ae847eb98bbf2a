"""Sending to a run and closing it from outside."""

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import add, job, totals
from tests.contract.run_builders import (
    TASKS,
    WORK,
    activity,
    closed,
    do,
    end,
    entry,
    inbox,
    item,
    limits,
    load,
    new_run,
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
from workflows.exceptions import (
    ConflictError,
    InboxFullError,
    InvalidArgumentError,
    NotFoundError,
)
from workflows.store import RunStatus, Store, task_job_id


@pytest.mark.parametrize("way", ["close", "replace"])
@pytest.mark.parametrize("news", ["a signal", "a task"])
def test_a_close_that_has_not_seen_the_news_of_a_run_closes_nothing(
    run_store: Store, news: str, way: str
) -> None:
    start(run_store)
    send(run_store)

    def close_as(seen: tuple[int, int], run_id: str, request_id: str) -> None:
        last = closed(events=(b"told", b"last"), seen=seen)
        if way == "close":
            end(run_store, last, request_id=request_id)
        else:
            start(
                run_store,
                run_id,
                conflict="terminate_existing",
                terminate=last,
                request_id=request_id,
            )

    if news == "a signal":
        send(run_store)
    else:
        do(run_store, events=(b"2", b"3"), taken=1)
    with pytest.raises(ConflictError):
        close_as((1, 1), "x", "late")
    assert run(run_store).status is RunStatus.RUNNING
    record = run(run_store)
    close_as((record.length, record.inbox_seq), "x", "late")  # nothing was remembered
    assert run(run_store, "r").status is RunStatus.TERMINATED
    assert run_store.read_history("r")[-2:] == (b"told", b"last")
    assert run_store.fsck() == []


@pytest.mark.parametrize("way", ["send", "start"])
def test_a_full_inbox_refuses_what_names_a_limit_until_it_is_drained(
    run_store: Store, way: str
) -> None:
    start(run_store)
    first = entry(data=b"1", max_waiting=2)

    def more(data: bytes, request_id: str) -> object:
        what = entry(data=data, max_waiting=2)
        if way == "send":
            return send(run_store, what, request_id=request_id)
        return start(
            run_store, "x", conflict="use_existing", signal=what, request_id=request_id
        )

    send(run_store, first)
    second = more(b"2", "second")
    with pytest.raises(InboxFullError, match="2 messages wait for workflow 'w'"):
        more(b"3", "third")
    assert more(b"2", "second") == second  # a repeat is no further one
    send(run_store, entry("cancel"))  # names no limit
    assert (run(run_store).inbox, run(run_store).inbox_seq) == (3, 3)
    do(run_store, taken=3)
    more(b"3", "third")
    assert [each.data for each in load(run_store).inbox] == [b"3"]


def test_what_is_sent_lies_in_the_inbox_in_order_with_its_time(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    assert send(run_store, entry(data=b"1")) == "r"
    clock.advance(5)
    assert send(run_store, entry("update", b"2"), ref(None)) == "r"
    assert load(run_store).inbox == (
        item(1, START, "signal", b"1"),
        item(2, START + 5, "update", b"2"),
    )
    assert (run(run_store).inbox, run(run_store).inbox_seq) == (2, 2)
    assert len(take_tasks(run_store)) == 1


def test_numbers_of_entries_are_never_used_again(run_store: Store) -> None:
    start(run_store)
    send(run_store)
    do(run_store)
    send(run_store)
    assert inbox(run_store) == [(2, "signal", b"s")]
    assert (run(run_store).inbox, run(run_store).inbox_seq) == (1, 2)


def test_a_waiting_run_gets_a_task_when_something_is_sent(run_store: Store) -> None:
    start(run_store, priority=3)
    do(run_store)
    assert run_store.get_job(task_job_id("r")) is None
    send(run_store)
    record = job(run_store, task_job_id("r"))
    assert (record.state, record.priority) == (JobState.WAITING, 3)
    assert take_task(run_store).run_id == "r"
    assert run_store.fsck() == []


def test_sending_to_a_run_whose_task_runs_leaves_that_task_alone(
    run_store: Store,
) -> None:
    start(run_store)
    before = take_task(run_store)
    send(run_store)
    record = job(run_store, task_job_id("r"))
    assert (record.state, record.created_at) == (JobState.ACTIVE, before.created_at)


def test_a_repeated_send_appends_nothing_even_after_the_run_closed(
    run_store: Store,
) -> None:
    start(run_store)
    assert send(run_store, request_id="one") == "r"
    assert send(run_store, entry(data=b"other"), request_id="one") == "r"
    assert len(inbox(run_store)) == 1
    end(run_store)
    assert send(run_store, request_id="one") == "r"
    start(run_store, "r2")
    assert send(run_store, to=ref(None), request_id="one") == "r"
    assert inbox(run_store, "r2") == []


def test_of_cancel_entries_a_run_takes_one(run_store: Store) -> None:
    start(run_store)
    send(run_store, entry("cancel", b"1"))
    assert run(run_store).cancel_requested
    do(run_store)
    assert send(run_store, entry("cancel", b"2")) == "r"
    assert inbox(run_store) == []
    assert take_tasks(run_store) == ()
    assert run(run_store).inbox_seq == 1


@pytest.mark.parametrize(
    "to",
    [
        ref(None, "unknown"),
        ref("unknown"),
        ref("r", "other"),
        ref(None, first_run_id="other"),
        ref("r", first_run_id="other"),
    ],
    ids=["workflow", "run", "run-of-another", "chain", "run-of-another-chain"],
)
def test_a_run_that_is_not_found(run_store: Store, to: object) -> None:
    start(run_store)
    with pytest.raises(NotFoundError):
        send(run_store, to=to)  # type: ignore[arg-type]
    with pytest.raises(NotFoundError):
        end(run_store, of=to)  # type: ignore[arg-type]
    assert run_store.get_run(to) is None  # type: ignore[arg-type]
    assert inbox(run_store) == []


def test_a_run_is_found_by_its_chain(run_store: Store) -> None:
    start(run_store)
    take_task(run_store)
    end(
        run_store,
        closed(RunStatus.CONTINUED_AS_NEW, next_run=new_run("r2", first_run_id="r")),
    )
    assert send(run_store, to=ref(None, first_run_id="r")) == "r2"
    assert run_store.get_run(ref("r2", first_run_id="r")) == run(run_store, "r2")


def test_a_closed_run_refuses_what_clients_send(run_store: Store) -> None:
    start(run_store)
    end(run_store)
    with pytest.raises(ConflictError):
        send(run_store)
    with pytest.raises(ConflictError):
        send(run_store, to=ref(None))
    with pytest.raises(ConflictError):
        end(run_store)


def test_an_entry_needs_a_kind(run_store: Store) -> None:
    start(run_store)
    with pytest.raises(InvalidArgumentError):
        send(run_store, entry(""))


# -- closing from outside --


def test_closing_drops_task_inbox_timers_and_pending_activities(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store)
    do(
        run_store,
        activities=(
            activity("running"),
            activity("waiting", priority=9),
            activity("later", delay_ms=500, deadlines=limits(schedule_to_close=9)),
        ),
        timers=(timer("x", START + 50),),
    )
    (running,) = take_work(run_store)
    send(run_store)
    clock.advance(5)
    assert end(run_store, closed(events=(b"z1", b"z2"))) == "r"
    loaded = load(run_store)
    assert loaded.events == (b"started", b"z1", b"z2")
    assert (loaded.run.status, loaded.run.closed_at) == (
        RunStatus.TERMINATED,
        START + 5,
    )
    assert (loaded.run.last_at, loaded.run.size) == (START + 5, 11)
    assert (loaded.inbox, loaded.run.inbox) == ((), 0)
    assert run_store.get_job(task_job_id("r")) is None
    assert run_store.get_job("waiting") is None
    assert run_store.get_job("later") is None
    assert job(run_store, "running").cancel_requested
    renewed = run_store.renew("me", [("running", running.token)], lease_ms=1000)
    assert renewed.cancel_requested == ("running",)
    clock.advance(100)
    assert run_store.promote_due() == (0, None)
    assert run_store.list_overdue() == []
    assert run_store.fsck() == []
    queue = run_store.get_queue(WORK)
    assert queue is not None
    assert queue.counts[JobState.WAITING] == queue.counts[JobState.DELAYED] == 0
    assert totals(run_store, WORK) == {"enqueued": 3}


def test_closing_takes_the_task_from_who_runs_it(run_store: Store) -> None:
    start(run_store)
    task = take_task(run_store)
    end(run_store)
    renewed = run_store.renew("me", [(task.id, task.token)], lease_ms=1000)
    assert renewed.lost == (task.id,)
    queue = run_store.get_queue(TASKS)
    assert queue is not None
    assert set(queue.counts.values()) == {0}
    assert run_store.fsck() == []


def test_a_repeated_close_returns_the_same(run_store: Store) -> None:
    start(run_store)
    assert end(run_store, request_id="one") == "r"
    start(run_store, "r2")
    assert end(run_store, of=ref(None), request_id="one") == "r"
    assert run(run_store, "r2").status is RunStatus.RUNNING


def test_closing_enqueues_jobs_and_starts_the_next_run(run_store: Store) -> None:
    add(run_store, "known")
    start(run_store)
    send(run_store, entry("note"))
    send(run_store, entry(data=b"kept"))
    end(
        run_store,
        closed(
            RunStatus.TIMED_OUT,
            jobs=(),
            next_run=new_run("r2", first_run_id="r", delay_ms=10),
            carry=True,
        ),
    )
    assert run(run_store).next_run_id == "r2"
    assert inbox(run_store, "r2") == [(1, "signal", b"kept")]
    assert job(run_store, task_job_id("r2")).state is JobState.DELAYED
    assert run_store.get_run(ref(None)) == run(run_store, "r2")
    assert run_store.fsck() == []


@pytest.mark.parametrize(
    "close",
    [
        closed(RunStatus.RUNNING),
        closed(carry=True),
        closed(next_run=new_run("r2", "another")),
        closed(next_run=new_run("r")),
    ],
    ids=["running", "carry", "workflow", "taken-id"],
)
def test_a_bad_close_is_refused(run_store: Store, close: object) -> None:
    start(run_store)
    before = load(run_store)
    with pytest.raises(InvalidArgumentError):
        end(run_store, close)  # type: ignore[arg-type]
    assert load(run_store) == before
