"""What the host does when the store, a hook or a message fails at an awkward moment."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from huey.api import Task, chord
from huey.exceptions import TaskException
from pydantic import BaseModel

from tests.clock import ManualClock
from tests.conftest import MakeStore
from tests.contract.builders import worker
from workflows.engine.states import JobState
from workflows.exceptions import StoreUnavailableError
from workflows.huey import WorkflowHuey
from workflows.huey.handler import HueyHandler
from workflows.runtime.keeper import Keeper
from workflows.runtime.lease import MS, Ended, Lease, boot_ns
from workflows.runtime.pool import Pool, PoolOptions, key_of
from workflows.store import (
    Complete,
    NewJob,
    Release,
    Retry,
    Return,
    Settlement,
    Store,
)


class Failing:
    """A real store of which single operations fail, before or after their write."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fail_before: set[str] = set()
        self.fail_after: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._store, name)
        if not callable(operation):
            return operation

        def call(*args: Any, **options: Any) -> Any:
            self._trip(self.fail_before, name)
            answer = operation(*args, **options)
            self._trip(self.fail_after, name)
            return answer

        return call

    def _trip(self, failing: set[str], name: str) -> None:
        if name in failing:
            failing.discard(name)
            msg = f"{name} failed once"
            raise StoreUnavailableError(msg)


class Note(BaseModel):
    text: str | None = "a"


@pytest.fixture
def failing(make_store: MakeStore) -> Failing:
    return Failing(make_store("sqlite"))


@pytest.fixture
def huey(failing: Failing) -> WorkflowHuey:
    return WorkflowHuey("faults", store=failing)


@contextmanager
def consumer(huey: WorkflowHuey, workers: int = 2) -> Iterator[None]:
    running = huey.create_consumer(workers=workers)
    running._set_signal_handlers = lambda: None  # not the main thread's business here
    running.start()
    try:
        yield
    finally:
        running.stop(graceful=True)


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        threading.Event().wait(0.01)


def state_of(huey: WorkflowHuey, job_id: str) -> JobState:
    record = huey.store.get_job(job_id)
    assert record is not None
    return record.state


def claimed_task(huey: WorkflowHuey) -> Task:
    task = huey.dequeue()
    assert task is not None
    return task


def claimed(huey: WorkflowHuey) -> Lease:
    lease: Lease = claimed_task(huey).lease
    return lease


def test_a_chord_callback_survives_a_store_that_fails_while_it_collects(
    huey: WorkflowHuey, failing: Failing
) -> None:
    member = huey.task(name="member")(lambda n: n)
    total = huey.task(name="total")(sum)
    result = huey.enqueue(chord([member.s(1), member.s(2)], total))
    for _ in range(2):
        huey.execute(huey.dequeue())
    failing.fail_before.add("get_values")
    assert huey.dequeue() is None
    assert huey.execute(huey.dequeue()) == 3
    assert result.get() == 3


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_chord_that_ended_runs_its_callback_again(
    kind: str, make_store: MakeStore
) -> None:
    huey = WorkflowHuey("chords", store=make_store(kind))
    sums: list[int] = []
    member = huey.task(name="member")(lambda n: n)
    total = huey.task(name="total")(sum)
    last = huey.task(name="last")(sums.append)
    again = chord([member.s(1), member.s(2)], total.s().then(last))
    for _ in range(2):
        huey.enqueue(again)
        for _ in range(4):
            huey.execute(claimed_task(huey))
    assert sums == [3, 3]
    assert huey.store.list_values("join") == {}


def test_a_chord_in_a_chord_runs_again_as_a_whole(huey: WorkflowHuey) -> None:
    sums: list[int] = []

    def add(numbers: list[int]) -> int:
        sums.append(sum(numbers))
        return sums[-1]

    member, total = huey.task(name="member")(lambda n: n), huey.task(name="total")(add)
    inner = chord([member.s(1), member.s(2)], total.s())
    outer = chord([inner, member.s(4)], total.s())
    for _ in range(2):
        huey.enqueue(outer)
        for _ in range(5):
            huey.execute(claimed_task(huey))
    assert sums == [3, 7, 3, 7]


