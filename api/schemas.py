"""The JSON of requests and responses: one pydantic model per shape."""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from api.parameters import ID_PATTERN
from workflows.client.jobs import MAX_CLEAN
from workflows.engine.schedule import (
    MAX_EXPRESSION,
    MAX_INTERVAL_MS,
    MIN_INTERVAL_MS,
)
from workflows.engine.states import DeadReason, JobState
from workflows.job_type import MAX_PRIORITY
from workflows.store import MAX_STEP

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_TIME_MS = 253_402_300_799_999  # the end of the year 9999
MAX_SPAN_MS = 100 * 366 * 24 * 3600 * 1000  # a hundred years
_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def format_time(at: int) -> str:
    """Return a time (ms since the epoch) as RFC 3339 UTC with ms.

    RFC 3339 ends with the year 9999: what is later shows as its last moment.
    """
    moment = EPOCH + timedelta(milliseconds=min(at, MAX_TIME_MS))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: object) -> int:
    """Return an RFC 3339 time with offset as ms since the epoch.

    Raises:
        ValueError: it is something else, or there is no such time.
    """
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        msg = "must be an RFC 3339 time with an offset"
        raise ValueError(msg)
    try:
        moment = datetime.fromisoformat(text.upper())
        return (moment - EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        msg = "there is no such time"
        raise ValueError(msg) from None


def to_json(data: bytes | None) -> Any:
    """Return stored JSON as a value; what is not JSON as `{"$base64": …}`."""
    if not data:
        return None
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"$base64": base64.b64encode(data).decode()}


TimeOut = Annotated[
    int,
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
TimeIn = Annotated[
    int,
    BeforeValidator(parse_time),
    Field(ge=0, le=MAX_TIME_MS),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Id = Annotated[str, Field(pattern=ID_PATTERN)]
Span = Annotated[int, Field(ge=0, le=MAX_SPAN_MS)]
Json = Annotated[Any, WithJsonSchema({"description": "Any JSON value."})]


class Body(BaseModel):
    """A request body: no other fields, no conversion between types."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True
    )


class View(BaseModel):
    """What the API answers, in camelCase. New fields may appear at any time."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True
    )


# -- jobs to add ----------------------------------------------------------------------


class JobOptions(Body):
    """How to run the job; what is missing is the type's default."""

    job_id: Id | None = Field(None, alias="jobId")
    priority: Annotated[int, Field(ge=0, le=MAX_PRIORITY)] | None = None
    delay_ms: Span = Field(0, alias="delayMs")
    run_at: TimeIn | None = Field(None, alias="runAt")
    expires_ms: Annotated[int, Field(ge=1, le=MAX_SPAN_MS)] | None = Field(
        None, alias="expiresMs"
    )
    dedup_id: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        None, alias="dedupId"
    )


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
    status: Literal["created", "duplicate", "deduplicated"]


class AddedJobs(View):
    """One answer per job, in order."""

    jobs: list[AddedJob]


# -- jobs -----------------------------------------------------------------------------


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
    reason: DeadReason | None
    failed_reason: str | None
    dead_retries: int
    traceparent: str | None


class JobDetail(JobSummary):
    """A job with its attempts."""

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


# -- queues ---------------------------------------------------------------------------


class StateCounts(View):
    """Jobs by state. `total` is the sum of the first five.

    `completed`, `cancelled` and `expired` count since ever; the others are now.
    """

    waiting: int
    active: int
    completed: int
    failed: int
    delayed: int
    total: int
    cancelled: int
    expired: int


class QueueMetrics(StateCounts):
    """A queue in numbers."""

    queue_name: str
    paused: bool
    oldest_waiting_ms: int | None


class AllMetrics(View):
    """All queues, and their sums."""

    queues: list[QueueMetrics]
    totals: StateCounts


class Limits(View):
    """Limits of a queue over all processes; null is no limit."""

    concurrency: int | None
    rate_max: int | None
    rate_ms: int | None
    overridden: bool


