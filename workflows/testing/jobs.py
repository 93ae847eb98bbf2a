"""Jobs under test: a store of their own, a clock that stands, and no consumer.

    with jobs_under_test(huey) as jobs:
        place_order(...)  # your code, which enqueues
        jobs.assert_enqueued(send, to="ann@example.org")
        assert jobs.drain("emails").completed == 1

The store is a real SQLite file in a folder of its own. What your code asks `datetime`
goes on; the clock of the store moves only by `advance`, or to what is due in a drain.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from workflows.engine.failure import Failure
from workflows.engine.states import PENDING, JobState
from workflows.huey import WorkflowHuey
from workflows.huey.handler import HueyHandler
from workflows.huey.wrapper import JobResult, JobWrapper
from workflows.runtime.ids import new_id
from workflows.runtime.lease import Ended, Lease, boot_ns
from workflows.store import (
    Claim,
    JobRecord,
    LeasedJob,
    QueueClaim,
    Store,
    StoreOptions,
)
from workflows.stores import open_store

LEASE_NS = 3600 * 10**9
MAX_JOBS = 1000  # one drain runs at most; more is an endless chain


@dataclass(slots=True)
class FrozenClock:
    """Milliseconds since the epoch; stands until it is moved."""

    now: int

    def __call__(self) -> int:
        """Return the time."""
        return self.now


@dataclass(slots=True)
class Drained:
    """What became of the runs of a drain. `errors`: one text per run that failed."""

    completed: int = 0
    retried: int = 0  # will run again: a failure, a snooze
    dead: int = 0
    cancelled: int = 0
    expired: int = 0
    errors: list[str] = field(default_factory=list)


class JobsUnderTest:
    """What a test says of jobs, and does with them."""

    def __init__(self, huey: WorkflowHuey, store: Store, clock: FrozenClock) -> None:
        self.store = store
        self.clock = clock
        self._huey = huey
        self._draining = False

    def advance(self, span: float | timedelta) -> None:
        """Move the store's clock on by a span (seconds)."""
        span = span if isinstance(span, timedelta) else timedelta(seconds=span)
        self.clock.now += span // timedelta(milliseconds=1)

    # -- what was enqueued -----------------------------------------------------------

    def enqueued(self, job: JobWrapper) -> list[JobRecord]:
        """Return the jobs of a type that wait or are delayed, in that order."""
        queue, name = job.job_type.queue, job.job_type.name
        found: list[JobRecord] = []
        for state in (JobState.WAITING, JobState.DELAYED):
            cursor = None
            while True:
                page = self.store.list_jobs(queue, state, limit=1000, cursor=cursor)
                found += [one for one in page.jobs if one.type == name]
                cursor = page.cursor
                if cursor is None:
                    break
        return found

    def assert_enqueued(
        self,
        job: JobWrapper,
        *,
        times: int | None = None,
        delay: float | timedelta | None = None,
        **fields: Any,
    ) -> None:
        """Fail unless a job of this type is pending that fits.

        `fields`: of its payload; `delay`: until it is due (seconds); `times`: how many
        fit, exactly.

        Raises:
            AssertionError: none does, or another number; it lists what there is.
        """
        pending = self.enqueued(job)
        fitting = [one for one in pending if self._fits(job, one, delay, fields)]
        if fitting if times is None else len(fitting) == times:
            return
        wanted = "one" if times is None else times
        there = "".join(f"\n- {self._shown(job, one)}" for one in pending) or " none"
        said = ", ".join(f"{name}={value!r}" for name, value in fields.items())
        msg = (
            f"{len(fitting)} pending {job.job_type.name}({said}) instead of {wanted}; "
            f"pending of this type:{there}"
        )
        raise AssertionError(msg)

    def assert_not_enqueued(self, job: JobWrapper, **fields: Any) -> None:
        """Fail if a job of this type is pending that fits. AssertionError."""
        self.assert_enqueued(job, times=0, **fields)

    def _fits(
        self,
        job: JobWrapper,
        record: JobRecord,
        delay: float | timedelta | None,
        fields: dict[str, Any],
    ) -> bool:
        payload = self._payload(job, record)
        if any(getattr(payload, name) != value for name, value in fields.items()):
            return False
        if delay is None:
            return True
        span = delay if isinstance(delay, timedelta) else timedelta(seconds=delay)
        due = record.run_at or self.clock.now
        return due - self.clock.now == span // timedelta(milliseconds=1)

    def _payload(self, job: JobWrapper, record: JobRecord) -> Any:
        converter = job.job_type.converter
        return job.job_type.decode(converter.open(record.payload))

    def _shown(self, job: JobWrapper, record: JobRecord) -> str:
        due = (
            "" if record.run_at is None else f" in {record.run_at - self.clock.now} ms"
        )
        return f"{self._payload(job, record)!r}{due}"

    # -- running ---------------------------------------------------------------------

    def drain(self, queue: str, *, delayed: bool = False) -> Drained:
        """Run the jobs of a queue, and what they add to it, until none waits.

        `delayed`: what is delayed too, each at its time: the clock moves to it.

        Raises:
            AssertionError: more than MAX_JOBS ran; they seem to have no end.
        """
        done = Drained()
        for _ in range(MAX_JOBS):
            leased = self._claim(queue)
            if leased is None and delayed and self._move_on(queue):
                leased = self._claim(queue)
            if leased is None:
                return done
            self._run(leased, done)
        msg = f"queue {queue!r} does not end: {MAX_JOBS} jobs have run"
        raise AssertionError(msg)

    def run_inline(self) -> None:
        """Run what waits in all queues. A job that is already running goes on first.

        Raises:
            AssertionError: a run failed; with its error.
        """
        if self._draining:
            return
        self._draining = True
        try:
            while any(self._drained(queue) for queue in self._queues()):
                pass
        finally:
            self._draining = False

    def _queues(self) -> list[str]:
        return [*self._huey.jobs.types_by_queue()]

    def _drained(self, queue: str) -> bool:
        """Drain a queue; return whether there was anything."""
        before = self.store.get_queue(queue)
        if before is None or not before.counts[JobState.WAITING]:
            return False
        done = self.drain(queue)
        if done.errors:
            raise AssertionError(done.errors[0])
        return True

    def _claim(self, queue: str) -> LeasedJob | None:
        types = self._huey.jobs.types_by_queue().get(queue, ())
        claim = Claim(
            id=new_id(),
            owner="test",
            queues=(QueueClaim(queue, types, 1),),
            slots=1,
            lease_ms=LEASE_NS // 10**6,
        )
        jobs = self.store.exchange(claim=claim).jobs
        return jobs[0] if jobs else None

    def _move_on(self, queue: str) -> bool:
        """Move the clock to the next delayed job."""
        page = self.store.list_jobs(queue, JobState.DELAYED, limit=1)
        if not page.jobs or page.jobs[0].run_at is None:
            return False
        self.clock.now = max(self.clock.now, page.jobs[0].run_at)
        return True

    def _run(self, job: LeasedJob, done: Drained) -> None:
        now = boot_ns()
        lease = Lease(job, ends_ns=now + LEASE_NS, granted_ns=now)
        ended = self._handle(lease)
        answer = self.store.exchange([ended.settlement])
        if ended.after is not None:
            ended.after(answer.statuses[0])
        state = answer.states[0]
        if state in PENDING:
            done.retried += 1
        elif state is not None:
            name = "dead" if state is JobState.FAILED else state.value
            setattr(done, name, getattr(done, name) + 1)
        failure = getattr(ended.settlement, "failure", b"")
        if failure:
            said = Failure.from_json(failure)
            done.errors.append(f"job {job.id}: {said.type}: {said.message}")

    def _handle(self, lease: Lease) -> Ended:
        handler = HueyHandler(self._huey)
        if self._huey.job_types[lease.job.type].is_async:
            return asyncio.run(handler.run_async(lease))
        return handler.run(lease)


