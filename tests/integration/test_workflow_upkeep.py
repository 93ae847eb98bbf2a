"""What happens to runs by the clock: one that cannot be read hinders no other."""

from datetime import timedelta

import pytest

from tests.clock import ManualClock
from tests.contract import run_builders as b
from tests.integration.workflow_world import Life, Mode, event_loop
from workflows.client import BlockingClient
from workflows.client import WorkflowService as Service
from workflows.engine.activity_task import ActivityTask
from workflows.runtime.ids import new_run_id
from workflows.runtime.run_upkeep import RunUpkeep
from workflows.runtime.ticker import Ticker, TickerOptions
from workflows.store import RunStatus, Store, Swept

pytestmark = pytest.mark.integration
SECOND = 1_000


def test_a_run_whose_deadline_cannot_be_kept_hinders_no_other(
    store: Store, clock: ManualClock
) -> None:
    b.start(store, "bad", "bad", started=b"no event", deadline_ms=SECOND)
    good = BlockingClient(Service(store)).start_workflow(
        "Order", id="good", task_queue="q", run_timeout=timedelta(seconds=2)
    )
    clock.advance(3 * SECOND)
    RunUpkeep(store, new_run_id, "me").end_overdue()
    assert b.run(store, "bad").status is RunStatus.RUNNING
    assert b.run(store, str(good.first_execution_run_id)).status is RunStatus.TIMED_OUT


def test_a_lost_activity_that_cannot_be_read_is_passed_over(store: Store) -> None:
    upkeep = RunUpkeep(store, new_run_id, "me")
    b.start(store)
    b.take_task(store)
    b.exchange(store, b.commit(store, activities=(b.activity("a"),)))
    b.take_work(store)
    upkeep.settle_lost([Swept("a", b.WORK, b.ACTIVITY, "lost", "a:0")])
    assert store.fsck() == []


def test_a_chore_that_fails_keeps_no_other_from_being_done(store: Store) -> None:
    done: list[str] = []

    def fails() -> None:
        done.append("failed")
        raise ValueError

    ticker = Ticker(
        store,
        TickerOptions(timetables={}, retention={}, periodic=False),
        chores=[(0, fails), (0, lambda: done.append("done"))],
    )
    ticker.step()
    ticker.step()
    assert done == ["failed", "done", "failed", "done"]


def test_an_activity_of_no_known_type_that_cannot_be_failed_hinders_no_other(
    store: Store, clock: ManualClock
) -> None:
    b.start(store)
    b.take_task(store)
    task = ActivityTask(
        activity_id="2",
        activity_type="charge",
        workflow_id="w",
        workflow_type="Order",
        run_id="r",
        namespace="default",
        scheduled_event_id=2,
        retry_policy={"maximumAttempts": 1},
    )
    good = b.activity("good", payload=task.to_json())
    b.exchange(store, b.commit(store, activities=(b.activity("bad"), good)))
    with event_loop() as loop:
        life = Life(store, loop, Mode())
        for _ in range(32):
            clock.advance(10 * SECOND)
            store.bury_unknown(grace_ms=300 * SECOND, interval_ms=10 * SECOND)
            life._worker._unknown.fail()
    assert [each[1] for each in b.inbox(store)] == ["activity_failed"]
