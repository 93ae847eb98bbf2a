"""What the oracle remembers, and the few moves that every operation is made of."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from workflows.engine.histogram import bucket
from workflows.engine.states import LIVE, PENDING, DeadReason, JobState
from workflows.exceptions import ConflictError, InvalidArgumentError, NotFoundError
from workflows.store import (
    MAX_HISTORY,
    Attempt,
    Dedup,
    Enqueued,
    EnqueueStatus,
    InboxItem,
    JobKind,
    LogLine,
    NewJob,
    NewRun,
    NewTimer,
    QueueLimits,
    RunStatus,
    Schedule,
    SettleStatus,
    WorkerInfo,
)

MINUTE_MS = 60_000
FOREVER = 2**53 - 1  # the lease of a detached activity


@dataclass(slots=True)
class Lease:
    """The right to run a job, or (lingering) to keep a place after it was settled."""

    job_id: str
    queue: str
    token: str
    owner: str
    started_at: int
    until: int
    length: int
    extended: bool = False  # by the sweep, since it was last renewed


@dataclass(slots=True)
class Job:
    """A job record that can change."""

    new: NewJob
    state: JobState
    place: int
    created_at: int
    ready_at: int
    expires_at: int | None
    dedup_id: str | None
    run_at: int | None = None
    lease: Lease | None = None
    attempts_made: int = 0
    stalls: int = 0
    releases: int = 0
    dead_retries: int = 0
    first_started_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    owner: str | None = None
    cancel_requested: bool = False
    result: bytes | None = None
    failure: bytes = b""
    reason: DeadReason | None = None
    attempts: list[Attempt] = field(default_factory=list)
    progress: bytes = b""
    checkpoint: bytes = b""
    log: list[LogLine] = field(default_factory=list)
    beat_at: int | None = None
    details: bytes = b""

    @property
    def plain(self) -> bool:
        """Whether it is not the engine's."""
        return self.new.kind is JobKind.PLAIN

    @property
    def exempt(self) -> bool:
        """Whether no concurrency and no rate binds it."""
        return self.new.kind not in {JobKind.PLAIN, JobKind.ACTIVITY}

    @property
    def detached(self) -> bool:
        """Whether it is active without a worker."""
        return self.lease is not None and self.lease.until == FOREVER

    @property
    def close_at(self) -> int | None:
        """The end of schedule-to-close."""
        spans = self.new.deadlines
        whole = None if spans is None else spans.schedule_to_close_ms
        return after(self.created_at, whole)

    @property
    def deadline(self) -> int | None:
        """The earliest of the timeouts that hold in its state."""
        spans = self.new.deadlines
        if spans is None:
            return None
        times = [self.close_at]
        if self.state in PENDING:
            times.append(after(self.ready_at, spans.schedule_to_start_ms))
        else:
            assert self.started_at is not None
            times.append(after(self.started_at, spans.start_to_close_ms))
            times.append(after(self.beat_at or self.started_at, spans.heartbeat_ms))
        return min((time for time in times if time is not None), default=None)


@dataclass(slots=True)
class Run:
    """A run that can change."""

    new: NewRun
    started_at: int
    last_at: int
    deadline_at: int | None
    info: bytes
    status: RunStatus = RunStatus.RUNNING
    closed_at: int | None = None
    events: list[bytes] = field(default_factory=list)
    inbox: list[InboxItem] = field(default_factory=list)
    inbox_seq: int = 0
    timers: dict[str, NewTimer] = field(default_factory=dict)
    cancel_requested: bool = False
    failure: bytes = b""
    next_run_id: str | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return self.new.run_id

    @property
    def first_run_id(self) -> str:
        """The id of the first run of its chain."""
        return self.new.first_run_id or self.new.run_id

    @property
    def open(self) -> bool:
        """Whether it is not closed."""
        return self.status is RunStatus.RUNNING


@dataclass(slots=True)
class Queue:
    """A known queue: settings, counters, the rate window."""

    declared: QueueLimits = field(default_factory=QueueLimits)
    override: QueueLimits | None = None
    paused: bool = False
    paused_by: str = ""
    totals: dict[str, int] = field(default_factory=dict)
    minutes: dict[int, dict[str, int]] = field(default_factory=dict)
    window_start: int | None = None
    window_count: int = 0

    @property
    def limits(self) -> QueueLimits:
        """The limits that hold."""
        return self.declared if self.override is None else self.override

    def window_is_open(self, now: int) -> bool:
        """Whether the rate window that was opened last still runs."""
        length = self.limits.rate_ms
        return (
            length is not None
            and self.window_start is not None
            and now < self.window_start + length
        )


@dataclass(slots=True)
class Stored:
    """A value, with its end and the lease it belongs to."""

    value: bytes
    until: int | None = None
    lease: tuple[str, str] | None = None


