"""The blocking client: everything REST, CLI and application code do to the store."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from workflows.client.faults import Fault, InvalidJobsError
from workflows.client.monitoring import (
    MINUTE_MS,
    WINDOW_MINUTES,
    Dashboard,
    Performance,
    build_dashboard,
    performance_of,
)
from workflows.client.payloads import encode_payload, opened_job
from workflows.client.schedules import ScheduleClient
from workflows.converter import DEFAULT, Converter
from workflows.engine.states import JobState
from workflows.exceptions import (
    InvalidArgumentError,
    NotFoundError,
)
from workflows.job_type import JobType, new_job, requested_id
from workflows.store import (
    MAX_STEP,
    Dedup,
    Enqueued,
    JobPage,
    JobRecord,
    LogPage,
    Minute,
    NewJob,
    QueueInfo,
    QueueLimits,
    Step,
    Store,
    WorkerInfo,
)

DEAD_LETTER_SUFFIX = "-dlq"
MAX_CLEAN = 10_000  # records one call of clean, drain or retry_all touches at most
FINGERPRINT_SPACE = "request"
FINGERPRINT_TTL_MS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A job to add. `queue`, if given, must be the queue of its type.

    At most one of `delay_ms` and `run_at` (ms since the epoch) is set. What is None
    is the type's default.
    """

    type: str
    payload: Any
    queue: str | None = None
    job_id: str | None = None
    priority: int | None = None
    delay_ms: int = 0
    run_at: int | None = None
    expires_ms: int | None = None
    dedup_id: str | None = None
    dedup: Dedup | None = None
    trace: str = ""


