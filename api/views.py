"""From what the client returns to what the API shows."""

from api import schemas
from api.schemas import to_json
from workflows.client.jobs import DEAD_LETTER_SUFFIX
from workflows.client.monitoring import (
    Dashboard,
    Percentiles,
    Performance,
    Statistics,
    is_alive,
)
from workflows.engine.failure import Failure
from workflows.engine.schedule import (
    CronSpec,
    IntervalSpec,
    Timetable,
    parse_timetable,
)
from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError, PayloadError
from workflows.store import (
    Attempt,
    Enqueued,
    JobRecord,
    LogPage,
    QueueInfo,
    QueueLimits,
    Schedule,
    WorkerInfo,
)


def added_job(queue: str, answer: Enqueued) -> schemas.AddedJob:
    """Show what became of a job to add."""
    return schemas.AddedJob(
        job_id=answer.id, queue_name=queue, status=answer.status.value
    )


# -- jobs -----------------------------------------------------------------------------


def _failure(data: bytes) -> Failure | None:
    """Read a stored failure; one that is not readable is shown as its bytes."""
    if not data:
        return None
    try:
        return Failure.from_json(data)
    except PayloadError:
        return Failure(type="Unreadable", message=ascii(data[:4096]))


def _reason(failure: Failure | None) -> str | None:
    if failure is None:
        return None
    return f"{failure.type}: {failure.message}" if failure.message else failure.type


def _stack(failure: Failure | None) -> str | None:
    """Show the whole chain of causes, as a traceback does."""
    if failure is None:
        return None
    part = f"{failure.stack_trace}{_reason(failure)}\n"
    if failure.cause is None:
        return part
    return f"{_stack(failure.cause)}\nwhich led to:\n\n{part}"


def attempt(ended: Attempt) -> schemas.AttemptView:
    """Show one ended run."""
    failure = _failure(ended.failure)
    return schemas.AttemptView(
        attempt=ended.attempt,
        started_at=ended.started_at,
        ended_at=ended.ended_at,
        worker=ended.owner,
        outcome=ended.outcome,
        failed_reason=_reason(failure),
        stacktrace=_stack(failure),
    )


def dead_letter(record: JobRecord) -> schemas.DeadLetter:
    """Show a dead letter. `stacktrace`: one text per failed run that is kept."""
    failures = [run.failure for run in record.attempts if run.failure]
    traces = (_stack(_failure(data)) for data in failures or [record.failure])
    return schemas.DeadLetter(
        id=record.id,
        name=record.type,
        data=to_json(record.payload),
        attempts_made=record.attempts_made,
        reason=record.reason,
        failed_reason=_reason(_failure(record.failure)),
        stacktrace=[trace for trace in traces if trace],
        created_at=record.created_at,
        failed_at=record.finished_at,
        attempts=[attempt(run) for run in record.attempts],
        priority=record.priority,
        stalls=record.stalls,
        dead_retries=record.dead_retries,
    )


def dead_letters(queue: QueueInfo, jobs: tuple[JobRecord, ...]) -> schemas.DeadLetters:
    """Show a page of dead letters."""
    return schemas.DeadLetters(
        queue_name=queue.name + DEAD_LETTER_SUFFIX,
        total=queue.counts.get(JobState.FAILED, 0),
        jobs=[dead_letter(record) for record in jobs],
    )


def job_summary(record: JobRecord) -> schemas.JobSummary:
    """Show a job."""
    return schemas.JobSummary(
        id=record.id,
        name=record.type,
        queue_name=record.queue,
        state=record.state,
        data=to_json(record.payload),
        priority=record.priority,
        attempts_made=record.attempts_made,
        stalls=record.stalls,
        created_at=record.created_at,
        run_at=record.run_at,
        expires_at=record.expires_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        worker=record.owner,
        lease_until=record.lease_until,
        cancel_requested=record.cancel_requested,
        dedup_id=record.dedup_id,
        result=to_json(record.result),
        progress=to_json(record.progress or None),
        reason=record.reason,
        failed_reason=_reason(_failure(record.failure)),
        dead_retries=record.dead_retries,
        traceparent=record.trace or None,
    )


def job_detail(record: JobRecord) -> schemas.JobDetail:
    """Show a job with its attempts."""
    return schemas.JobDetail(
        **dict(job_summary(record)),
        checkpoint=to_json(record.checkpoint or None),
        logged=record.logged,
        attempts=[attempt(run) for run in record.attempts],
    )


def job_log(job_id: str, page: LogPage) -> schemas.JobLog:
    """Show lines of a job's log."""
    return schemas.JobLog(
        job_id=job_id,
        lines=[schemas.LogLineView(n=n.n, at=n.at, text=n.text) for n in page.lines],
        more=page.more,
    )


# -- queues ---------------------------------------------------------------------------


def _counts(queue: QueueInfo) -> dict[str, int]:
    """Count by state: what ends by itself since ever, the rest as it is now."""
    now = {
        state.value: queue.counts.get(state, 0)
        for state in (
            JobState.WAITING,
            JobState.ACTIVE,
            JobState.FAILED,
            JobState.DELAYED,
        )
    }
    ever = {
        state.value: queue.totals.get(state.value, 0)
        for state in (JobState.COMPLETED, JobState.CANCELLED, JobState.EXPIRED)
    }
    return {**now, **ever, "total": sum(now.values()) + ever["completed"]}


