"""The dashboard's numbers, as pure functions of what the store says."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from workflows.engine.histogram import percentile
from workflows.engine.states import JobState
from workflows.store import Minute, QueueInfo, WorkerInfo

MINUTE_MS = 60_000
WINDOW_MINUTES = 60  # what performance looks back over
WORKER_ALIVE_MS = 15_000  # three heartbeats; who is silent longer counts as gone
LONG_WAIT_MS = 5 * MINUTE_MS  # the oldest waiting job becomes an alert

Key = TypeVar("Key", bound=str)

Status = Literal["healthy", "paused", "warning", "critical"]
Severity = Literal["warning", "critical"]
AlertCode = Literal["no_worker", "oldest_waiting", "dead_letters", "stalled"]


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """How a queue is, and why it is not healthy ("" if it is)."""

    queue: str
    status: Status
    why: str


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should look at; `value` is in the unit its code implies."""

    queue: str
    code: AlertCode
    severity: Severity
    message: str
    value: int


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of a duration, in ms; None when nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What a queue did in the last hour. Rates are completed jobs per minute."""

    queue: str | None  # None: all queues together
    per_minute_1: float
    per_minute_5: float
    per_minute_60: float
    completed: int
    failed: int
    wait: Percentiles
    run: Percentiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Sums over all queues; `totals` count since ever."""

    queues: int
    workers: int
    totals: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One look at everything, at the store's time `now`."""

    now: int
    queues: tuple[QueueInfo, ...]
    health: tuple[QueueHealth, ...]
    statistics: Statistics
    alerts: tuple[Alert, ...]
    overall: Performance
    performance: tuple[Performance, ...]


def build_dashboard(
    queues: Sequence[QueueInfo],
    minutes: Mapping[str, Sequence[Minute]],
    workers: Sequence[WorkerInfo],
    now: int,
) -> Dashboard:
    """Put the dashboard together; `minutes`: of the last hour, per queue."""
    served = served_queues(workers, now)
    alerts = {
        queue.name: queue_alerts(
            queue, minutes[queue.name], served=queue.name in served, now=now
        )
        for queue in queues
    }
    every_minute = [minute for queue in queues for minute in minutes[queue.name]]
    return Dashboard(
        now=now,
        queues=tuple(queues),
        health=tuple(queue_health(queue, alerts[queue.name]) for queue in queues),
        statistics=Statistics(
            queues=len(queues),
            workers=sum(is_alive(worker, now) for worker in workers),
            totals=sum_counts(queue.totals for queue in queues),
        ),
        alerts=tuple(alert for queue in queues for alert in alerts[queue.name]),
        overall=performance_of(None, every_minute, now),
        performance=tuple(
            performance_of(queue.name, minutes[queue.name], now) for queue in queues
        ),
    )


def is_alive(worker: WorkerInfo, now: int) -> bool:
    """Return whether a process was heard of lately."""
    return now - worker.seen_at <= WORKER_ALIVE_MS


def served_queues(workers: Iterable[WorkerInfo], now: int) -> frozenset[str]:
    """Return the queues that some living process takes jobs from."""
    return frozenset(
        queue for worker in workers if is_alive(worker, now) for queue in worker.queues
    )


def queue_alerts(
    queue: QueueInfo, minutes: Sequence[Minute], *, served: bool, now: int
) -> list[Alert]:
    """Return what a person should look at in one queue, the worst first."""
    alerts = []
    due = queue.counts.get(JobState.WAITING, 0)
    pending = due + queue.counts.get(JobState.DELAYED, 0)
    if pending and not served:
        severity: Severity = "critical" if due else "warning"
        text = f"pending jobs: {pending}, and no living worker serves this queue"
        alerts.append(Alert(queue.name, "no_worker", severity, text, pending))
    if queue.oldest_waiting_at is not None and not queue.paused:
        age = now - queue.oldest_waiting_at
        if age > LONG_WAIT_MS:
            text = f"the oldest waiting job waits for {age // 1000} s"
            alerts.append(Alert(queue.name, "oldest_waiting", "warning", text, age))
    if dead := queue.counts.get(JobState.FAILED, 0):
        text = f"dead letters: {dead}"
        alerts.append(Alert(queue.name, "dead_letters", "warning", text, dead))
    if stalled := sum(minute.counts.get("stalled", 0) for minute in minutes):
        text = f"jobs that lost their worker in the last hour: {stalled}"
        alerts.append(Alert(queue.name, "stalled", "warning", text, stalled))
    return alerts


def queue_health(queue: QueueInfo, alerts: Sequence[Alert]) -> QueueHealth:
    """Return the status of a queue: that of its worst alert, with all reasons."""
    why = [alert.message for alert in alerts]
    status: Status = "healthy"
    if any(alert.severity == "critical" for alert in alerts):
        status = "critical"
    elif queue.paused:
        status = "paused"
        why.insert(0, f"paused by {queue.paused_by}" if queue.paused_by else "paused")
    elif alerts:
        status = "warning"
    return QueueHealth(queue.name, status, "; ".join(why))


def performance_of(
    queue: str | None, minutes: Sequence[Minute], now: int
) -> Performance:
    """Return rates and durations over the last hour."""
    counts = sum_counts(minute.counts for minute in minutes)
    return Performance(
        queue=queue,
        per_minute_1=rate(minutes, 1, now),
        per_minute_5=rate(minutes, 5, now),
        per_minute_60=rate(minutes, 60, now),
        completed=counts.get("completed", 0),
        failed=counts.get("dead", 0),
        wait=percentiles(counts, "w"),
        run=percentiles(counts, "r"),
    )


def rate(minutes: Iterable[Minute], window: int, now: int) -> float:
    """Return completions per minute over the last `window` minutes.

    The minute at the far edge counts with the share of it that lies in the window.
    """
    current, elapsed = divmod(now, MINUTE_MS)
    edge = current - window
    done = 0.0
    for minute in minutes:
        completed = minute.counts.get("completed", 0)
        if edge < minute.minute <= current:
            done += completed
        elif minute.minute == edge:
            done += completed * (1 - elapsed / MINUTE_MS)
    return round(done / window, 3)


def percentiles(counts: Mapping[str, int], kind: Literal["w", "r"]) -> Percentiles:
    """Return the percentiles of the wait (`w`) or run (`r`) buckets in `counts`."""
    buckets = {
        int(key[1:]): count
        for key, count in counts.items()
        if key[0] == kind and key[1:].isdigit()
    }
    return Percentiles(*(percentile(buckets, q) for q in (0.50, 0.95, 0.99)))


def sum_counts(many: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    """Add up counts key by key."""
    total: Counter[Key] = Counter()
    for counts in many:
        total.update(counts)
    return dict(total)
