"""One process's work on the workflows and activities of one task queue.

Two pools of threads: workflow tasks (and queries), activities. A workflow thread may go
on with an activity of its own run (*inline*); one thread at least stays free of that,
so that signals and queries are handled meanwhile.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from workflows.activity import ActivityDefinition
from workflows.engine.activity_task import ActivityTask
from workflows.engine.states import JobState
from workflows.exceptions import StoreError
from workflows.runtime.activity_run import ActivityHost, run_attempt
from workflows.runtime.activity_settling import lost_settlement, settlement_of
from workflows.runtime.ids import new_id, new_run_id
from workflows.runtime.lease import MS, Ended, Lease, boot_ns
from workflows.runtime.parent_close import ParentClose
from workflows.runtime.pool import Pool
from workflows.runtime.process import JobProcess, ProcessOptions
from workflows.runtime.queries import answer
from workflows.runtime.run_upkeep import RunUpkeep
from workflows.runtime.ticker import UNKNOWN_MS, Ticker, TickerOptions
from workflows.runtime.unknown_types import UnknownTypes
from workflows.runtime.workflow_tasks import (
    Fence,
    Taken,
    WorkflowHost,
    chain,
    run_task,
)
from workflows.store import (
    Bury,
    Complete,
    JobKind,
    LeasedJob,
    Release,
    Store,
)

logger = logging.getLogger("workflows.runtime")

WORKFLOW_THREADS = 32  # they mostly wait for a write, and share it
OVERDUE_NS = 50 * MS
PARENT_CLOSE_NS = 50 * MS
DISCOVER_NS = 250 * MS
CHAIN_NS = 100 * MS  # a chain longer than this gives way to work that waits

MakeHost = Callable[[str, ActivityHost, Callable[[str, str], bool]], WorkflowHost]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What a worker takes. `threads`: of workflow tasks and of activities.

    `dynamic_workflow`, `dynamic_activity`: it also takes the types that it does not
    know.
    """

    task_queue: str
    workflow_types: tuple[str, ...]
    dynamic_workflow: bool = False
    dynamic_activity: bool = False
    activities: Mapping[str, ActivityDefinition] = field(default_factory=dict)
    workflow_threads: int = WORKFLOW_THREADS
    activity_threads: int = 32
    lease_ms: int = 30_000
    inline: bool = True
    sweep_interval_ms: int = 5_000