@contextmanager
def jobs_under_test(
    huey: WorkflowHuey, *, inline: bool = False, now: datetime | None = None
) -> Iterator[JobsUnderTest]:
    """Give a Huey an empty store until the end; nothing reaches its own.

    `inline`: what is enqueued runs before the call returns, and a run that fails raises
    AssertionError there. `now`: what the store's clock shows; default: the wall's time.
    """
    moment = now or datetime.now(UTC)
    clock = FrozenClock(int(moment.timestamp() * 1000))
    with tempfile.TemporaryDirectory(prefix="jobs-") as folder:
        options = StoreOptions(namespace=huey.name, clock=clock)
        store = open_store(f"sqlite:///{Path(folder) / 'jobs.db'}", options)
        jobs = JobsUnderTest(huey, store, clock)
        try:
            with _in_place(huey, jobs, inline=inline):
                yield jobs
        finally:
            store.close()


@contextmanager
def _in_place(
    huey: WorkflowHuey, jobs: JobsUnderTest, *, inline: bool
) -> Iterator[None]:
    enqueue = huey.enqueue_tasks

    def enqueue_and_run(*args: Any, **options: Any) -> list[JobResult]:
        results = enqueue(*args, **options)
        jobs.run_inline()
        return results

    with huey.working_on(jobs.store):
        if not inline:
            yield
            return
        huey.enqueue_tasks = enqueue_and_run  # type: ignore[method-assign]
        try:
            yield
        finally:
            del huey.enqueue_tasks
