"""No child outlives its parent against its policy, and no type waits unseen."""

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.chaos import flow_client, flows
from tests.chaos.flows import Plan
from tests.clock import ManualClock
from tests.contract.builders import worker as knows
from tests.integration.workflow_world import Life, Lines, Mode, event_loop
from workflows import workflow
from workflows.client import WorkflowService
from workflows.client.service.starting import StartRequest
from workflows.common import RetryPolicy, WorkflowIDConflictPolicy
from workflows.converter import DataConverter, payload_to_json
from workflows.engine.history import decode_event
from workflows.engine.starting import StartOptions
from workflows.engine.states import JobState
from workflows.huey import WorkflowHuey
from workflows.huey.consumer import make_ticker
from workflows.runtime import (
    parent_close,
    terminating,
    workflow_tasks,
    workflow_worker,
)
from workflows.runtime.closing import UPKEEP_QUEUE
from workflows.runtime.ids import new_id, new_run_id
from workflows.runtime.lease import MS
from workflows.runtime.registration import Registry
from workflows.runtime.run_upkeep import RunUpkeep
from workflows.store import Commit, Exchanged, RunRef, RunStatus, Store, task_job_id

MINUTE_MS = 60_000
INTERVAL_MS = 10_000
POLICIES = {
    "terminate": RunStatus.TERMINATED,
    "request_cancel": RunStatus.CANCELED,
    "abandon": RunStatus.RUNNING,
}


# -- workflows -------------------------------------------------------------------------


@workflow.defn
class Parent:
    """Starts children, of these policies in turn, and waits for ever."""

    @workflow.run
    async def run(self, policies: str, count: int, kind: str = "Idle") -> None:
        for number in range(count):
            policy = policies.split()[number % len(policies.split())]
            await workflow.start_child_workflow(
                kind,
                id=f"child-{number}",
                parent_close_policy=workflow.ParentClosePolicy[policy.upper()],
            )
        await workflow.wait_condition(lambda: False)


@workflow.defn
class Idle:
    """Waits for ever."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@workflow.defn
class Restless:
    """Continues as new whenever it is told to."""

    def __init__(self) -> None:
        self.told = False

    @workflow.signal
    def number(self, _value: int) -> None:
        self.told = True

    @workflow.run
    async def run(self) -> None:
        workflow.upsert_memo({"how": "restless"})
        await workflow.wait_condition(lambda: self.told)
        workflow.continue_as_new()


@workflow.defn
class Caller:
    """Calls an activity that may be unknown."""

    @workflow.run
    async def run(self, attempts: int, queue: str | None = None) -> Any:
        return await workflow.execute_activity(
            "unheard of",
            task_queue=queue,
            start_to_close_timeout=timedelta(hours=1),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=1), maximum_attempts=attempts
            ),
        )


@workflow.defn
class Broken:
    """Fails its first task."""

    @workflow.run
    async def run(self) -> None:
        msg = "a bug"
        raise RuntimeError(msg)


FAMILY = Registry([Parent, Idle, Restless, Caller, Broken], [flows.step])


# -- the world -------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _boot(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> None:
    for module in (workflow_tasks, workflow_worker, parent_close):
        monkeypatch.setattr(module, "boot_ns", lambda: clock.now * MS)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with event_loop() as made:
        yield made


@pytest.fixture
def life(store: Store, loop: asyncio.AbstractEventLoop) -> Life:
    """A worker that knows the family."""
    return Life(store, loop, Mode(), FAMILY)


def begin(store: Any, kind: str, flow: str, *arguments: Any, **options: Any) -> str:
    """Start a workflow; return its run id."""
    conflict = options.pop("conflict", WorkflowIDConflictPolicy.UNSPECIFIED)
    converter = DataConverter.default.payload_converter
    given = StartOptions(
        workflow_type=kind,
        task_queue=flows.QUEUE,
        arguments=[payload_to_json(converter.to_payload(each)) for each in arguments],
        **options,
    )
    request = StartRequest(workflow_id=flow, options=given, conflict=conflict)
    return WorkflowService(store).start(request).run_id


def turn(life: Life, times: int = 50) -> None:
    """Let it work until nothing is to do."""
    for _ in range(times):
        if not life.turn():
            return


def status(store: Store, flow: str) -> RunStatus:
    """The status of a workflow's current run."""
    found = store.get_run(RunRef(workflow_id=flow))
    assert found is not None
    return found.status