def test_a_dead_chord_callback_can_be_retried_with_all_results(
    huey: WorkflowHuey,
) -> None:
    broken = True
    member = huey.task(name="member")(lambda n: n)

    def add(numbers: list[int]) -> int:
        if broken:
            raise ValueError(numbers)
        return sum(numbers)

    total = huey.task(name="total")(add)
    result = huey.enqueue(chord([member.s(1), member.s(2)], total))
    for _ in range(3):
        huey.execute(huey.dequeue())
    callback_id = result.callback.id
    assert state_of(huey, callback_id) is JobState.FAILED
    broken = False
    huey.store.retry_dead(callback_id)
    assert huey.execute(huey.dequeue()) == 3
    assert huey.store.list_values("join") == {}


def test_a_revocation_for_one_run_holds_until_its_end_is_written(
    huey: WorkflowHuey, failing: Failing
) -> None:
    ran: list[int] = []
    task = huey.task(name="once")(ran.append)
    result = task(1)
    result.revoke()  # revoke_once
    claimed = huey.dequeue()
    failing.fail_before.add("exchange")
    with pytest.raises(StoreUnavailableError):
        huey.execute(claimed)
    assert result.is_revoked()
    huey.execute(claimed)
    assert ran == []
    assert not result.is_revoked()
    assert state_of(huey, result.id) is JobState.CANCELLED


def test_a_failing_revocation_check_costs_no_slot_and_no_job(
    huey: WorkflowHuey, failing: Failing
) -> None:
    task = huey.task(name="checked")(lambda n: n)
    other = task(0)
    other.revoke()  # so that every run asks
    failing.fail_before.add("get_values")
    with consumer(huey, workers=1):
        results = [task(n) for n in range(1, 6)]
        until(lambda: all(r.is_ready() for r in results))
    assert [r.get() for r in results] == [1, 2, 3, 4, 5]
    assert huey.store.fsck() == []


def test_an_error_handler_that_cannot_be_enqueued_does_not_hold_its_job(
    huey: WorkflowHuey,
) -> None:
    class Strict(BaseModel):
        count: int

    @huey.job(queue="strict", payload=Strict)
    def strict(payload: Strict) -> None: ...

    def fail() -> None:
        raise ValueError

    broken = huey.task(name="broken")(fail)
    with consumer(huey, workers=1):
        result = huey.enqueue(broken.s().error(strict))
        until(lambda: state_of(huey, result.id) is JobState.FAILED)
    record = huey.store.get_job(result.id)
    assert record is not None
    assert b"PayloadError" in record.failure


def test_a_signal_receiver_that_exits_does_not_hold_its_job(
    huey: WorkflowHuey,
) -> None:
    task = huey.task(name="signalled")(lambda: 1)

    @huey.signal("executing")  # type: ignore[untyped-decorator]
    def leave(*_: object) -> None:
        raise SystemExit

    with consumer(huey, workers=1):
        result = task()
        until(lambda: state_of(huey, result.id) is JobState.FAILED)


def test_an_empty_field_of_a_chained_payload_stays_empty(huey: WorkflowHuey) -> None:
    seen: list[str | None] = []
    first = huey.task(name="first")(lambda: None)

    @huey.job(queue="notes", payload=Note)
    def note(payload: Note) -> None:
        seen.append(payload.text)

    huey.enqueue(first.s().then(note.s(Note(text=None))))
    for _ in range(2):
        huey.execute(huey.dequeue())
    assert seen == [None]


def test_a_claim_whose_reply_was_lost_is_given_back_by_a_stop(
    huey: WorkflowHuey, failing: Failing
) -> None:
    task = huey.task(name="kept")(lambda: 1)
    result = task()
    leases: dict[tuple[str, str], Lease] = {}
    options = PoolOptions(
        owner="me",
        weights={"faults": 1},
        types=huey.jobs.types_by_queue(),
        capacity=1,
    )
    pool = Pool(
        failing,
        options,
        leases,
        lambda: "claim-1",
        lambda _exist: None,
    )
    failing.fail_after.add("exchange")
    taken: list[Lease | None] = []
    slot = threading.Thread(target=lambda: taken.append(pool.take()))
    slot.start()
    until(lambda: state_of(huey, result.id) is JobState.ACTIVE)
    pool.stop()
    slot.join(10)

    def written() -> bool:
        pool.give_back(everything=True)
        pool.flush()
        return not pool.unwritten

    until(written)
    assert taken == [None]
    record = huey.store.get_job(result.id)
    assert record is not None
    assert (record.state, record.stalls) == (JobState.WAITING, 0)
    assert leases == {}