class WorkflowWorker:
    """Starts threads that work until `stop`.

    `make_host` gets the store-facing parts of this process, and returns the host of its
    workflow tasks.
    """

    def __init__(
        self,
        store: Store,
        options: WorkerOptions,
        *,
        activity_host: ActivityHost,
        make_host: MakeHost,
        identity: str,
        retention_ms: int | None = None,
    ) -> None:
        self._store = store
        self._options = options
        self._identity = identity
        self._stopping = threading.Event()
        self._activities = activity_host
        self._upkeep = RunUpkeep(store, new_run_id, identity)
        self._types = _Types(options)
        self._process = JobProcess(
            store,
            _NoTimeouts(),
            self._types.process_options(),
            stop_wanted=lambda: False,
            on_revocations=lambda _: None,
        )
        self._parent_close = ParentClose(store, new_id, identity, self._process.owner)
        self._host = make_host(self._process.owner, activity_host, self._runs_here)
        self._unknown = UnknownTypes(
            store, self._host, activity_host, options.workflow_types, new_id
        )
        self._spare = threading.BoundedSemaphore(max(options.workflow_threads - 1, 1))
        self._ticker = Ticker(
            store,
            TickerOptions(
                timetables={},
                retention={},
                periodic=False,
                sweep_interval_ms=options.sweep_interval_ms,
            ),
            on_swept=self._upkeep.settle_lost,
            chores=[
                (OVERDUE_NS, self._upkeep.end_overdue),
                (PARENT_CLOSE_NS, self._parent_close.step),
                (UNKNOWN_MS * MS, self._unknown.fail),
                *self._retention(retention_ms),
                *self._discovery(),
            ],
        )
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target, count in (
                ("workflow-task", self._work_on_tasks, options.workflow_threads),
                ("activity", self._work_on_activities, options.activity_threads),
                ("ticker", self._tick, 1),
            )
            for _ in range(count if self._has(name) else 0)
        ]

    # -- life --------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to work."""
        self._activities.hearts.start()
        self._host.watch.start()
        self._process.start()
        for thread in self._threads:
            thread.start()

    def stop_claiming(self) -> None:
        """Take nothing more; what runs goes on. Repeatable."""
        self._stopping.set()
        self._activities.shutdown.set()
        self._process.stop_claiming()

    def stop(self, grace_s: float = 0.0) -> None:
        """Take nothing more, let what runs end within the grace, then end.

        An activity that still runs then has spent its attempt, as if this process had
        died; its retry policy goes on from there. A workflow task is given back.
        """
        self.stop_claiming()
        until = boot_ns() + int(max(grace_s, 0.05) * 1e9)
        for thread in self._threads:
            thread.join(timeout=max((until - boot_ns()) / 1e9, 0.001))
        self._spend_attempts()
        self._process.stop()
        self._activities.hearts.stop()
        self._host.watch.stop()
        self._host.cache.clear()

    def _spend_attempts(self) -> None:
        try:
            for pool, lease in self._process.running:
                job = lease.job
                record = self._store.get_job(job.id)
                if job.kind is JobKind.ACTIVITY and record is not None:
                    lost = lost_settlement(record, job.token, now=self._store.now())
                    pool.settle_early(lease, Ended(lost))
        except StoreError as error:  # their leases run out, and a sweep does it
            logger.warning("attempts_unwritten error=%s", error)

    def _has(self, name: str) -> bool:
        """Whether this worker needs threads of a kind."""
        if name == "workflow-task":
            return self._types.has_tasks
        return name != "activity" or self._types.has_activities

    def _retention(self, age_ms: int | None) -> list[tuple[int, Callable[[], None]]]:
        if age_ms is None:
            return []

        def prune() -> None:
            while self._store.prune_runs(age_ms=age_ms).more:
                pass

        return [(10_000 * MS, prune)]

    def _discovery(self) -> list[tuple[int, Callable[[], None]]]:
        options = self._options
        if not options.dynamic_workflow and not options.dynamic_activity:
            return []

        def discover() -> None:
            page = self._store.list_jobs(
                options.task_queue, JobState.WAITING, limit=100
            )
            if self._types.learn(job.type for job in page.jobs):
                self._store.wake()

        return [(DISCOVER_NS, discover)]

    def _tick(self) -> None:
        while not self._stopping.is_set():
            try:
                pause = self._ticker.step()
            except Exception:
                logger.exception("ticker_failed")
                pause = 1.0
            self._stopping.wait(pause)

    # -- workflow tasks ----------------------------------------------------------------

    def _runs_here(self, queue: str, job_type: str) -> bool:
        """Whether an activity can run in this process at once."""
        options = self._options
        if queue != options.task_queue or not options.inline:
            return False
        name = job_type.removeprefix("activity/")
        return options.dynamic_activity or name in options.activities

    def _work_on_tasks(self) -> None:
        pool = self._process.threads
        while (lease := pool.take()) is not None:
            try:
                self._work_on(lease)
            except StoreError as error:
                logger.warning("workflow_task_unwritten error=%s", error)
                self._give_back(lease)
            except BaseException:
                logger.exception("workflow_task_broken job_id=%s", lease.job.id)
                self._give_back(lease, started=True)  # so it comes back ever later

    def _work_on(self, lease: Lease) -> None:
        job, pool = lease.job, self._process.threads
        if job.kind is JobKind.QUERY:
            pool.end(lease, Ended(answer(self._host, job)))
        else:
            self._run_chain(lease)
            pool.end_written(lease)

    def _run_chain(self, lease: Lease) -> None:
        """Run a workflow task, and what may follow it on this thread."""
        inline = not self._stopping.is_set() and self._reserve_inline()
        try:
            taken = run_task(self._host, lease.job, inline=inline)
            begun = boot_ns()
            while taken is not None and taken.inline is not None:
                taken = self._run_inline(taken, begun)
        finally:
            if inline:
                self._spare.release()
                self._activity_slots.unreserve()

    def _reserve_inline(self) -> bool:
        """Whether this thread may go on with an activity: in a slot of activities."""
        if not self._types.has_activities or not self._spare.acquire(blocking=False):
            return False
        if self._activity_slots.reserve():
            return True
        self._spare.release()
        return False

    def _run_inline(self, taken: Taken, begun: int) -> Taken | None:
        """Run a leased activity; return the task that its outcome made at once."""
        assert taken.inline is not None  # noqa: S101 - the caller asked
        job = taken.inline
        ends = taken.sent_ns + self._options.lease_ms * MS
        lease = Lease(job, ends_ns=ends, granted_ns=taken.at_ns)
        lease.started = True
        self._process.hold(lease)
        if not lease.startable(boot_ns()):  # this process stood still meanwhile
            release = Release(job_id=job.id, token=job.token, started=False)
            self._settle_apart(lease, Ended(release))
            return None
        ended = self._attempt(lease, now=lambda: taken.estimate)
        settlement = ended.settlement
        gives_way = boot_ns() - begun > CHAIN_NS and self._process.threads.pressed
        gives_way |= self._stopping.is_set()  # the next task would begin something
        chains = isinstance(settlement, Complete | Bury) and not gives_way
        if chains and settlement.outcome is not None and not lease.lost:
            fence = Fence(
                job_id=job.id, token=job.token, failed=isinstance(settlement, Bury)
            )
            try:
                after = chain(self._host, taken, fence, settlement.outcome)
            except StoreError:
                after = None  # perhaps written: the settlement then finds it settled
            if after is not None:
                self._process.let_go(lease)
                return after
        self._settle_apart(lease, ended)
        return None

    def _settle_apart(self, lease: Lease, ended: Ended) -> None:
        self._process.threads.settle_early(lease, ended)
        self._process.threads.flush()

    def _give_back(self, lease: Lease, *, started: bool = False) -> None:
        job = lease.job
        release = Release(job_id=job.id, token=job.token, started=started)
        self._process.threads.end(lease, Ended(release))

    # -- activities --------------------------------------------------------------------

    @property
    def _activity_slots(self) -> Pool:
        pool = self._process.loop
        assert pool is not None  # noqa: S101 - this worker has activities
        return pool

    def _work_on_activities(self) -> None:
        pool = self._activity_slots
        while (lease := pool.take()) is not None:
            job = lease.job
            taken_ns = boot_ns()

            def now(at: int = job.started_at, since: int = taken_ns) -> int:
                return at + (boot_ns() - since) // MS

            try:
                pool.end(lease, self._attempt(lease, now=now))
            except Exception:  # a thread that ended here would take its place along
                logger.exception("activity_broken job_id=%s", job.id)
                pool.end_written(lease)  # the lease runs out: the attempt is spent
            pool.flush()

    def _attempt(self, lease: Lease, *, now: Callable[[], int]) -> Ended:
        job = lease.job
        task = ActivityTask.from_json(job.payload)
        outcome = run_attempt(self._activities, task, lease)
        return Ended(
            settlement_of(
                task,
                job,
                outcome,
                identity=self._identity,
                now=now(),
                asked_to_cancel=lambda: self._asked_to_cancel(job),
            )
        )

    def _asked_to_cancel(self, job: LeasedJob) -> bool:
        """Return whether somebody asked to cancel an activity that never beat."""
        try:
            record = self._activities.store.get_job(job.id)
        except StoreError:
            return False  # only the reason is told less well
        return record is not None and record.cancel_requested


