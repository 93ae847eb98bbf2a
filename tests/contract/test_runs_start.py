"""Starting a run: what is there then, policies, request ids, delays."""

from typing import Any

import pytest

from tests.clock import START, ManualClock
from tests.contract.builders import add, totals
from tests.contract.run_builders import (
    TASK,
    TASKS,
    closed,
    do,
    end,
    entry,
    inbox,
    item,
    load,
    ref,
    run,
    send,
    start,
    take_task,
    take_tasks,
)
from workflows.engine.states import JobState
from workflows.exceptions import ConflictError, InvalidArgumentError
from workflows.store import (
    REQUEST_MEMORY_MS,
    JobKind,
    Parent,
    Retry,
    RunStatus,
    Started,
    StartStatus,
    Store,
    task_job_id,
)

FAILURES = (
    RunStatus.FAILED,
    RunStatus.CANCELED,
    RunStatus.TERMINATED,
    RunStatus.TIMED_OUT,
)
STARTED, EXISTING, REFUSED = (
    StartStatus.STARTED,
    StartStatus.EXISTING,
    StartStatus.REFUSED,
)


def test_a_started_run_has_its_first_event_and_no_inbox(run_store: Store) -> None:
    parent = Parent(workflow_id="pw", run_id="p")
    answer = start(
        run_store,
        info=b"memo",
        priority=2,
        parent=parent,
        deadline_ms=5,
        started=b"12345",
    )
    assert answer == Started(
        status=STARTED, run_id="r", first_run_id="r", run_status=RunStatus.RUNNING
    )
    loaded = load(run_store)
    assert (loaded.events, loaded.inbox, loaded.now) == ((b"12345",), (), START)
    record = loaded.run
    assert (record.workflow_id, record.run_id, record.first_run_id) == ("w", "r", "r")
    assert (record.type, record.task_queue, record.task_type) == ("Order", TASKS, TASK)
    assert (record.status, record.started_at) == (RunStatus.RUNNING, START)
    assert (record.closed_at, record.next_run_id) == (None, None)
    assert (record.length, record.size, record.last_at) == (1, 5, START)
    assert (record.inbox, record.inbox_seq, record.cancel_requested) == (0, 0, False)
    assert (record.deadline_at, record.priority) == (START + 5, 2)
    assert (record.parent, record.info, record.failure) == (parent, b"memo", b"")
    assert run_store.get_run(ref()) == record
    assert run_store.fsck() == []


def test_a_started_run_has_one_workflow_task_that_is_claimed_by_its_type(
    run_store: Store,
) -> None:
    start(run_store, priority=2)
    job = take_task(run_store)
    assert (job.id, job.queue, job.type) == (task_job_id("r"), TASKS, TASK)
    assert (job.kind, job.run_id, job.attempt) == (JobKind.WORKFLOW_TASK, "r", 1)
    assert (job.payload, job.headers, job.priority) == (b"", b"", 2)
    assert (job.created_at, job.deadlines, job.close_at) == (START, None, None)
    assert take_tasks(run_store, "t2") == ()
    assert totals(run_store, TASKS) == {"enqueued": 1}


def test_a_repeated_request_gets_the_same_answer_and_writes_nothing(
    run_store: Store, clock: ManualClock
) -> None:
    first = start(run_store, request_id="one")
    end(run_store)
    assert start(run_store, "r2", request_id="one") == first
    assert run_store.load_run("r2") is None
    clock.advance(REQUEST_MEMORY_MS - 1)
    assert start(run_store, "r2", request_id="one") == first
    assert run(run_store).status is RunStatus.TERMINATED


def test_a_start_is_known_after_other_runs_followed_and_it_was_pruned(
    run_store: Store, clock: ManualClock
) -> None:
    first = start(run_store, request_id="one")
    end(run_store)
    start(run_store, "r2", request_id="two")
    assert start(run_store, "r3", request_id="one") == first
    clock.advance(10)
    run_store.prune_runs(age_ms=5)
    assert run_store.load_run("r") is None
    assert start(run_store, "r3", request_id="one") == first
    assert run_store.load_run("r3") is None