class PercentilesView(View):
    """Of a duration, in ms; null when nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None


class ThroughputView(View):
    """Completed jobs per minute over the last minute, 5 and 60 minutes."""

    per_minute1: float
    per_minute5: float
    per_minute60: float


class PerformanceView(View):
    """What was done in the last hour; `queueName` is null for all queues together."""

    queue_name: str | None
    throughput: ThroughputView
    completed: int
    failed: int
    wait_ms: PercentilesView
    run_ms: PercentilesView


class QueueDetail(QueueMetrics):
    """A queue in numbers, with limits, counters since ever, and performance."""

    paused_by: str | None
    limits: Limits
    counters: Mapping[str, int]
    performance: PerformanceView


class StepLimit(Body):
    """How many records to touch at most."""

    limit: Annotated[int, Field(ge=1, le=MAX_CLEAN)] = 100


class Drain(StepLimit):
    """`delayed`: delete delayed jobs too."""

    delayed: bool = False


class RemovedMany(View):
    """How many were removed, and whether more remain."""

    queue_name: str
    removed: int
    more: bool


class RetriedMany(View):
    """How many were made waiting, and whether more remain."""

    queue_name: str
    retried: int
    more: bool


class Pause(Body):
    """Who pauses, for the others to read."""

    by: Annotated[str, Field(max_length=200)] = ""


class QueueState(View):
    """Whether a queue is paused, and its limits."""

    queue_name: str
    paused: bool
    paused_by: str | None
    limits: Limits


class SetLimits(Body):
    """The operator's limits; null is no limit. A rate needs both its fields."""

    concurrency: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    rate_max: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        None, alias="rateMax"
    )
    rate_ms: Annotated[int, Field(ge=1, le=MAX_SPAN_MS)] | None = Field(
        None, alias="rateMs"
    )


# -- schedules ------------------------------------------------------------------------


class PutSchedule(Body):
    """A recurring job. Exactly one of `cron` and `everyMs` is set.

    `catchUp`: what becomes of slots that passed while nothing could fire them.
    `skipOverlap`: fire nothing while the last job is live.
    """

    name: Annotated[str, Field(min_length=1, max_length=255)]
    data: Json
    cron: Annotated[str, Field(min_length=1, max_length=MAX_EXPRESSION)] | None = None
    tz: Annotated[str, Field(min_length=1, max_length=80)] = "UTC"
    every_ms: Annotated[int, Field(ge=MIN_INTERVAL_MS, le=MAX_INTERVAL_MS)] | None = (
        Field(None, alias="everyMs")
    )
    offset_ms: Annotated[int, Field(ge=0, le=MAX_INTERVAL_MS)] = Field(
        0, alias="offsetMs"
    )
    catch_up: Literal["skip", "once", "all"] = Field("once", alias="catchUp")
    skip_overlap: bool = Field(False, alias="skipOverlap")
    priority: Annotated[int, Field(ge=0, le=MAX_PRIORITY)] | None = None
    expires_ms: Annotated[int, Field(ge=1, le=MAX_SPAN_MS)] | None = Field(
        None, alias="expiresMs"
    )


class ScheduleView(View):
    """A schedule. `opaque`: only code tells its slots. `nextAt` null: never again."""

    id: str
    name: str
    queue_name: str
    data: Json
    cron: str | None
    tz: str | None
    every_ms: int | None
    offset_ms: int | None
    opaque: bool
    catch_up: Literal["skip", "once", "all"] | None
    skip_overlap: bool
    priority: float
    expires_ms: int | None
    paused: bool
    declared: bool
    next_at: TimeOut | None
    last_slot: TimeOut | None
    last_fired_at: TimeOut | None
    last_job_id: str | None


class Schedules(View):
    """All schedules, by id."""

    schedules: list[ScheduleView]


class DeletedSchedule(View):
    """The schedule that is gone."""

    id: str
    removed: Literal[True] = True


# -- the whole ------------------------------------------------------------------------


class HealthView(View):
    """How a queue is, and why it is not healthy ("" if it is)."""

    queue_name: str
    status: Literal["healthy", "paused", "warning", "critical"]
    why: str


class AlertView(View):
    """Something to look at. `value`: ms for `oldest_waiting`, else a number of jobs."""

    queue_name: str
    code: Literal["no_worker", "oldest_waiting", "dead_letters", "stalled"]
    severity: Literal["warning", "critical"]
    message: str
    value: int


class StatisticsView(StateCounts):
    """Sums over all queues; `counters` count since ever."""

    queues: int
    workers: int
    counters: Mapping[str, int]


class PerformanceOverall(PerformanceView):
    """All queues together, and each."""

    queues: list[PerformanceView]


class DashboardView(View):
    """One look at everything."""

    generated_at: TimeOut
    health: list[HealthView]
    statistics: StatisticsView
    alerts: list[AlertView]
    performance: PerformanceOverall


class WorkerView(View):
    """A process that works on jobs."""

    owner: str
    host: str
    pid: int
    queues: Mapping[str, list[str]]
    slots: int
    running: int
    version: str
    started_at: TimeOut
    seen_at: TimeOut
    alive: bool


class Workers(View):
    """The processes heard of in the last day."""

    workers: list[WorkerView]


class Live(View):
    """The process answers."""

    status: Literal["live"] = "live"


class Ready(View):
    """The process can serve: its store answers."""

    status: Literal["ready"] = "ready"
    checks: Mapping[str, str]