class Before:
    """A store before whose close of a run something happens."""

    def __init__(self, store: Store, happens: Callable[[], object]) -> None:
        self._store, self._happens = store, happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def close_run(self, *args: Any, **kwargs: Any) -> str:
        self._happens()
        return self._store.close_run(*args, **kwargs)

    def start_run(self, *args: Any, **kwargs: Any) -> Any:
        self._happens()
        return self._store.start_run(*args, **kwargs)


# -- children --------------------------------------------------------------------------


def terminate(store: Any, _clock: ManualClock) -> None:
    WorkflowService(store).terminate(RunRef(workflow_id="parent"))


def time_out(store: Any, clock: ManualClock) -> None:
    clock.advance(MINUTE_MS)
    RunUpkeep(store, new_run_id, "upkeep").end_overdue()


def replace(store: Any, _clock: ManualClock) -> None:
    conflict = WorkflowIDConflictPolicy.TERMINATE_EXISTING
    begin(store, "Idle", "parent", conflict=conflict)


@pytest.mark.parametrize("end", [terminate, time_out, replace])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_child_that_starts_in_the_instant_of_its_parents_end_is_no_orphan(
    store: Store, clock: ManualClock, life: Life, policy: str, end: Any
) -> None:
    begin(store, "Parent", "parent", policy, 1, run_timeout_ms=MINUTE_MS)
    end(Before(store, life.turn), clock)  # that turn starts the child
    assert status(store, "child-0") is RunStatus.RUNNING
    life.tick()
    turn(life)
    assert status(store, "child-0") is POLICIES[policy]
    assert store.get_job(f"parent-close:{run_of(store, 'parent')}") is None
    assert store.fsck() == []


def run_of(store: Store, flow: str) -> str:
    """The id of the first run of a workflow."""
    return store.list_runs(workflow_id=flow).runs[-1].run_id


@pytest.mark.parametrize("policy", ["terminate", "request_cancel"])
def test_a_child_that_continues_as_new_meanwhile_is_no_orphan(
    store: Store, life: Life, policy: str
) -> None:
    begin(store, "Parent", "parent", policy, 1, "Restless")
    turn(life)
    WorkflowService(store).terminate(RunRef(workflow_id="parent"))
    flow_client.signal(store, "child-0", 1)
    moved = False

    class Moving(Before):
        """The child goes on as a new run just before it is reached."""

        def send_to_run(self, *args: Any, **kwargs: Any) -> str:
            self._happens()
            return self._store.send_to_run(*args, **kwargs)

    def move() -> None:
        nonlocal moved
        moved = moved or life.turn()

    moving: Any = Moving(store, move)
    closer = parent_close.ParentClose(moving, new_id, "closer", "closer")
    closer.step()
    turn(life)
    assert len(store.list_runs(workflow_id="child-0").runs) == 2
    assert status(store, "child-0") is POLICIES[policy]


def test_many_children_end_in_small_steps(
    store: Store, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent_close, "PAGE", 3)
    monkeypatch.setattr(parent_close, "TURN_NS", 0)  # one child a step
    begin(store, "Parent", "parent", "terminate", 8)
    turn(life)
    WorkflowService(store).terminate(RunRef(workflow_id="parent"))
    for _ in range(10):
        life.tick()
    ended = [status(store, f"child-{number}") for number in range(8)]
    assert ended == [RunStatus.TERMINATED] * 8
    assert store.list_jobs(UPKEEP_QUEUE, JobState.WAITING).jobs == ()


def test_children_that_are_left_alone_do_not_hide_others(
    store: Store, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent_close, "PAGE", 2)
    begin(store, "Parent", "parent", "abandon abandon abandon terminate", 8)
    turn(life)
    WorkflowService(store).terminate(RunRef(workflow_id="parent"))
    life.tick()
    ended = [
        number
        for number in range(8)
        if status(store, f"child-{number}") is RunStatus.TERMINATED
    ]
    assert ended == [3, 7]
    assert store.list_jobs(UPKEEP_QUEUE, JobState.WAITING).jobs == ()


