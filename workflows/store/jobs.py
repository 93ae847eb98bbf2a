"""Jobs that a caller gives to the store, and what became of them."""

from dataclasses import dataclass
from enum import StrEnum


class JobKind(StrEnum):
    """What a job record is. All but PLAIN are *engine-owned*.

    Engine-owned jobs are never dead letters and keep no record of their end; what an
    operator does to queues and jobs (cancel, remove, reschedule, promote, drain, clean,
    prune, retry, bury_unknown) passes them over or is refused (ConflictError). Jobs of
    one type in one queue are of one kind. Ids that begin as `task_job_id` makes them
    are no plain job's. They have no `dedup_id`; of queries `expires_ms` holds. A task
    is a job by its defaults, of the run's priority; no `max_stalls` ends it, nor an
    upkeep job.
    """

    PLAIN = "plain"
    ACTIVITY = "activity"  # of run `run_id`; a lost worker is the engine's business
    WORKFLOW_TASK = "workflow_task"  # of run `run_id`; no concurrency, no rate, no end
    QUERY = "query"  # of run `run_id`; no concurrency, no rate; a stall ends it
    UPKEEP = "upkeep"  # of no run, which may be gone by then; no concurrency, no rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """An activity's four timeouts, in ms; None: none.

    Its *deadline* is the earliest of: schedule-to-close from its creation, always;
    schedule-to-start from when it became ready, while it is pending; start-to-close
    from its claim and heartbeat from its newest sign of life, while it is active.
    """

    schedule_to_start_ms: int | None = None
    start_to_close_ms: int | None = None
    schedule_to_close_ms: int | None = None
    heartbeat_ms: int | None = None


class OnDuplicate(StrEnum):
    """What a new job does to the plain job of its queue that holds its dedup id."""

    KEEP = "keep"  # nothing
    REPLACE = "replace"  # one that is delayed is removed, and this one accepted
    RESCHEDULE = "reschedule"  # one that is pending gets this one's due time


@dataclass(frozen=True, slots=True, kw_only=True)
class Dedup:
    """How a job holds its dedup id, and what it does if another one does.

    `ttl_ms`: it is held for so long from the acceptance, whether the job ends before or
    after (BullMQ's throttle); None: until the job ends. `extend`: this job, if it is a
    duplicate of one that holds it for a time, begins that time anew (with
    `OnDuplicate.REPLACE`: a debounce). A job that replaces another takes over the rest
    of its time. In one call each job meets those before it.
    """

    ttl_ms: int | None = None
    extend: bool = False  # needs ttl_ms
    on_duplicate: OnDuplicate = OnDuplicate.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to accept.

    At most one of `delay_ms` (from the store's now) and `run_at` is set; a time that
    is not in the future means waiting at once. `priority`: smaller first, finite.
    `dedup_id` admits one live job per (queue, dedup_id); it is free again when its
    owner ends or is removed, unless `dedup` says otherwise (only `enqueue` takes it;
    the record of a job that holds its id for a time shows none). `headers`: bytes that
    belong to the message but are not its payload. Id, queue and type are not empty.
    `kind`, `run_id` and `deadlines` are the engine's: `enqueue` takes plain jobs,
    queries and upkeep, `Commit` activities.
    """

    id: str
    queue: str
    type: str
    payload: bytes
    headers: bytes = b""
    priority: float = 0
    delay_ms: int = 0
    run_at: int | None = None
    expires_ms: int | None = None  # from the store's now; pending then: expired
    max_stalls: int = 3
    dedup_id: str | None = None
    dedup: Dedup | None = None
    trace: str = ""  # W3C traceparent
    kind: JobKind = JobKind.PLAIN
    run_id: str = ""
    deadlines: Deadlines | None = None


class EnqueueStatus(StrEnum):
    """What became of one job of an enqueue."""

    CREATED = "created"
    DUPLICATE = "duplicate"  # a job of this id exists; nothing was changed
    DEDUPLICATED = "deduplicated"  # another job holds the dedup_id and stays as it is
    RESCHEDULED = "rescheduled"  # so too, but it has this one's due time now


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The answer per job; `id` is that of the existing job if nothing was created."""

    id: str
    status: EnqueueStatus