class JobClient:
    """Service functions over one store and the job types that this process knows.

    `new_id` makes fresh ids; the codec of `converter` opens what is shown. Every method
    may raise `StoreUnavailableError`. A queue is known if the store knows it or a
    registered type belongs to it; reading never creates one. `{queue}-dlq` names
    `{queue}` unless a queue of that very name exists.
    """

    def __init__(
        self,
        store: Store,
        types: Mapping[str, JobType],
        new_id: Callable[[], str],
        converter: Converter = DEFAULT,
    ) -> None:
        self.store = store
        self.types = types
        self.schedules = ScheduleClient(store, types, new_id, converter)
        self._new_id = new_id
        self._converter = converter

    # -- adding jobs --

    def add(self, request: JobRequest, *, request_id: str | None = None) -> Enqueued:
        """Add one job; see `add_many`."""
        return self.add_many([request], request_id=request_id)[0]

    def add_many(
        self, requests: Sequence[JobRequest], *, request_id: str | None = None
    ) -> list[Enqueued]:
        """Validate and add up to MAX_STEP jobs, all or none, as one write.

        With a `request_id` the call may be sent again: the same jobs get the same
        answers, and job ids that are not given derive from it. Using it for other jobs
        within a day is refused.

        Raises:
            InvalidJobsError: some of the jobs are not acceptable; it names all faults.
            InvalidArgumentError: no job, too many, or `request_id` was used otherwise.
            StoreFullError: the store is at its limit; nothing was accepted.
        """
        if not 1 <= len(requests) <= MAX_STEP:
            msg = f"{len(requests)} jobs given; between 1 and {MAX_STEP} are allowed"
            raise InvalidArgumentError(msg)
        faults: list[Fault] = []
        payloads = [self._encode(i, job, faults) for i, job in enumerate(requests)]
        if faults:
            raise InvalidJobsError(faults)
        if request_id is not None:
            self._claim_request(request_id, requests, payloads)
        jobs = [
            self._new_job(request, payload, job_id=self._job_id(request_id, index))
            for index, (request, payload) in enumerate(
                zip(requests, payloads, strict=True)
            )
        ]
        return self.store.enqueue(jobs, request_id=request_id or self._new_id())

    def _encode(self, index: int, request: JobRequest, faults: list[Fault]) -> bytes:
        """Return the payload's JSON, or note what is wrong with the request."""
        job_type = self.types.get(request.type)
        if job_type is None:
            text = "no job type of this name is registered"
            faults.append(Fault(f"/{index}/type", "unknown_type", text))
            return b""
        if request.queue not in {None, job_type.queue}:
            text = f"this job type belongs to the queue {job_type.queue!r}"
            faults.append(Fault(f"/{index}/type", "wrong_queue", text))
        if request.delay_ms and request.run_at is not None:
            text = "give a delay or a time, not both"
            faults.append(Fault(f"/{index}/run_at", "conflict", text))
        if request.dedup is not None:
            faults.extend(_dedup_faults(request, request.dedup, f"/{index}/dedup"))
        payload, found = encode_payload(job_type, request.payload, f"/{index}/payload")
        faults.extend(found)
        return payload

    def _claim_request(
        self, request_id: str, requests: Sequence[JobRequest], payloads: Sequence[bytes]
    ) -> None:
        """Tie a request id to these jobs, or refuse it if it means others.

        Written before the jobs: a crash in between leaves an id that still accepts
        the same jobs.
        """
        digest = hashlib.sha256()
        for request, payload in zip(requests, payloads, strict=True):
            rest = replace(request, payload=None, trace="")
            digest.update(repr((rest, payload)).encode())
        mine = digest.hexdigest().encode()
        if self.store.put_value_if_absent(
            FINGERPRINT_SPACE, request_id, mine, ttl_ms=FINGERPRINT_TTL_MS
        ):
            return
        known = self.store.get_values(FINGERPRINT_SPACE, [request_id])
        if known.get(request_id, mine) != mine:
            msg = "this request id was used for other jobs"
            raise InvalidArgumentError(msg)

    def _job_id(self, request_id: str | None, index: int) -> str:
        if request_id is None:
            return self._new_id()
        return requested_id(request_id, index)

    def _new_job(self, request: JobRequest, payload: bytes, *, job_id: str) -> NewJob:
        job_type = self.types[request.type]
        return new_job(
            job_type,
            job_type.converter.seal(payload),
            job_id=request.job_id or job_id,
            priority=request.priority,
            delay_ms=request.delay_ms,
            run_at=request.run_at,
            expires_ms=request.expires_ms,
            dedup_id=request.dedup_id,
            dedup=request.dedup,
            trace=request.trace,
        )

    # -- one job --

    def get_job(self, job_id: str) -> JobRecord:
        """Return a job with its attempts. NotFoundError."""
        record = self.store.get_job(job_id)
        if record is None:
            msg = f"no job {job_id!r}"
            raise NotFoundError(msg)
        return opened_job(self._converter, record)

    def cancel(self, job_id: str) -> Literal["cancelled", "requested"]:
        """Cancel a pending job, or ask an active one to stop. See `Store.cancel`."""
        return self.store.cancel(job_id)

    def remove(self, job_id: str) -> None:
        """Delete a job that is not active. NotFoundError, ConflictError."""
        self.store.remove(job_id)

    def promote(self, job_id: str) -> None:
        """Make a delayed job waiting now. NotFoundError, ConflictError."""
        self.store.promote(job_id)

    def reschedule(
        self, job_id: str, *, delay_ms: int = 0, run_at: int | None = None
    ) -> JobState:
        """Give a pending job a new due time. NotFoundError, ConflictError."""
        return self.store.reschedule(job_id, delay_ms=delay_ms, run_at=run_at)

    def amend(
        self, job_id: str, *, payload: Any = None, priority: int | None = None
    ) -> JobRecord:
        """Change payload or priority of a pending job or a dead letter; return it.

        Raises:
            InvalidJobsError: the payload does not fit the job's type.
            NotFoundError, ConflictError: see `Store.amend`.
        """
        data = None
        if payload is not None:
            job_type = self.types.get(self.get_job(job_id).type)
            if job_type is None:
                text = "no job type of this name is registered"
                raise InvalidJobsError([Fault("/type", "unknown_type", text)])
            encoded, faults = encode_payload(job_type, payload, "/payload")
            if faults:
                raise InvalidJobsError(faults)
            data = job_type.converter.seal(encoded)
        self.store.amend(job_id, payload=data, priority=priority)
        return self.get_job(job_id)

    def log(self, job_id: str, *, after: int = 0, limit: int = MAX_STEP) -> LogPage:
        """Return lines that a job has said; see `Store.list_log`. NotFoundError."""
        return self.store.list_log(job_id, after=after, limit=limit)

    # -- queues --

    def queue_name(self, name: str) -> str:
        """Return the queue that `name` means (`x` or `x-dlq`). NotFoundError."""
        return self.queue(name).name

    def queue(self, name: str) -> QueueInfo:
        """Return the queue that `name` means (`x` or `x-dlq`). NotFoundError."""
        base = name.removesuffix(DEAD_LETTER_SUFFIX)
        for candidate in dict.fromkeys((name, base)):
            info = self.store.get_queue(candidate)
            if info is None and candidate in self._declared():
                info = unused_queue(candidate, self._declared()[candidate])
            if info is not None:
                return info
        msg = f"no queue {name!r}"
        raise NotFoundError(msg)

    def queues(self) -> list[QueueInfo]:
        """Return all known queues by name."""
        known = {info.name: info for info in self.store.list_queues()}
        for name, limits in self._declared().items():
            known.setdefault(name, unused_queue(name, limits))
        return [known[name] for name in sorted(known)]

    def list_jobs(
        self, queue: str, state: JobState, *, limit: int = 50, cursor: str | None = None
    ) -> JobPage:
        """Return a page of jobs; order as `Store.list_jobs`. NotFoundError."""
        name = self.queue_name(queue)
        page = self.store.list_jobs(name, state, limit=limit, cursor=cursor)
        jobs = tuple(opened_job(self._converter, record) for record in page.jobs)
        return replace(page, jobs=jobs)

    def pause(self, queue: str, *, by: str = "") -> None:
        """Start nothing from a queue until `resume`. NotFoundError."""
        self.store.pause(self._stored_queue(queue), by=by)

    def resume(self, queue: str) -> None:
        """End a pause. NotFoundError."""
        self.store.resume(self._stored_queue(queue))

    def set_limits(self, queue: str, limits: QueueLimits | None) -> None:
        """Override the declared limits; None: back to them. NotFoundError."""
        if limits and (limits.rate_max is None) != (limits.rate_ms is None):
            msg = "a rate limit needs both its maximum and its duration"
            raise InvalidArgumentError(msg)
        self.store.set_limits(self._stored_queue(queue), limits)

    def drain(self, queue: str, *, delayed: bool = False, limit: int) -> Step:
        """Delete up to `limit` waiting (and delayed) jobs. NotFoundError."""
        name = self.queue_name(queue)
        return in_steps(
            limit, lambda n: self.store.drain(name, delayed=delayed, limit=n)
        )

    def promote_all(self, queue: str, *, limit: int) -> Step:
        """Make up to `limit` delayed jobs waiting, first due first. NotFoundError."""
        name = self.queue_name(queue)
        return in_steps(limit, lambda n: self.store.promote_all(name, limit=n))

    def _declared(self) -> dict[str, QueueLimits]:
        """Return the queues of the registered types, with the limits they declare."""
        declared: dict[str, QueueLimits] = {}
        for job_type in self.types.values():
            if declared.get(job_type.queue, QueueLimits()) == QueueLimits():
                declared[job_type.queue] = job_type.limits
        return declared

    def _stored_queue(self, queue: str) -> str:
        """Return the queue's name, made known to the store if only code knows it."""
        name = self.queue_name(queue)
        if self.store.get_queue(name) is None:
            self.store.declare_queue(name, self._declared()[name])
        return name

    # -- dead letters --

    def dead_letters(
        self, queue: str, *, limit: int = 50, cursor: str | None = None
    ) -> tuple[QueueInfo, JobPage]:
        """Return the queue and a page of its dead letters, newest first."""
        info = self.queue(queue)
        page = self.store.list_jobs(
            info.name, JobState.FAILED, limit=limit, cursor=cursor
        )
        return info, page

    def retry_dead(self, queue: str, job_id: str) -> str:
        """Make a dead letter of this queue waiting; return the queue's name.

        NotFoundError; ConflictError if the job is not failed.
        """
        name = self.queue_name(queue)
        if self.get_job(job_id).queue != name:
            msg = f"no job {job_id!r} in queue {name!r}"
            raise NotFoundError(msg)
        self.store.retry_dead(job_id)
        return name

    def retry_all_dead(self, queue: str, *, limit: int) -> Step:
        """Retry up to `limit` dead letters, oldest first. NotFoundError."""
        name = self.queue_name(queue)
        return in_steps(limit, lambda n: self.store.retry_dead_all(name, limit=n))

    def clean(self, queue: str, *, limit: int) -> Step:
        """Delete up to `limit` dead letters, oldest first. NotFoundError."""
        name = self.queue_name(queue)
        return in_steps(limit, lambda n: self.store.clean(name, limit=n))

    # -- the whole --

    def now(self) -> int:
        """Return the store's time, ms since the epoch."""
        return self.store.now()

    def ping(self) -> None:
        """Raise StoreUnavailableError unless the store answers within two seconds."""
        self.store.ping()

    def performance(self, queue: str) -> Performance:
        """Return rates and durations of a queue over the last hour. NotFoundError."""
        name, now = self.queue_name(queue), self.store.now()
        return performance_of(name, self._minutes(name, now), now)

    def workers(self) -> list[WorkerInfo]:
        """Return the processes heard of in the last day."""
        return self.store.list_workers()

    def dashboard(self) -> Dashboard:
        """Return health, statistics, alerts and performance of all queues."""
        now, queues = self.store.now(), self.queues()
        minutes = {info.name: self._minutes(info.name, now) for info in queues}
        return build_dashboard(queues, minutes, self.store.list_workers(), now)

    def _minutes(self, queue: str, now: int) -> list[Minute]:
        since = now // MINUTE_MS - WINDOW_MINUTES
        return self.store.series(queue, since_minute=since)


def _dedup_faults(request: JobRequest, dedup: Dedup, path: str) -> list[Fault]:
    """Say what the store would refuse."""
    if request.dedup_id is None:
        return [Fault(path, "missing", "it needs a dedup id")]
    if dedup.extend and dedup.ttl_ms is None:
        return [Fault(path, "missing", "only what is held for a time can be extended")]
    return []


def unused_queue(name: str, limits: QueueLimits) -> QueueInfo:
    """Return a queue that code declares and nothing was ever added to."""
    return QueueInfo(
        name=name,
        counts={},
        totals={},
        paused=False,
        paused_by="",
        limits=limits,
        overridden=False,
        oldest_waiting_at=None,
    )


def in_steps(limit: int, step: Callable[[int], Step]) -> Step:
    """Repeat a bounded step until `limit` records are touched or none remains.

    Raises:
        InvalidArgumentError: `limit` is not between 1 and MAX_CLEAN.
    """
    if not 1 <= limit <= MAX_CLEAN:
        msg = f"limit must be between 1 and {MAX_CLEAN}"
        raise InvalidArgumentError(msg)
    done, more = 0, True
    while more and done < limit:
        part = step(min(MAX_STEP, limit - done))
        done, more = done + part.count, part.more
    return Step(done, more)