class _Types:
    """The job types that the two pools claim; a dynamic worker learns more of them.

    The mappings are shared with the pools, which look at them for each claim.
    """

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        tasks = [name for kind in options.workflow_types for name in _tasks(kind)]
        self.has_tasks = bool(tasks) or options.dynamic_workflow
        self.has_activities = bool(options.activities) or options.dynamic_activity
        queue = options.task_queue
        self._threads = {queue: (*tasks,)} if self.has_tasks else {}
        activities = tuple(f"activity/{name}" for name in options.activities)
        self._loop = {queue: activities} if self.has_activities else {}

    def process_options(self) -> ProcessOptions:
        """Return how this process claims."""
        options = self._options
        return ProcessOptions(
            threads=self._threads,
            loop=self._loop,
            slots=options.workflow_threads,
            loop_slots=options.activity_threads,
            weights={},
            lease_ms=options.lease_ms,
            prefetch=False,
        )

    def learn(self, types: Iterable[str]) -> bool:
        """Claim also these types that wait, if they are for a dynamic one of ours."""
        queue, learnt = self._options.task_queue, False
        for each in dict.fromkeys(types):
            kind, _, name = each.partition("/")
            if kind in {"workflow", "query"} and self._options.dynamic_workflow:
                known, new = self._threads, _tasks(name)
            elif kind == "activity" and self._options.dynamic_activity:
                known, new = self._loop, (each,)
            else:
                continue
            if each not in known[queue]:
                known[queue] = (*known[queue], *new)
                learnt = True
        return learnt


def _tasks(workflow_type: str) -> tuple[str, ...]:
    return f"workflow/{workflow_type}", f"query/{workflow_type}"


class _NoTimeouts:
    """The keeper's handler here: nothing has a timeout that this process enforces."""

    def run(self, lease: Lease) -> Ended:
        """Never called."""
        raise NotImplementedError

    def timed_out(self, lease: Lease) -> Ended:
        """Never called: no lease has a deadline."""
        raise NotImplementedError
