"""Queues: their limits, counts and minutes, and who works on them."""

from collections.abc import Mapping
from dataclasses import dataclass

from workflows.engine.states import JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """Limits of a queue over all processes; None is no limit; numbers are >= 1.

    The rate is a fixed window that begins with the first claim in it (BullMQ's
    limiter): at most `rate_max` claims per `rate_ms`, retries included. Both are set
    or neither. A window keeps its start and count when limits change, and is measured
    by those that hold; claims without a rate limit are not counted.
    """

    concurrency: int | None = None
    rate_max: int | None = None
    rate_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueInfo:
    """A queue: how many records per state, totals since ever, settings.

    `totals` keys: enqueued, completed, cancelled, expired, stalled, retried (attempts
    that were spent and will run again), released (started only), `dead:<reason>`.
    They only grow; a key that is missing is 0.
    `limits` is what holds: the operator's setting if there is one, else the declared.
    """

    name: str
    counts: Mapping[JobState, int]
    totals: Mapping[str, int]
    paused: bool
    paused_by: str
    limits: QueueLimits
    overridden: bool  # the limits are the operator's
    oldest_waiting_at: int | None  # smallest ready_at among the heads of its types


@dataclass(frozen=True, slots=True)
class Minute:
    """Counts of one queue in one minute (`minute` = now // 60_000).

    Keys: enqueued completed retried dead cancelled expired stalled; `w<n>` and `r<n>`:
    spent attempts (completed, retried, buried) per bucket n of engine.histogram, of
    their wait (started_at - ready_at) and their run.
    """

    minute: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """A process that works on jobs. `queues`: the types it knows in each queue."""

    owner: str
    host: str
    pid: int
    queues: Mapping[str, tuple[str, ...]]
    slots: int
    running: int
    started_at: int
    version: str
    seen_at: int = 0  # set by the store
    schedules: tuple[str, ...] = ()  # ids of the schedules that its code declares
