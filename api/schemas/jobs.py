"""Jobs: what is sent to add and move them, and what is shown."""

from typing import Annotated, Literal

from pydantic import Field

from api.schemas.fields import (
    MAX_SPAN_MS,
    Body,
    Id,
    Json,
    Span,
    TimeIn,
    TimeOut,
    View,
)
from workflows.engine.states import DeadReason, JobState
from workflows.job_type import MAX_PRIORITY
from workflows.store import MAX_STEP

DedupId = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\u0000]*$")]


class DedupRule(Body):
    """How the job holds its `dedupId`, and what it does if another one does."""

    ttl_ms: Annotated[int, Field(ge=1, le=MAX_SPAN_MS)] | None = Field(
        None, alias="ttlMs"
    )
    extend: bool = False
    on_duplicate: Literal["keep", "replace", "reschedule"] = Field(
        "keep", alias="onDuplicate"
    )


class JobOptions(Body):
    """How to run the job; what is missing is the type's default."""

    job_id: Id | None = Field(None, alias="jobId")
    priority: Annotated[int, Field(ge=0, le=MAX_PRIORITY)] | None = None
    delay_ms: Span = Field(0, alias="delayMs")
    run_at: TimeIn | None = Field(None, alias="runAt")
    expires_ms: Annotated[int, Field(ge=1, le=MAX_SPAN_MS)] | None = Field(
        None, alias="expiresMs"
    )
    dedup_id: DedupId | None = Field(None, alias="dedupId")
    dedup: DedupRule | None = None


class AddJob(Body):
    """A job: the name of its type, its payload, its options."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    data: Json
    opts: JobOptions = Field(default_factory=JobOptions)


class AddJobs(Body):
    """Jobs to accept together, all or none."""

    jobs: Annotated[list[AddJob], Field(min_length=1, max_length=MAX_STEP)]


class AddedJob(View):
    """What became of a job: created, or what it is a duplicate of."""

    job_id: str
    queue_name: str
    status: Literal["created", "duplicate", "deduplicated", "rescheduled"]


class AddedJobs(View):
    """One answer per job, in order."""

    jobs: list[AddedJob]


class AttemptView(View):
    """One ended run of a job."""

    attempt: int
    started_at: TimeOut
    ended_at: TimeOut
    worker: str
    outcome: str
    failed_reason: str | None
    stacktrace: str | None


class DeadLetter(View):
    """A job that failed for good, with all that is known of why."""

    id: str
    name: str
    data: Json
    attempts_made: int
    reason: DeadReason | None
    failed_reason: str | None
    stacktrace: list[str]
    created_at: TimeOut
    failed_at: TimeOut | None
    attempts: list[AttemptView]
    priority: float
    stalls: int
    dead_retries: int


class DeadLetters(View):
    """A page of the dead letters of a queue, newest first."""

    queue_name: str
    total: int
    jobs: list[DeadLetter]


class JobSummary(View):
    """A job, without its attempts."""

    id: str
    name: str
    queue_name: str
    state: JobState
    data: Json
    priority: float
    attempts_made: int
    stalls: int
    created_at: TimeOut
    run_at: TimeOut | None
    expires_at: TimeOut | None
    started_at: TimeOut | None
    finished_at: TimeOut | None
    worker: str | None
    lease_until: TimeOut | None
    cancel_requested: bool
    dedup_id: str | None
    result: Json
    progress: Json
    reason: DeadReason | None
    failed_reason: str | None
    dead_retries: int
    traceparent: str | None


class JobDetail(JobSummary):
    """A job with its attempts; `logged`: how many lines it has said since ever."""

    checkpoint: Json
    logged: int
    attempts: list[AttemptView]


class JobList(View):
    """A page of the jobs of a queue in one state."""

    queue_name: str
    state: JobState
    total: int
    jobs: list[JobSummary]


class Attempts(View):
    """The ended runs of a job, oldest first."""

    job_id: str
    attempts: list[AttemptView]


class AmendJob(Body):
    """What to change; what is missing stays."""

    data: Json = None
    priority: Annotated[int, Field(ge=0, le=MAX_PRIORITY)] | None = None


class LogLineView(View):
    """The n-th line that a job has said."""

    n: int
    at: TimeOut
    text: str


class JobLog(View):
    """Lines of a job's log, oldest first; `more`: others follow the last of them."""

    job_id: str
    lines: list[LogLineView]
    more: bool


class JobStateView(View):
    """The state of a job after an action."""

    job_id: str
    queue_name: str
    state: JobState


class Cancelled(View):
    """`requested`: the job runs, and its worker was asked to stop it."""

    job_id: str
    status: Literal["cancelled", "requested"]


class Removed(View):
    """The job that is gone."""

    job_id: str
    removed: Literal[True] = True


class Reschedule(Body):
    """The new due time: exactly one of the two."""

    delay_ms: Span | None = Field(None, alias="delayMs")
    run_at: TimeIn | None = Field(None, alias="runAt")