def test_any_worker_and_a_plain_consumer_end_the_children(
    store: Store, life: Life, loop: asyncio.AbstractEventLoop
) -> None:
    only_activities = Life(store, loop, Mode(), Registry([], [flows.step]))
    huey = WorkflowHuey("shop", store=store)
    tickers = {"a": only_activities._worker._ticker, "b": make_ticker(huey)}
    for name, ticker in tickers.items():
        parent = begin(store, "Parent", f"parent-{name}", "terminate", 1)
        turn(life)
        WorkflowService(store).terminate(RunRef(workflow_id=f"parent-{name}"))
        store.bury_unknown(grace_ms=0, interval_ms=INTERVAL_MS)
        store.drain(UPKEEP_QUEUE, delayed=True)
        assert store.get_job(f"parent-close:{parent}") is not None
        ticker.step()
        assert status(store, "child-0") is RunStatus.TERMINATED
    assert store.fsck() == []


def test_a_step_that_fails_is_tried_again_later(
    store: Store, clock: ManualClock, life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(store, "Parent", "parent", "terminate", 3)
    turn(life)
    WorkflowService(store).terminate(RunRef(workflow_id="parent"))

    def fail_for_one(store: Store, flow: str, *said: Any) -> None:
        terminating.terminate(store, str(1 / 0) if flow == "child-0" else flow, *said)

    with monkeypatch.context() as broken:
        broken.setattr(parent_close, "terminate", fail_for_one)
        life.tick()
    ended = [status(store, f"child-{number}") for number in (1, 2)]
    assert ended == [RunStatus.TERMINATED] * 2  # it hindered no other
    job = store.get_job(f"parent-close:{run_of(store, 'parent')}")
    assert job is not None
    assert job.run_at == clock.now + 1000
    assert b"ZeroDivisionError" in job.failure
    clock.advance(1000)
    life.tick()
    assert status(store, "child-0") is RunStatus.TERMINATED


# -- a start that replaces a run -------------------------------------------------------


def test_a_start_replaces_the_run_that_is_there_then(store: Store, life: Life) -> None:
    """Between its look and its write the id passes to a child: whose parent hears."""
    begin(store, "Idle", "child-0")
    gone = False

    def pass_on() -> None:
        nonlocal gone
        if not gone:
            gone = True
            WorkflowService(store).terminate(RunRef(workflow_id="child-0"))
            begin(store, "Parent", "parent", "abandon", 1)
            turn(life)

    conflict = WorkflowIDConflictPolicy.TERMINATE_EXISTING
    begin(Before(store, pass_on), "Idle", "child-0", conflict=conflict)
    turn(life)
    parent = run_of(store, "parent")
    types = [decode_event(each).type for each in store.read_history(parent)]
    assert "CHILD_WORKFLOW_EXECUTION_TERMINATED" in types
    ended = [run.status for run in store.list_runs(workflow_id="child-0").runs]
    assert sorted(ended) == ["running", "terminated", "terminated"]


# -- types that nobody knows -----------------------------------------------------------


def wait_unknown(life: Life, store: Store, clock: ManualClock, ms: int) -> None:
    """Let time pass; a ticker looks every ten seconds."""
    until = clock.now + ms
    host = life._worker._unknown
    while clock.now < until:
        clock.advance(INTERVAL_MS)
        life.tick()
        turn(life)
        store.bury_unknown(grace_ms=5 * MINUTE_MS, interval_ms=INTERVAL_MS)
        host.fail()


@pytest.mark.parametrize("queue", [None, "elsewhere"])
def test_an_activity_that_nobody_knows_for_minutes_fails_by_its_policy(
    store: Store, clock: ManualClock, life: Life, queue: str | None
) -> None:
    begin(store, "Caller", "caller", 2, queue)
    wait_unknown(life, store, clock, 5 * MINUTE_MS - INTERVAL_MS)
    (job,) = activities(store)
    assert (job.attempts_made, job.state) == (0, JobState.WAITING)
    wait_unknown(life, store, clock, 2 * INTERVAL_MS)
    (job,) = activities(store)
    assert job.attempts_made == 1
    failure = msgspec.json.decode(job.failure)
    known = "step" if queue is None else ""
    assert failure["message"] == (
        "Activity function unheard of for workflow caller is not registered on this "
        f"worker, available activities: {known}"
    )
    assert failure["applicationFailureInfo"] == {"type": "NotFoundError"}
    wait_unknown(life, store, clock, 5 * MINUTE_MS + 3 * INTERVAL_MS)
    assert status(store, "caller") is RunStatus.FAILED
    types = [
        decode_event(each).type for each in store.read_history(run_of(store, "caller"))
    ]
    assert types[5:7] == ["ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_FAILED"]
    assert store.fsck() == []


def activities(store: Store) -> Any:
    """The pending activities of the only open workflow."""
    work = store.pending_work(run_of(store, "caller"))
    assert work is not None
    return work.activities


def test_a_rolling_deploy_fails_no_activity(
    store: Store, clock: ManualClock, life: Life
) -> None:
    """While one worker that knows the type lives, or was away for less, it waits."""
    begin(store, "Caller", "caller", 1)
    known = {flows.QUEUE: ("activity/unheard of",)}
    for _ in range(3):
        wait_unknown(life, store, clock, 4 * MINUTE_MS)
        store.heartbeat(knows(queues=known))
    wait_unknown(life, store, clock, 4 * MINUTE_MS)
    (job,) = activities(store)
    assert (job.attempts_made, job.state) == (0, JobState.WAITING)


def test_a_workflow_that_nobody_knows_stays_and_is_seen_failing(
    store: Store, clock: ManualClock, life: Life, loop: asyncio.AbstractEventLoop
) -> None:
    run_id = flow_client.start(store, "Timers", "stranger", Plan(size=0))
    wait_unknown(life, store, clock, 5 * MINUTE_MS + 2 * INTERVAL_MS)
    found = WorkflowService(store).describe(RunRef(workflow_id="stranger"))
    assert found.run.status is RunStatus.RUNNING
    failure = msgspec.json.decode(found.run.failure)
    assert failure["message"].startswith("Workflow class Timers is not registered on")
    assert failure["applicationFailureInfo"] == {"type": "NotFoundError"}
    assert "which fails" in WorkflowService(store).why(found)[0].what
    last = decode_event(store.read_history(run_id)[-1])
    assert last.type == "WORKFLOW_TASK_FAILED"

    flows.here.journal, flows.here.marks = Lines(), {"gen": 1}
    new = Life(store, loop, Mode())  # which knows it
    for _ in range(100):
        if not new.turn():
            new.tick()
            clock.advance(1000)
    assert status(store, "stranger") is RunStatus.COMPLETED


def test_a_type_known_for_another_queue_does_not_run_where_it_is_not(
    store: Store, clock: ManualClock, life: Life
) -> None:
    options = StartOptions(workflow_type="Idle", task_queue="elsewhere")
    request = StartRequest(workflow_id="lost", options=options)
    WorkflowService(store).start(request)
    wait_unknown(life, store, clock, 5 * MINUTE_MS + 2 * INTERVAL_MS)
    found = store.get_run(RunRef(workflow_id="lost"))
    assert found is not None
    assert b"is not registered" in found.failure


# -- a commit whose picture of the run is not true -------------------------------------


class Liar:
    """A store that takes the first commit for one of another length."""

    def __init__(self, store: Store) -> None:
        self._store, self._lies = store, 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def exchange(self, settlements: Any = (), claim: Any = None) -> Exchanged:
        """Exchange."""
        told = []
        for each in settlements:
            lies = isinstance(each, Commit) and self._lies > 0
            self._lies -= lies
            told.append(dataclasses.replace(each, length=99) if lies else each)
        return self._store.exchange(told, claim)


@pytest.mark.parametrize("kind", ["Idle", "Broken"])
def test_a_task_whose_commit_conflicts_is_given_back_at_once(
    store: Store, life: Life, loop: asyncio.AbstractEventLoop, kind: str
) -> None:
    run_id = begin(store, kind, "flow")
    liar: Any = Liar(store)
    first = Life(liar, loop, Mode(), FAMILY)
    first.turn()
    job = store.get_job(task_job_id(run_id))
    assert job is not None
    assert (job.state, job.releases) == (JobState.WAITING, 1)
    assert store.fsck() == []
    if kind == "Idle":
        turn(life)
        assert store.get_job(task_job_id(run_id)) is None


def test_a_task_that_conflicts_ever_again_stalls(
    store: Store, loop: asyncio.AbstractEventLoop
) -> None:
    run_id = begin(store, "Idle", "flow")
    liar: Any = Liar(store)
    liar._lies = 1000
    turn(Life(liar, loop, Mode(), FAMILY), 200)
    job = store.get_job(task_job_id(run_id))
    assert job is not None
    assert job.state is JobState.DELAYED