def test_a_request_id_is_held_per_workflow_id(run_store: Store) -> None:
    start(run_store, request_id="one")
    assert start(run_store, "r2", "w2", request_id="one").run_id == "r2"


def test_request_ids_of_starts_sends_and_closes_are_kept_apart(
    run_store: Store,
) -> None:
    start(run_store, request_id="one")
    send(run_store, request_id="one")
    end(run_store, request_id="one")
    assert run(run_store).status is RunStatus.TERMINATED


def test_a_run_id_of_another_run_is_refused_and_nothing_changes(
    run_store: Store,
) -> None:
    start(run_store)
    with pytest.raises(InvalidArgumentError, match="'r'"):
        start(run_store, "r", "w2")
    end(run_store)
    with pytest.raises(InvalidArgumentError, match="'r'"):
        start(run_store, "r", "w")
    start(run_store, "r2")
    with pytest.raises(InvalidArgumentError, match="'r'"):
        start(run_store, "r", conflict="terminate_existing", terminate=closed())
    assert run(run_store, "r2").status is RunStatus.RUNNING


# -- policies --


def test_an_open_run_refuses_a_start_that_fails_on_conflict(run_store: Store) -> None:
    start(run_store)
    before = load(run_store)
    answer = start(run_store, "r2", signal=entry())
    assert answer == Started(
        status=REFUSED, run_id="r", first_run_id="r", run_status=RunStatus.RUNNING
    )
    assert load(run_store) == before
    assert run_store.load_run("r2") is None


@pytest.mark.parametrize("reuse", ["allow_duplicate", "reject_duplicate"])
def test_an_open_run_is_used_whatever_the_reuse_policy(
    run_store: Store, reuse: str
) -> None:
    start(run_store)
    answer = start(run_store, "r2", conflict="use_existing", reuse=reuse)
    assert (answer.status, answer.run_id) == (EXISTING, "r")
    assert inbox(run_store) == []


def test_signal_with_start_signals_the_open_run_that_it_uses(run_store: Store) -> None:
    start(run_store)
    do(run_store)
    start(run_store, "r2", conflict="use_existing", signal=entry(data=b"hello"))
    assert inbox(run_store) == [(1, "signal", b"hello")]
    assert take_task(run_store).run_id == "r"


def test_signal_with_start_lies_in_the_new_run_after_its_own_entries(
    run_store: Store,
) -> None:
    start(run_store, inbox=(entry("note", b"1"),), signal=entry(data=b"2"))
    assert load(run_store).inbox == (
        item(1, START, "note", b"1"),
        item(2, START, "signal", b"2"),
    )
    assert run(run_store).inbox == run(run_store).inbox_seq == 2
    assert len(take_tasks(run_store)) == 1


def test_terminate_existing_closes_the_open_run_and_starts_the_new_one(
    run_store: Store,
) -> None:
    start(run_store)
    send(run_store)
    answer = start(
        run_store,
        "r2",
        conflict="terminate_existing",
        terminate=closed(events=(b"terminated",)),
        signal=entry(),
    )
    assert (answer.status, answer.run_id) == (STARTED, "r2")
    old = load(run_store)
    assert (old.run.status, old.run.closed_at) == (RunStatus.TERMINATED, START)
    assert (old.events, old.inbox) == ((b"started", b"terminated"), ())
    assert inbox(run_store, "r2") == [(1, "signal", b"s")]
    assert take_task(run_store).run_id == "r2"
    assert run_store.fsck() == []


def test_terminate_existing_closes_no_run_that_it_was_not_made_for(
    run_store: Store,
) -> None:
    start(run_store)
    replace: dict[str, Any] = {
        "conflict": "terminate_existing",
        "terminate": closed(),
    }
    for other in ("", "r2", "gone"):
        with pytest.raises(ConflictError, match="run 'r' is"):
            start(run_store, "r2", request_id="s", replaces=other, **replace)
    assert run(run_store).status is RunStatus.RUNNING
    assert run_store.get_run(ref("r2")) is None
    for _ in range(2):  # a refusal is not remembered, a start is
        answer = start(run_store, "r2", request_id="s", replaces="r", **replace)
        assert (answer.status, answer.run_id) == (STARTED, "r2")
    assert run(run_store).status is RunStatus.TERMINATED
    assert run_store.fsck() == []


