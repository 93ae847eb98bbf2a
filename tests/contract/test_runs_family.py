"""Children, deliveries to other runs, and what a parent hears."""

from dataclasses import replace

import pytest

from tests.clock import ManualClock
from tests.contract.builders import add, new
from tests.contract.run_builders import (
    TASKS,
    child,
    closed,
    commit,
    deliver,
    do,
    end,
    entry,
    exchange,
    inbox,
    load,
    new_run,
    ref,
    run,
    send,
    start,
    take_task,
    take_tasks,
)
from workflows.store import Parent, RunStatus, SettleStatus, Store

PARENT = Parent(workflow_id="w", run_id="r")
DONE = entry("child_closed", b"result")


def family(store: Store) -> None:
    """A parent `r` that waits, and its child `c` that waits."""
    start(store)
    do(store, children=(child(),))
    for job in take_tasks(store, "both"):
        assert exchange(store, commit(store, job.run_id, "both")).statuses == ("ok",)


# -- children --


def test_a_child_is_a_run_with_a_parent_and_the_parent_hears_of_it(
    run_store: Store,
) -> None:
    start(run_store)
    do(run_store, children=(child(deadline_ms=5, inbox=(entry("note"),)),))
    assert inbox(run_store) == [(1, "child_started", b"c")]
    assert run(run_store, "c").parent == PARENT
    assert inbox(run_store, "c") == [(1, "note", b"s")]
    assert {job.run_id for job in take_tasks(run_store)} == {"r", "c"}
    assert run_store.fsck() == []


def test_a_child_whose_workflow_id_is_taken_is_refused(run_store: Store) -> None:
    start(run_store, "other", "cw")
    do(run_store, "other")
    start(run_store)
    do(run_store, events=(b"a",), children=(child(),))
    assert inbox(run_store) == [(1, "child_refused", b"c")]
    assert run_store.load_run("c") is None
    assert load(run_store).events == (b"started", b"a")


@pytest.mark.parametrize(
    ("reuse", "status", "kind"),
    [
        ("allow_duplicate", RunStatus.COMPLETED, "child_started"),
        ("allow_duplicate_failed_only", RunStatus.COMPLETED, "child_refused"),
        ("allow_duplicate_failed_only", RunStatus.FAILED, "child_started"),
        ("reject_duplicate", RunStatus.FAILED, "child_refused"),
    ],
)
def test_the_reuse_policy_of_a_child_rules_over_closed_runs(
    run_store: Store, reuse: str, status: RunStatus, kind: str
) -> None:
    start(run_store, "other", "cw")
    end(run_store, closed(status), ref("other", "cw"))
    start(run_store)
    do(run_store, children=(child(reuse=reuse),))
    assert [item[1] for item in inbox(run_store)] == [kind]


def test_of_two_children_with_one_workflow_id_the_second_is_refused(
    run_store: Store,
) -> None:
    start(run_store)
    do(run_store, children=(child("c1"), child("c2")))
    assert inbox(run_store) == [
        (1, "child_started", b"c1"),
        (2, "child_refused", b"c2"),
    ]


def test_the_end_of_a_child_comes_into_its_parent_s_inbox(run_store: Store) -> None:
    family(run_store)
    send(run_store, to=ref("c", "cw"))
    do(run_store, "c", close=closed(RunStatus.COMPLETED, outcome=DONE))
    assert inbox(run_store)[-1][1:] == ("child_closed", b"result")
    assert take_task(run_store).run_id == "r"
    assert run_store.fsck() == []


def test_a_child_terminated_from_outside_tells_its_parent(run_store: Store) -> None:
    family(run_store)
    end(run_store, closed(outcome=DONE), ref("c", "cw"))
    assert inbox(run_store)[-1][1:] == ("child_closed", b"result")


def test_the_end_of_a_child_of_a_closed_parent_is_dropped(run_store: Store) -> None:
    family(run_store)
    end(run_store)
    send(run_store, to=ref("c", "cw"))
    do(run_store, "c", close=closed(RunStatus.COMPLETED, outcome=DONE))
    assert inbox(run_store) == []
    assert take_tasks(run_store) == ()
    assert run_store.fsck() == []


def test_an_outcome_without_a_parent_goes_nowhere(run_store: Store) -> None:
    start(run_store)
    do(run_store, close=closed(RunStatus.COMPLETED, outcome=DONE))
    assert run(run_store).status is RunStatus.COMPLETED
    assert run_store.fsck() == []


def test_a_child_started_by_a_commit_that_closes_lives_on(run_store: Store) -> None:
    start(run_store)
    do(run_store, children=(child(),), close=closed(RunStatus.COMPLETED))
    assert run(run_store, "c").status is RunStatus.RUNNING
    assert (inbox(run_store), run(run_store).inbox) == ([], 0)
    assert [job.run_id for job in take_tasks(run_store)] == ["c"]
    assert run_store.fsck() == []


# -- closing by a commit --


def test_a_commit_that_closes_appends_the_last_events_and_enqueues_jobs(
    run_store: Store,
) -> None:
    add(run_store, "known")
    start(run_store)
    end_of_run = closed(
        RunStatus.COMPLETED, events=(b"z",), jobs=(new("j1"), new("known"))
    )
    do(run_store, events=(b"a",), close=end_of_run)
    assert load(run_store).events == (b"started", b"a", b"z")
    assert run_store.get_job("j1") is not None
    assert take_tasks(run_store) == ()
    assert run_store.fsck() == []


