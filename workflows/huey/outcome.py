"""What a run's return or exception means: one settlement, then signals and hooks."""

import copy
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from huey import signals
from huey.api import PeriodicTask, Task
from huey.exceptions import (
    RETRYING_EXCEPTIONS,
    CancelExecution,
    RateLimitExceeded,
    RetryTask,
    TaskLockedException,
    TaskTimeout,
)

from workflows.engine.failure import failure_of
from workflows.engine.retry import RetryDecision
from workflows.engine.states import DeadReason
from workflows.exceptions import JobTimeout, RetryAfter, Snooze
from workflows.huey.failure_log import log_failure
from workflows.job_type import milliseconds
from workflows.runtime.lease import MS, Ended, Lease, boot_ns
from workflows.store import (
    Bury,
    Cancel,
    Complete,
    LeasedJob,
    Retry,
    Settlement,
    SettleStatus,
    Value,
)

if TYPE_CHECKING:
    from workflows.huey.instance import WorkflowHuey

logger = logging.getLogger("workflows.huey")

RESULT_TTL_MS = 24 * 3600 * 1000  # unread results of plain tasks go after a day

Signal = tuple[str, tuple[Any, ...]]

COMPLETE: tuple[Signal, ...] = ((signals.SIGNAL_COMPLETE, ()),)
RETRYING: tuple[Signal, ...] = (
    (signals.SIGNAL_RETRYING, ()),
    (signals.SIGNAL_ENQUEUED, ()),
)
RETRYING_LATER: tuple[Signal, ...] = (
    (signals.SIGNAL_RETRYING, ()),
    (signals.SIGNAL_SCHEDULED, ()),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The settlement of a run, and what Huey's listeners hear afterwards."""

    huey: "WorkflowHuey"
    task: Task
    settlement: Settlement
    heard: tuple[Signal, ...] = ()  # before the post-execute hooks
    heard_last: tuple[Signal, ...] = ()
    value: Any = None
    error: BaseException | None = None
    hooks: bool = False
    followers: tuple[Task, ...] = ()
    job: LeasedJob | None = None  # of a run that raised

    def ended(self) -> Ended:
        """Return it as the runtime wants it."""
        return Ended(self.settlement, self.tell)

    def tell(self, status: SettleStatus) -> None:
        """Fire signals and hooks; a run whose lease was lost tells nobody."""
        if status is SettleStatus.LOST:
            return
        if self.job is not None and self.error is not None:
            log_failure(self.job, self.settlement, self.error)
        for name, args in self.heard:
            self.huey._emit(name, self.task, *args)
        if self.hooks:
            self.huey._run_post_execute(self.task, self.value, self.error)
        for name, args in self.heard_last:
            self.huey._emit(name, self.task, *args)
        for follower in self.followers:
            self.huey._emit(signals.SIGNAL_ENQUEUED, follower)
        again = isinstance(self.settlement, Retry | Bury)  # even from the dead
        self.huey.translation.forget_run(self.task, final=not again)


def succeeded(huey: "WorkflowHuey", lease: Lease, task: Task, value: Any) -> Outcome:
    """Return the outcome of a run that returned. Raises PayloadError (its value)."""
    job, job_type = lease.job, huey.job_types[lease.job.type]
    followers: tuple[Task, ...] = ()
    if task.on_complete is not None:
        task.on_complete.extend_data(value)
        followers = (task.on_complete,)
    result: bytes | None = None
    values: tuple[Value, ...] = ()
    if job_type.payload is not None:
        result = None if value is None else huey.serializer.serialize(value)
    elif _stores(huey, task) and (value is not None or huey.store_none):
        values = (_result(huey, task, value),)
    settlement = Complete(
        job_id=job.id,
        token=job.token,
        jobs=tuple(huey.translation.to_job(follower) for follower in followers),
        values=values,
        join=huey.translation.join_of(task, value, whole_chain=False),
        result=result,
        remove=job_type.keep_completed.count == 0,
    )
    return Outcome(huey, task, settlement, heard_last=COMPLETE, value=value, hooks=True)


def failed(
    huey: "WorkflowHuey",
    lease: Lease,
    task: Task,
    error: BaseException,
    *,
    linger: bool = False,
) -> Outcome:
    """Return the outcome of a run that raised: retried, cancelled, or dead."""
    job = lease.job
    if isinstance(error, RetryAfter):
        return _put_off(huey, lease, task, error)
    decision, spend = _decide(huey, lease, task, error)
    final = decision.delay is None
    if isinstance(error, CancelExecution):  # what Huey reports of it
        task.retries = 0 if final else max(task.retries, 1)
    values, followers = _report(huey, lease, task, error, final=final)
    common: dict[str, Any] = {
        "job_id": job.id,
        "token": job.token,
        "jobs": tuple(huey.translation.to_job(follower) for follower in followers),
        "values": values,
    }
    failure = failure_of(error).to_json()
    settlement: Settlement
    last: tuple[Signal, ...] = ()
    if decision.delay is not None:
        delay_ms = milliseconds(decision.delay)
        settlement = Retry(
            **common, failure=failure, delay_ms=delay_ms, spend=spend, linger=linger
        )
        last = RETRYING if delay_ms == 0 else RETRYING_LATER
    else:
        common["join"] = huey.translation.join_of(
            task, huey.translation.error_result(task, error)
        )
        if isinstance(error, CancelExecution):
            settlement = Cancel(**common)
        else:
            settlement = Bury(
                **common,
                failure=failure,
                reason=decision.reason or DeadReason.EXHAUSTED,
                remove=huey.job_types[job.type].keep_failed.count == 0,
                linger=linger,
            )
    if decision.note:
        logger.error("retry_policy_failed job_id=%s: %s", job.id, decision.note)
    return Outcome(
        huey,
        task,
        settlement,
        _heard(error),
        last,
        error=error,
        hooks=True,
        followers=followers,
        job=job,
    )


def _put_off(
    huey: "WorkflowHuey", lease: Lease, task: Task, error: RetryAfter
) -> Outcome:
    quiet = isinstance(error, Snooze)
    settlement = Retry(
        job_id=lease.job.id,
        token=lease.job.token,
        failure=b"" if quiet else failure_of(error).to_json(),
        delay_ms=milliseconds(max(error.delay, timedelta(0))),
        spend=False,
    )
    return Outcome(huey, task, settlement, heard_last=RETRYING_LATER)


def _decide(
    huey: "WorkflowHuey", lease: Lease, task: Task, error: BaseException
) -> tuple[RetryDecision, bool]:
    """Return whether and when to run again, and whether that spends the attempt."""
    if isinstance(error, RetryTask):
        return RetryDecision(_asked_delay(huey, task, error)), False
    rule = huey.jobs.rule_of(task)
    elapsed = lease.job.started_at - lease.job.first_started_at
    elapsed += (boot_ns() - lease.granted_ns) // MS
    ruled = rule.decide(
        attempt=lease.job.attempt,
        elapsed=timedelta(milliseconds=elapsed),
        error=error,
    )
    if isinstance(error, RateLimitExceeded):
        delay = timedelta(seconds=task.retry_delay or error.delay)
        if error.retry:
            return RetryDecision(delay), False
        return (ruled if ruled.delay is None else RetryDecision(delay)), True
    if isinstance(error, CancelExecution):
        if error.retry and ruled.delay is None:
            return RetryDecision(timedelta(seconds=task.retry_delay or 0)), True
        return (RetryDecision(None) if error.retry is False else ruled), True
    return ruled, True


def _asked_delay(huey: "WorkflowHuey", task: Task, error: RetryTask) -> timedelta:
    if error.delay is not None:
        delay = error.delay
        return delay if isinstance(delay, timedelta) else timedelta(seconds=delay)
    if error.eta is None:
        return timedelta(seconds=task.retry_delay or 0)
    return max(huey.translation.until(error.eta), timedelta(0))


def _heard(error: BaseException) -> tuple[Signal, ...]:
    match error:
        case RetryTask():
            return ()
        case JobTimeout() | TaskTimeout():
            return ((signals.SIGNAL_TIMEOUT, ()),)
        case RateLimitExceeded():
            return ((signals.SIGNAL_RATE_LIMITED, ()),)
        case TaskLockedException():
            return ((signals.SIGNAL_LOCKED, ()),)
        case CancelExecution():
            return ((signals.SIGNAL_CANCELED, ()),)
        case _:
            return ((signals.SIGNAL_ERROR, (error,)),)


def _report(
    huey: "WorkflowHuey", lease: Lease, task: Task, error: BaseException, *, final: bool
) -> tuple[tuple[Value, ...], tuple[Task, ...]]:
    """Return what Huey tells of a failure: stored errors, and the on_error task."""
    quiet = isinstance(error, RETRYING_EXCEPTIONS)
    if not final and (quiet or not huey.store_intermediate_errors):
        return (), ()
    values: list[Value] = []
    told = task if _stores(huey, task) else None
    stored = huey.translation.error_result(task, error)
    while told is not None:
        if huey.jobs.is_plain(told):
            values.append(_result(huey, told, stored))
        told = told.on_complete if final else None
    followers: tuple[Task, ...] = ()
    if task.on_error is not None:
        handler = copy.copy(task.on_error)
        handler.id = f"{handler.id}:{lease.job.token}"  # anew for each run that failed
        handler.extend_data(error)
        followers = (handler,)
    return tuple(values), followers


def _stores(huey: "WorkflowHuey", task: Task) -> bool:
    return bool(huey.results) and not isinstance(task, PeriodicTask)


def _result(huey: "WorkflowHuey", task: Task, value: Any) -> Value:
    data = huey.serializer.serialize(value)
    return Value(key=task.id, value=data, ttl_ms=RESULT_TTL_MS)