def test_a_start_that_would_replace_a_run_starts_if_that_is_closed(
    run_store: Store,
) -> None:
    start(run_store)
    end(run_store)
    answer = start(
        run_store,
        "r2",
        conflict="terminate_existing",
        terminate=closed(),
        replaces="r",
    )
    assert answer.status is STARTED


def test_terminate_existing_needs_to_know_how(run_store: Store) -> None:
    with pytest.raises(InvalidArgumentError, match="terminate"):
        start(run_store, conflict="terminate_existing")


@pytest.mark.parametrize("conflict", ["fail", "use_existing", "terminate_existing"])
def test_a_closed_run_is_followed_by_a_new_one_whatever_the_conflict_policy(
    run_store: Store, conflict: str
) -> None:
    start(run_store)
    end(run_store, closed(RunStatus.COMPLETED))
    answer = start(run_store, "r2", conflict=conflict, terminate=closed())
    assert (answer.status, answer.run_id, answer.first_run_id) == (STARTED, "r2", "r2")
    assert run_store.get_run(ref(None)) == run(run_store, "r2")
    assert run(run_store).status is RunStatus.COMPLETED


@pytest.mark.parametrize("status", [s for s in RunStatus if s is not RunStatus.RUNNING])
def test_failed_only_allows_what_did_not_succeed(
    run_store: Store, status: RunStatus
) -> None:
    start(run_store)
    end(run_store, closed(status))
    answer = start(run_store, "r2", reuse="allow_duplicate_failed_only")
    if status in FAILURES:
        assert (answer.status, answer.run_id) == (STARTED, "r2")
    else:
        assert answer == Started(
            status=REFUSED, run_id="r", first_run_id="r", run_status=status
        )


def test_reject_duplicate_refuses_after_any_closed_run(run_store: Store) -> None:
    start(run_store, reuse="reject_duplicate")
    end(run_store)
    assert start(run_store, "r2", reuse="reject_duplicate").status is REFUSED


# -- delays --


def test_a_delayed_start_has_a_task_that_is_due_later(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store, delay_ms=100)
    send(run_store)
    assert take_tasks(run_store, "t1") == ()
    clock.advance(100)
    assert take_task(run_store, "t2").ready_at == START + 100


def test_a_cancel_request_ends_the_delay_of_a_start(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store, delay_ms=100, inbox=(entry("note"),))
    send(run_store)
    assert take_tasks(run_store, "t1") == ()
    clock.advance(10)
    send(run_store, entry("cancel"))
    assert take_task(run_store, "t2").ready_at == START + 10
    assert run_store.fsck() == []


def test_a_send_does_not_end_the_delay_of_a_task_that_was_put_off(
    run_store: Store,
) -> None:
    start(run_store)
    take_task(run_store)
    later = Retry(job_id=task_job_id("r"), token="t", delay_ms=100, spend=False)
    assert run_store.exchange([later]).states == (JobState.DELAYED,)
    send(run_store, entry("cancel"))
    assert take_tasks(run_store, "t2") == ()


# -- bad values --


@pytest.mark.parametrize(
    "fields",
    [
        {"run_id": ""},
        {"workflow_id": ""},
        {"type": ""},
        {"task_queue": ""},
        {"task_type": "\0"},
        {"priority": float("nan")},
        {"deadline_ms": 1, "deadline_at": START},
        {"delay_ms": 2**60},
        {"request_id": "\0"},
    ],
    ids=str,
)
def test_a_bad_value_is_refused(run_store: Store, fields: dict[str, object]) -> None:
    with pytest.raises(InvalidArgumentError):
        start(run_store, **fields)  # type: ignore[arg-type]
    assert run_store.count_runs() == {}


def test_a_plain_job_cannot_take_the_id_of_a_workflow_task(run_store: Store) -> None:
    with pytest.raises(InvalidArgumentError, match="wft:r"):
        add(run_store, task_job_id("r"))
    start(run_store)
    assert run_store.get_job(task_job_id("r")).state is JobState.WAITING  # type: ignore[union-attr]