def test_the_next_run_of_a_child_keeps_its_parent(run_store: Store) -> None:
    family(run_store)
    send(run_store, to=ref("c", "cw"))
    following = new_run("c2", "cw", first_run_id="c", parent=PARENT)
    close = closed(RunStatus.CONTINUED_AS_NEW, next_run=following)
    do(run_store, "c", close=close)
    assert run(run_store, "c2").parent == PARENT
    do(run_store, "c2", close=closed(RunStatus.COMPLETED, outcome=DONE))
    assert inbox(run_store)[-1][1:] == ("child_closed", b"result")


# -- deliveries --


def test_a_delivery_comes_into_the_other_inbox_and_is_confirmed(
    run_store: Store,
) -> None:
    start(run_store, "o", "ow")
    do(run_store, "o")
    start(run_store)
    do(run_store, deliveries=(deliver(ref(None, "ow")),))
    assert inbox(run_store, "o") == [(1, "signal", b"from r")]
    assert inbox(run_store) == [(1, "delivered", b"s")]
    assert {job.run_id for job in take_tasks(run_store)} == {"r", "o"}


@pytest.mark.parametrize("there", [False, True], ids=["unknown", "closed"])
def test_a_delivery_to_no_open_run_is_reported(
    run_store: Store, *, there: bool
) -> None:
    if there:
        start(run_store, "o", "ow")
        end(run_store, of=ref("o", "ow"))
    start(run_store)
    do(run_store, deliveries=(deliver(ref(None, "ow")),))
    assert inbox(run_store) == [(1, "undelivered", b"s")]
    if there:
        assert inbox(run_store, "o") == []


def test_a_delivery_without_answers_leaves_the_own_inbox_empty(
    run_store: Store,
) -> None:
    start(run_store)
    quiet = replace(deliver(ref("x", "ow")), done=None, missing=None)
    do(run_store, deliveries=(quiet,))
    assert inbox(run_store) == []
    assert take_tasks(run_store) == ()


def test_child_only_delivers_to_children_alone(run_store: Store) -> None:
    family(run_store)
    start(run_store, "o", "ow")
    send(run_store)
    do_with = (
        deliver(ref(None, "ow"), child_only=True),
        deliver(ref(None, "cw"), child_only=True),
        deliver(ref(None, "w"), child_only=True),  # not its own child
    )
    task = next(job for job in take_tasks(run_store) if job.run_id == "r")
    done = exchange(run_store, commit(run_store, token=task.token, deliveries=do_with))
    assert done.statuses == (SettleStatus.OK,)
    assert [kind for _, kind, _ in inbox(run_store)] == [
        "undelivered",
        "delivered",
        "undelivered",
    ]
    assert inbox(run_store, "o") == []
    assert inbox(run_store, "c")[-1][1:] == ("signal", b"from r")


def test_a_cancel_that_was_asked_before_is_delivered_and_dropped(
    run_store: Store,
) -> None:
    start(run_store, "o", "ow")
    send(run_store, entry("cancel"), ref("o", "ow"))
    do(run_store, "o")
    start(run_store)
    do(run_store, deliveries=(deliver(ref(None, "ow"), "cancel"),))
    assert inbox(run_store) == [(1, "delivered", b"s")]
    assert inbox(run_store, "o") == []
    assert [job.run_id for job in take_tasks(run_store)] == ["r"]


def test_a_run_delivers_nothing_to_its_own_workflow_id(run_store: Store) -> None:
    start(run_store)
    do(run_store, deliveries=(deliver(ref(None)), deliver(ref(None), kind="cancel")))
    kinds = [kind for _, kind, _ in inbox(run_store)]
    assert kinds == ["undelivered", "undelivered"]
    assert not run(run_store).cancel_requested
    assert len(take_tasks(run_store)) == 1


def test_a_cancel_for_a_closed_run_is_delivered_and_dropped(run_store: Store) -> None:
    start(run_store, "o", "ow")
    end(run_store, of=ref("o", "ow"))
    start(run_store)
    other = ref(None, "ow")
    do(run_store, deliveries=(deliver(other), deliver(other, kind="cancel")))
    kinds = [kind for _, kind, _ in inbox(run_store)]
    assert kinds == ["undelivered", "delivered"]
    assert run(run_store, "o").inbox == 0
    assert run_store.fsck() == []


def test_a_cancel_for_a_closed_run_that_is_no_child_is_not_for_children(
    run_store: Store,
) -> None:
    start(run_store, "o", "ow")
    end(run_store, of=ref("o", "ow"))
    start(run_store)
    wish = deliver(ref(None, "ow"), kind="cancel", child_only=True)
    do(run_store, deliveries=(wish,))
    assert [kind for _, kind, _ in inbox(run_store)] == ["undelivered"]


def test_a_delivered_cancel_ends_the_delay_of_a_start(
    run_store: Store, clock: ManualClock
) -> None:
    start(run_store, "o", "ow", delay_ms=1000)
    start(run_store)
    clock.advance(5)
    do(run_store, deliveries=(deliver(ref(None, "ow"), kind="cancel"),))
    assert {job.run_id for job in take_tasks(run_store)} == {"r", "o"}
    queue = run_store.get_queue(TASKS)
    assert queue is not None
    assert run_store.fsck() == []
