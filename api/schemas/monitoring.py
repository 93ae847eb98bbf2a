"""The whole: dashboard, workers, health."""

from collections.abc import Mapping
from typing import Literal

from api.schemas.fields import (
    TimeOut,
    View,
)
from api.schemas.queues import PerformanceView, StateCounts


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