class Memory:
    """The state of the oracle. Every change of a job goes through `_move`."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._forget()

    def _forget(self) -> None:
        self._latest = 0
        self._place = 0
        self._jobs: dict[str, Job] = {}
        self._queues: dict[str, Queue] = {}
        self._runs: dict[str, Run] = {}  # in the order of their creation
        self._current: dict[str, str] = {}  # workflow id -> its newest run
        self._requests: dict[tuple[str, str, str], Any] = {}
        self._settled: set[tuple[str, str]] = set()
        self._claims: dict[str, list[str]] = {}
        self._lingering: dict[tuple[str, str], Lease] = {}
        self._values: dict[tuple[str, str], Stored] = {}
        self._workers: dict[str, WorkerInfo] = {}
        self._schedules: dict[str, Schedule] = {}
        self._swept_at: int | None = None
        self._unknown_at: int | None = None
        self._unknown_since: dict[tuple[str, str], int] = {}

    # -- time, lookups --

    def now(self) -> int:
        self._latest = max(self._latest, self._clock())
        return self._latest

    def _found(self, job_id: str) -> Job:
        if job_id not in self._jobs:
            raise NotFoundError(f"no job {job_id!r}")
        return self._jobs[job_id]

    def _known(self, queue: str) -> Queue:
        if queue not in self._queues:
            raise NotFoundError(f"no queue {queue!r}")
        return self._queues[queue]

    def _in_state(self, *states: JobState, queue: str | None = None) -> list[Job]:
        return [
            job
            for job in self._jobs.values()
            if job.state in states and queue in (None, job.new.queue)
        ]

    def _holder(
        self, queue: str, dedup_id: str | None
    ) -> tuple[str | None, int | None]:
        """The job that holds a dedup id, and until when if it is for a time."""
        for job in self._in_state(*LIVE, queue=queue):
            if dedup_id is not None and job.dedup_id == dedup_id:
                return job.new.id, None
        held = self._values.get(("dedup", f"{len(queue)}:{queue}:{dedup_id}"))
        if held is None or held.until is None or held.until <= self.now():
            return None, None
        return held.value.decode(), held.until

    def _hold(self, new: NewJob, job_id: str, until: int) -> None:
        key = f"{len(new.queue)}:{new.queue}:{new.dedup_id}"
        self._values["dedup", key] = Stored(job_id.encode(), until)

    def _meet(self, new: NewJob, holder: str, rule: Dedup) -> Enqueued | None:
        """Do to the holder what the new job says; None: it is gone."""
        job = self._jobs.get(holder)
        if job and (not job.plain or job.new.queue != new.queue):
            job = None
        if job and rule.on_duplicate == "replace" and job.state is JobState.DELAYED:
            del self._jobs[holder]
            return None
        if job and rule.on_duplicate == "reschedule" and job.state in PENDING:
            self._pend(job, due(self.now(), new.delay_ms, new.run_at))
            return Enqueued(holder, EnqueueStatus.RESCHEDULED)
        return Enqueued(holder, EnqueueStatus.DEDUPLICATED)

    def _check_run(self, new: NewJob) -> None:
        of_none = new.kind in {JobKind.PLAIN, JobKind.UPKEEP}
        if not of_none and new.run_id not in self._runs:
            raise InvalidArgumentError(f"job {new.id!r} is of no run")

    # -- counters --

    def _count(self, queue: str, total: str, minute: str | None) -> None:
        """Add one to a total of a queue, and to its minute."""
        totals = self._queues[queue].totals
        totals[total] = totals.get(total, 0) + 1
        if minute is not None:
            self._count_minute(queue, minute)

    def _count_minute(self, queue: str, key: str) -> None:
        counts = self._queues[queue].minutes.setdefault(self.now() // MINUTE_MS, {})
        counts[key] = counts.get(key, 0) + 1

    def _measure(self, job: Job) -> None:
        """Count the wait and the run of a spent attempt."""
        assert job.lease is not None
        began = job.lease.started_at
        self._count_minute(job.new.queue, f"w{bucket(began - job.ready_at)}")
        self._count_minute(job.new.queue, f"r{bucket(self.now() - began)}")

    def _spend(self, job: Job, outcome: str, failure: bytes = b"") -> None:
        """A run that ends now spends its attempt."""
        self._record(job, outcome, failure)
        self._measure(job)
        job.attempts_made += 1

    # -- moves --

    def _next_place(self) -> int:
        self._place += 1
        return self._place

    def _insert(self, new: NewJob) -> Enqueued:
        """Accept one job, unless its id or its dedup id is taken."""
        if new.id in self._jobs:
            return Enqueued(new.id, EnqueueStatus.DUPLICATE)
        self._check_run(new)
        rule = new.dedup or Dedup()
        holder, until = self._holder(new.queue, new.dedup_id)
        if holder is not None:
            if until is not None and rule.extend:
                self._hold(new, holder, self.now() + (rule.ttl_ms or 0))
            answer = self._meet(new, holder, rule)
            if answer is not None:
                return answer
        if rule.ttl_ms is not None and (until is None or rule.extend):
            until = self.now() + rule.ttl_ms
        if until is not None:
            self._hold(new, new.id, until)
            new = replace(new, dedup_id=None)
        new = replace(new, dedup=None)
        now = self.now()
        self._queues.setdefault(new.queue, Queue())
        job = self._jobs[new.id] = Job(
            new=new,
            state=JobState.WAITING,
            place=0,
            created_at=now,
            ready_at=now,
            expires_at=None if new.expires_ms is None else now + new.expires_ms,
            dedup_id=new.dedup_id,
        )
        self._pend(job, due(now, new.delay_ms, new.run_at))
        self._count(new.queue, "enqueued", "enqueued")
        return Enqueued(new.id, EnqueueStatus.CREATED)

    def _pend(self, job: Job, run_at: int) -> None:
        """Enter waiting, or delayed if `run_at` is in the future, in a new place."""
        now = self.now()
        job.place = self._next_place()
        job.lease, job.beat_at = None, None
        job.cancel_requested = False
        if run_at > now:
            job.state, job.run_at, job.ready_at = JobState.DELAYED, run_at, run_at
        else:
            job.state, job.run_at, job.ready_at = JobState.WAITING, None, now

    def _promote(self, job: Job) -> None:
        """A delayed job is due: waiting since its `run_at`, in a new place."""
        job.state, job.run_at = JobState.WAITING, None
        job.place = self._next_place()

    def _give_back(self, job: Job) -> None:
        """Wait again in the old place."""
        job.state, job.lease, job.beat_at = JobState.WAITING, None, None

    def _finish(self, job: Job, state: JobState) -> None:
        """End a job; one of the engine's leaves no record."""
        if not job.plain:
            del self._jobs[job.new.id]
        job.state, job.finished_at = state, self.now()
        job.lease, job.run_at, job.cancel_requested = None, None, False
        if state is not JobState.FAILED:
            self._count(job.new.queue, state.value, state.value)

    def _die(self, job: Job, reason: DeadReason) -> None:
        job.reason = reason
        self._finish(job, JobState.FAILED)
        self._count(job.new.queue, f"dead:{reason.value}", "dead")

    def _stall(self, job: Job) -> None:
        """A run ended without a word: wait again, or die of it once too often."""
        job.stalls += 1
        self._record(job, "stalled")
        self._count(job.new.queue, "stalled", "stalled")
        immortal = job.new.kind in {JobKind.WORKFLOW_TASK, JobKind.UPKEEP}
        once_too_often = job.plain and job.stalls > job.new.max_stalls
        if once_too_often or job.new.kind is JobKind.QUERY:
            self._die(job, DeadReason.STALLED)
            return
        self._give_back(job)
        job.ready_at = self.now()
        if immortal and job.stalls > 1:
            job.ready_at += min(60_000, 1000 * 2 ** (job.stalls - 2))
            job.state, job.run_at = JobState.DELAYED, job.ready_at

    def _cancel_run(self, job: Job, failure: bytes = b"") -> None:
        self._record(job, "cancelled", failure)
        self._finish(job, JobState.CANCELLED)

    def _record(self, job: Job, outcome: str, failure: bytes = b"") -> None:
        """Add the run that ends now to the history of the job."""
        assert job.lease is not None
        if failure:
            job.failure = failure
        attempt = Attempt(
            attempt=job.attempts_made + 1,
            started_at=job.lease.started_at,
            ended_at=self.now(),
            owner=job.lease.owner,
            outcome=outcome,  # type: ignore[arg-type]  # one of its literals
            failure=failure,
        )
        job.attempts = [*job.attempts, attempt][-MAX_HISTORY:]

    def _free(self, lease: Lease) -> None:
        """Drop the values that belong to a lease."""
        pair = (lease.job_id, lease.token)
        for key in [k for k, stored in self._values.items() if stored.lease == pair]:
            del self._values[key]

    def _lease(self, pair: tuple[str, str]) -> Lease | None:
        """The lease of a (job id, token), active or lingering, if it holds."""
        job = self._jobs.get(pair[0])
        if job and job.lease and job.lease.token == pair[1]:
            return job.lease
        return self._lingering.get(pair)

    def _settled_before(self, pair: tuple[str, str]) -> SettleStatus:
        return SettleStatus.ALREADY if pair in self._settled else SettleStatus.LOST


def due(now: int, delay_ms: int, run_at: int | None) -> int:
    """The time that a delay or a due time means."""
    return now + delay_ms if run_at is None else run_at


def after(at: int, ms: int | None) -> int | None:
    """The end of a span; None: none."""
    return None if ms is None else at + ms


def check_pending(job: Job) -> None:
    if job.state not in PENDING:
        raise ConflictError(f"job {job.new.id!r} is {job.state}")
