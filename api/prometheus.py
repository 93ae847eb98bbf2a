"""What Prometheus reads: the store's counters in its text format.

Label values come from closed sets (queues, states, outcomes, reasons), never from jobs.
Beyond MAX_QUEUES queues the rest are counted together as `other`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from workflows import __version__
from workflows.client.monitoring import (
    MINUTE_MS,
    Percentiles,
    is_alive,
    percentiles,
    sum_counts,
)
from workflows.engine.states import DeadReason, JobState
from workflows.store import Minute, QueueInfo, QueueLimits, Schedule, WorkerInfo

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAX_QUEUES = 200
OTHER = "other"
RECENT_MINUTES = 5  # what the quantiles look back over


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the store said at `now`."""

    now: int
    queues: Sequence[QueueInfo]
    minutes: Mapping[str, Sequence[Minute]]
    workers: Sequence[WorkerInfo]
    schedules: Sequence[Schedule]


@dataclass(slots=True)
class Family:
    """One metric with its samples: labels and value."""

    name: str
    kind: str
    help: str
    samples: list[tuple[Mapping[str, str], float]] = field(default_factory=list)

    def add(self, value: float, **labels: str) -> None:
        """Add a sample."""
        self.samples.append((labels, value))

    def lines(self) -> Iterator[str]:
        """Yield the metric's text."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.kind}"
        for labels, value in self.samples:
            inner = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
            yield (
                f"{self.name}{{{inner}}} {value!r}"
                if inner
                else (f"{self.name} {value!r}")
            )


def render(snapshot: Snapshot | None, more: Iterable[Family] = ()) -> str:
    """Return the exposition; without a snapshot it says that the store is down.

    `more`: metrics of others, which come last.
    """
    up = Family("workflows_store_up", "gauge", "Whether the store answers.")
    up.add(0 if snapshot is None else 1)
    build = Family("workflows_build_info", "gauge", "The version that runs.")
    build.add(1, version=__version__)
    families = [build, up]
    if snapshot is not None:
        queues = _capped(snapshot.queues)
        families += _gauges(queues, snapshot.now)
        families += _counters(queues)
        families += _durations(queues, snapshot)
        families += _workers(queues, snapshot)
        families += _schedules(snapshot)
    families += more
    lines = (line for family in families for line in family.lines())
    return "\n".join(lines) + "\n"


def _gauges(queues: Sequence[QueueInfo], now: int) -> list[Family]:
    jobs = Family("workflows_jobs", "gauge", "Job records by state.")
    oldest = Family(
        "workflows_queue_oldest_waiting_seconds",
        "gauge",
        "How long the oldest waiting job waits; 0 if none does.",
    )
    paused = Family("workflows_queue_paused", "gauge", "Whether the queue is paused.")
    for queue in queues:
        for state in JobState:
            jobs.add(queue.counts.get(state, 0), queue=queue.name, state=state.value)
        since = now if queue.oldest_waiting_at is None else queue.oldest_waiting_at
        oldest.add(max(now - since, 0) / 1000, queue=queue.name)
        paused.add(int(queue.paused), queue=queue.name)
    return [jobs, oldest, paused]


def _counters(queues: Sequence[QueueInfo]) -> list[Family]:
    simple = {
        "enqueued": "Jobs accepted.",
        "retried": "Attempts that failed and run again.",
        "stalled": "Leases that ran out.",
        "released": "Started jobs given back by a stopping process.",
    }
    families = {
        key: Family(f"workflows_jobs_{key}_total", "counter", text)
        for key, text in simple.items()
    }
    finished = Family(
        "workflows_jobs_finished_total", "counter", "Jobs ended, by outcome."
    )
    dead = Family("workflows_jobs_dead_total", "counter", "Dead letters, by reason.")
    for queue in queues:
        for key, family in families.items():
            family.add(queue.totals.get(key, 0), queue=queue.name)
        for outcome in ("completed", "cancelled", "expired"):
            count = queue.totals.get(outcome, 0)
            finished.add(count, queue=queue.name, outcome=outcome)
        failed = 0
        for reason in DeadReason:
            count = queue.totals.get(f"dead:{reason.value}", 0)
            failed += count
            dead.add(count, queue=queue.name, reason=reason.value)
        finished.add(failed, queue=queue.name, outcome="failed")
    return [*families.values(), finished, dead]


def _durations(queues: Sequence[QueueInfo], snapshot: Snapshot) -> list[Family]:
    """Quantiles of the last minutes; a quiet queue has no sample."""
    since = snapshot.now // MINUTE_MS - RECENT_MINUTES
    text = "How long attempts {}: quantiles over the last 5 minutes."
    wait = Family("workflows_job_wait_seconds", "gauge", text.format("waited"))
    run = Family("workflows_job_run_seconds", "gauge", text.format("ran"))
    for queue in queues:
        minutes = snapshot.minutes.get(queue.name, ())
        counts = sum_counts(one.counts for one in minutes if one.minute > since)
        _add_quantiles(wait, queue.name, percentiles(counts, "w"))
        _add_quantiles(run, queue.name, percentiles(counts, "r"))
    return [wait, run]


def _add_quantiles(family: Family, queue: str, found: Percentiles) -> None:
    by_quantile = {"0.5": found.p50, "0.95": found.p95, "0.99": found.p99}
    for quantile, ms in by_quantile.items():
        if ms is not None:
            family.add(ms / 1000, queue=queue, quantile=quantile)


def _workers(queues: Sequence[QueueInfo], snapshot: Snapshot) -> list[Family]:
    alive = [one for one in snapshot.workers if is_alive(one, snapshot.now)]
    workers = Family(
        "workflows_workers", "gauge", "Living processes that serve the queue."
    )
    for queue in queues:
        workers.add(sum(queue.name in one.queues for one in alive), queue=queue.name)
    slots = Family("workflows_worker_slots", "gauge", "Slots of all living processes.")
    busy = sum(one.running for one in alive)
    slots.add(busy, state="busy")
    slots.add(max(sum(one.slots for one in alive) - busy, 0), state="idle")
    return [workers, slots]


def _schedules(snapshot: Snapshot) -> list[Family]:
    schedules = Family("workflows_schedules", "gauge", "Schedules, by state.")
    paused = sum(one.paused for one in snapshot.schedules)
    schedules.add(len(snapshot.schedules) - paused, state="active")
    schedules.add(paused, state="paused")
    lag = Family(
        "workflows_schedule_lag_seconds",
        "gauge",
        "How late the latest due slot of an active schedule is; 0 if none is due.",
    )
    late = [
        snapshot.now - one.next_at
        for one in snapshot.schedules
        if one.next_at is not None and not one.paused
    ]
    lag.add(max([0, *late]) / 1000)
    return [schedules, lag]


def _capped(queues: Sequence[QueueInfo]) -> list[QueueInfo]:
    """Return at most MAX_QUEUES queues, and one for all the rest."""
    kept, rest = list(queues[:MAX_QUEUES]), queues[MAX_QUEUES:]
    if rest:
        waiting = [q.oldest_waiting_at for q in rest if q.oldest_waiting_at is not None]
        other = QueueInfo(
            name=OTHER,
            counts=sum_counts(queue.counts for queue in rest),
            totals=sum_counts(queue.totals for queue in rest),
            paused=any(queue.paused for queue in rest),
            paused_by="",
            limits=QueueLimits(),
            overridden=False,
            oldest_waiting_at=min(waiting, default=None),
        )
        kept.append(other)
    return kept


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