def queue_metrics(queue: QueueInfo, now: int) -> schemas.QueueMetrics:
    """Show a queue in the guide's numbers."""
    return schemas.QueueMetrics(
        **_counts(queue),
        queue_name=queue.name,
        paused=queue.paused,
        oldest_waiting_ms=_age(queue, now),
    )


def _age(queue: QueueInfo, now: int) -> int | None:
    if queue.oldest_waiting_at is None:
        return None
    return max(now - queue.oldest_waiting_at, 0)


def state_counts(queues: list[QueueInfo]) -> schemas.StateCounts:
    """Add up the counts of queues."""
    total = dict.fromkeys((*JobState, "total"), 0)
    for queue in queues:
        for key, count in _counts(queue).items():
            total[key] += count
    return schemas.StateCounts(**{str(key): count for key, count in total.items()})


def all_metrics(queues: list[QueueInfo], now: int) -> schemas.AllMetrics:
    """Show all queues in the guide's numbers."""
    return schemas.AllMetrics(
        queues=[queue_metrics(queue, now) for queue in queues],
        totals=state_counts(queues),
    )


def limits(held: QueueLimits, *, overridden: bool) -> schemas.Limits:
    """Show the limits that hold."""
    return schemas.Limits(
        concurrency=held.concurrency,
        rate_max=held.rate_max,
        rate_ms=held.rate_ms,
        overridden=overridden,
    )


def queue_detail(queue: QueueInfo, done: Performance, now: int) -> schemas.QueueDetail:
    """Show a queue in all numbers."""
    return schemas.QueueDetail(
        **dict(queue_metrics(queue, now)),
        paused_by=queue.paused_by or None,
        limits=limits(queue.limits, overridden=queue.overridden),
        counters=queue.totals,
        performance=performance(done),
    )


def queue_state(queue: QueueInfo) -> schemas.QueueState:
    """Show pause and limits of a queue."""
    return schemas.QueueState(
        queue_name=queue.name,
        paused=queue.paused,
        paused_by=queue.paused_by or None,
        limits=limits(queue.limits, overridden=queue.overridden),
    )


# -- schedules ------------------------------------------------------------------------


def schedule(kept: Schedule) -> schemas.ScheduleView:
    """Show a schedule; bare if its spec is no longer readable (its zone is gone)."""
    try:
        timetable: Timetable | None = parse_timetable(kept.spec)
    except InvalidArgumentError:
        timetable = None
    spec = timetable.spec if timetable else None
    cron = spec if isinstance(spec, CronSpec) else None
    interval = spec if isinstance(spec, IntervalSpec) else None
    return schemas.ScheduleView(
        id=kept.id,
        name=kept.type,
        queue_name=kept.queue,
        data=to_json(kept.payload),
        cron=cron.expression if cron else None,
        tz=cron.tz if cron else None,
        every_ms=interval.every_ms if interval else None,
        offset_ms=interval.offset_ms if interval else None,
        opaque=not cron and not interval,
        catch_up=timetable.catch_up.value if timetable else None,
        skip_overlap=timetable.skip_overlap if timetable else False,
        priority=kept.priority,
        expires_ms=kept.expires_ms,
        paused=kept.paused,
        declared=kept.declared,
        next_at=kept.next_at,
        last_slot=kept.last_slot,
        last_fired_at=kept.last_fired_at,
        last_job_id=kept.last_job_id,
    )


# -- the whole ------------------------------------------------------------------------


def _percentiles(of: Percentiles) -> schemas.PercentilesView:
    return schemas.PercentilesView(p50=of.p50, p95=of.p95, p99=of.p99)


def performance(done: Performance) -> schemas.PerformanceView:
    """Show the last hour of a queue, or of all."""
    return schemas.PerformanceView(
        queue_name=done.queue,
        throughput=schemas.ThroughputView(
            per_minute1=done.per_minute_1,
            per_minute5=done.per_minute_5,
            per_minute60=done.per_minute_60,
        ),
        completed=done.completed,
        failed=done.failed,
        wait_ms=_percentiles(done.wait),
        run_ms=_percentiles(done.run),
    )


def _statistics(found: Statistics, queues: list[QueueInfo]) -> schemas.StatisticsView:
    return schemas.StatisticsView(
        **dict(state_counts(queues)),
        queues=found.queues,
        workers=found.workers,
        counters=found.totals,
    )


def dashboard(found: Dashboard) -> schemas.DashboardView:
    """Show everything at one look."""
    return schemas.DashboardView(
        generated_at=found.now,
        health=[
            schemas.HealthView(queue_name=one.queue, status=one.status, why=one.why)
            for one in found.health
        ],
        statistics=_statistics(found.statistics, list(found.queues)),
        alerts=[
            schemas.AlertView(
                queue_name=one.queue,
                code=one.code,
                severity=one.severity,
                message=one.message,
                value=one.value,
            )
            for one in found.alerts
        ],
        performance=schemas.PerformanceOverall(
            **dict(performance(found.overall)),
            queues=[performance(one) for one in found.performance],
        ),
    )


def worker(process: WorkerInfo, now: int) -> schemas.WorkerView:
    """Show a process that works on jobs."""
    return schemas.WorkerView(
        owner=process.owner,
        host=process.host,
        pid=process.pid,
        queues={queue: list(types) for queue, types in process.queues.items()},
        slots=process.slots,
        running=process.running,
        version=process.version,
        started_at=process.started_at,
        seen_at=process.seen_at,
        alive=is_alive(process, now),
    )