def test_nothing_starts_in_a_pool_that_stops(huey: WorkflowHuey) -> None:
    task = huey.task(name="late")(lambda: 1)
    task()
    options = PoolOptions(
        owner="me",
        weights={"faults": 1},
        types=huey.jobs.types_by_queue(),
        capacity=2,
    )
    pool = Pool(huey.store, options, {}, lambda: "claim-1", lambda _exist: None)
    pool._exchange()  # granted, and then the stop comes
    pool.stopping = True
    assert pool.take() is None
    pool.give_back(everything=True)
    pool.flush()
    info = huey.store.get_queue("faults")
    assert info is not None
    assert info.counts[JobState.WAITING] == 1


def test_what_an_idle_slot_will_take_is_not_given_back_as_stale(
    huey: WorkflowHuey, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = huey.task(name="wanted")(lambda: 1)
    for _ in range(3):
        task()
    options = PoolOptions(
        owner="me",
        weights={"faults": 1},
        types=huey.jobs.types_by_queue(),
        capacity=3,
    )
    pool = Pool(huey.store, options, {}, lambda: "claim-1", lambda _exist: None)
    pool._exchange()
    monkeypatch.setattr("workflows.runtime.pool.STALE_NS", -1)
    pool.take()
    pool.capacity = 2  # so that two are buffered and one slot is idle
    pool.give_back()
    pool.flush()
    info = huey.store.get_queue("faults")
    assert info is not None
    assert info.counts[JobState.ACTIVE] == 2
    assert info.counts[JobState.WAITING] == 1


def test_a_run_that_the_machinery_cannot_end_is_decided_all_the_same(
    huey: WorkflowHuey, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = huey.task(name="plain")(lambda: 1)
    task()
    claimed = huey.dequeue()
    assert claimed is not None
    lease: Lease = claimed.lease

    def away(*_: object) -> None:
        msg = "away"
        raise StoreUnavailableError(msg)

    monkeypatch.setattr(huey, "_run_pre_execute", away)
    ended: Settlement = HueyHandler(huey).run(lease).settlement
    assert isinstance(ended, Release)
    assert ended.started


def test_a_consumer_that_starts_without_its_store_says_so_once(
    huey: WorkflowHuey, failing: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = huey.create_consumer()
    waiting.stop_flag.set()  # so that no step waits
    scheduler = waiting._create_scheduler()
    for _ in range(3):
        failing.fail_before = {"now"}
        scheduler.loop()
    logged = [record.getMessage() for record in caplog.records]
    assert logged == ["declare_failed error=now failed once"]


def test_greenlets_are_refused_whether_gevent_is_there_or_not(
    huey: WorkflowHuey,
) -> None:
    with pytest.raises(ValueError, match="greenlets are not supported"):
        huey.create_consumer(worker_type="greenlet")


def test_a_task_enqueued_again_stays_accepted_when_the_store_fails(
    huey: WorkflowHuey, failing: Failing
) -> None:
    task = huey.task(name="later")(lambda n: n).s(1)
    huey.enqueue(task)
    failing.fail_after.add("remove")  # where the process might die as well
    again = huey.enqueue(task)
    assert again.duplicate
    assert state_of(huey, task.id) is JobState.WAITING


def test_a_task_that_ended_may_be_enqueued_again(huey: WorkflowHuey) -> None:
    task = huey.task(name="later")(lambda n: n).s(1)
    huey.enqueue(task)
    huey.execute(huey.dequeue())
    assert not huey.enqueue(task).duplicate
    assert [one.id for one in huey.pending()] == [task.id]


def test_the_result_of_a_job_that_stalled_to_death_is_its_error(
    make_store: MakeStore, clock: ManualClock
) -> None:
    huey = WorkflowHuey("stalled", store=make_store("sqlite", clock))
    note = huey.job(queue="notes", payload=Note, max_stalls=0)(lambda _note: None)
    result = note.enqueue(Note())
    huey.store.sweep(interval_ms=5000)
    assert huey.dequeue() is not None  # by a process that dies now
    while state_of(huey, result.id) is JobState.ACTIVE:
        clock.advance(5000)
        huey.store.sweep(interval_ms=5000)
    with pytest.raises(TaskException, match="stalled"):
        result.get()


def test_a_lost_lease_that_lingered_does_not_cost_the_new_run_of_its_job(
    huey: WorkflowHuey,
) -> None:
    task = huey.task(name="slow", retries=1)(lambda: 1)
    job_id = task().id
    first = claimed(huey)
    huey.store.exchange([Retry(job_id=job_id, token=first.job.token, linger=True)])
    huey.store.exchange([Return(job_id=job_id, token=first.job.token)])
    first.settled = True
    second = claimed(huey)
    leases = {key_of(lease): lease for lease in (first, second)}
    keeper = Keeper(
        huey.store,
        HueyHandler(huey),
        owner="me",
        pools=(),
        leases=leases,
        lease_ms=30_000,
        describe=lambda running: worker(running=running),
        stop_wanted=lambda: False,
        stop_claiming=lambda: None,
    )
    keeper.look(boot_ns() + 10_001 * MS)
    assert (first.lost, second.lost) == (True, False)
    assert [*leases] == [key_of(second)]


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_call_repeated_with_its_request_id_adds_nothing(
    kind: str, make_store: MakeStore
) -> None:
    huey = WorkflowHuey("twice", store=make_store(kind))
    note = huey.job(queue="notes", payload=Note)(lambda _note: None)
    many = [Note(), (Note(), {"delay": 60}), (Note(), {"job_id": "mine"})]
    calls = [note.enqueue_many(many, request_id="checkout-1") for _ in range(2)]
    first, second = ([(one.id, one.status) for one in call] for call in calls)
    assert first == second
    info = huey.store.get_queue("notes")
    assert info is not None
    assert info.totals["enqueued"] == 3


def test_a_pipeline_enqueued_again_runs_to_its_end_again(huey: WorkflowHuey) -> None:
    ran: list[str] = []
    first = huey.task(name="first")(lambda: ran.append("first"))
    second = huey.task(name="second")(lambda: ran.append("second"))
    pipeline = first.s().then(second)
    for _ in range(2):
        huey.enqueue(pipeline)
        for _ in range(2):
            task = huey.dequeue()
            assert task is not None, ran
            huey.execute(task)
    assert ran == ["first", "second"] * 2


def test_an_error_handler_runs_again_when_a_retried_dead_letter_fails_again(
    huey: WorkflowHuey,
) -> None:
    heard: list[str] = []

    def fail() -> None:
        raise ValueError

    broken = huey.task(name="broken")(fail)
    tell = huey.task(name="tell")(lambda error: heard.append(repr(error)))
    result = huey.enqueue(broken.s().error(tell))
    for _ in range(2):
        huey.execute(claimed_task(huey))
        huey.execute(claimed_task(huey))
        assert state_of(huey, result.id) is JobState.FAILED
        huey.store.retry_dead(result.id)
    assert len(heard) == 2


def test_a_refused_settlement_does_not_forget_a_claim_whose_reply_was_lost(
    huey: WorkflowHuey, failing: Failing
) -> None:
    task = huey.task(name="plain")(lambda: 1)
    names = iter(["claim-1", "claim-2"])
    options = PoolOptions(
        owner="me",
        weights={"faults": 1},
        types=huey.jobs.types_by_queue(),
        capacity=2,
        prefetch=False,
    )
    task()
    pool = Pool(failing, options, {}, lambda: next(names), lambda _exist: None)
    pool._exchange()
    first = pool.take()
    assert first is not None
    last = task()
    failing.fail_after.add("exchange")
    pool._exchange()  # grants the last one, and the reply is lost
    bad = NewJob(id="", queue="faults", type="plain", payload=b"")
    token = first.job.token
    pool.end(first, Ended(Complete(job_id=first.job.id, token=token, jobs=(bad,))))
    pool._exchange()
    assert state_of(huey, first.job.id) is JobState.FAILED
    pool._exchange()
    second = pool.take()
    assert second is not None
    assert second.job.id == last.id


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_async_jobs_of_a_limited_queue_follow_each_other_at_once(
    kind: str, make_store: MakeStore
) -> None:
    huey = WorkflowHuey("line", store=make_store(kind))

    async def nothing(_note: Note) -> None: ...

    note = huey.job(queue="notes", payload=Note, concurrency=1)(nothing)

    def done() -> int:
        info = huey.store.get_queue("notes")
        return info.totals.get("completed", 0) if info else 0

    with consumer(huey):
        note.enqueue_many([Note()] * 12)
        until(lambda: done() == 12, seconds=6)  # not one a second
