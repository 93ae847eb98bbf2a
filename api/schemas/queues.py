"""Queues: counts, limits, performance, and the answers of bulk actions."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from api.schemas.fields import (
    MAX_SPAN_MS,
    Body,
    View,
)
from workflows.client.jobs import MAX_CLEAN


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


class NamedQueue(View):
    """The queue that the numbers are of."""

    queue_name: str


class QueueMetrics(StateCounts, NamedQueue):  # the name comes first, as in the guide
    """A queue in numbers."""

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


class PromotedMany(View):
    """How many were made waiting before their time, and whether more remain."""

    queue_name: str
    promoted: int
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
