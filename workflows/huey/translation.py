"""Tasks to jobs and back: the one place that knows both sides of the seam."""

import datetime as dt
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from huey.api import PeriodicTask, Task
from huey.utils import Error, normalize_expire_time, normalize_time

from workflows.exceptions import InvalidArgumentError
from workflows.huey import message
from workflows.huey.context import job_context
from workflows.huey.repeat import naive
from workflows.huey.reports import JobReports
from workflows.job_type import MAX_PRIORITY, JobType, milliseconds, new_job
from workflows.runtime.lease import Lease
from workflows.store import JobRecord, Join, LeasedJob, NewJob

if TYPE_CHECKING:
    from workflows.huey.instance import WorkflowHuey


class Translation:
    """Turns the tasks of an instance into jobs of its store, and jobs into tasks."""

    def __init__(self, huey: "WorkflowHuey") -> None:
        self._huey = huey
        self._registry = huey.jobs

    # -- to the store ----------------------------------------------------------------

    def to_job(self, task: Task) -> NewJob:
        """Return the job of a task.

        Raises:
            PayloadError, InvalidArgumentError: it cannot be enqueued as it is.
            HueyException: its class is not registered.
        """
        job_type = self._registry.type_of(task)
        delay_ms, run_at = self._due(task)
        if job_type.payload is None:
            priority: float = -(task.priority or 0)
        else:
            priority = job_type.priority if task.priority is None else task.priority
            check_priority(priority)
        return new_job(
            job_type,
            message.payload_of(task, job_type),
            job_id=task.id,
            priority=priority,
            delay_ms=delay_ms,
            run_at=run_at,
            expires_ms=self._expires_ms(task, job_type),
            dedup_id=getattr(task, "dedup_id", None),
            dedup=getattr(task, "dedup", None),
            headers=message.headers_of(task, job_type),
        )

    def join_of(
        self, task: Task, value: Any, *, whole_chain: bool = True
    ) -> Join | None:
        """Return the report to a chord, of the task or of the rest of its pipeline."""
        tail: Task | None = task
        while tail is not None:
            if tail.chord_config is not None:
                chord = tail.chord_config
                key = f"chord:{chord.cid}"
                chord.callback.joins = (key, chord.size)
                return Join(
                    key=key,
                    index=chord.idx,
                    size=chord.size,
                    value=self._huey.serializer.serialize(value),
                    job=self.to_job(chord.callback),
                )
            tail = tail.on_complete if whole_chain else None
        return None

    def error_result(self, task: Task, error: BaseException) -> Error:
        """Return what a failed task leaves as its result."""
        return Error(self._huey.build_error_result(task, error))

    def until(self, eta: dt.datetime) -> timedelta:
        """Return the time from now to an eta given as Huey takes it."""
        huey = self._huey
        due: timedelta = normalize_time(eta, utc=huey.utc) - huey._get_timestamp()
        return due

    def _due(self, task: Task) -> tuple[int, int | None]:
        """Return (delay in ms, due time): a delay counts from the store's now."""
        delay_ms: int | None = self._huey.next_delay_ms
        if delay_ms is None:
            delay_ms = getattr(task, "delay_ms", None)
        if delay_ms is not None:
            return delay_ms, None
        if task.eta is None:
            return 0, None
        zone = dt.UTC if self._huey.utc else None
        moment = task.eta if task.eta.tzinfo else task.eta.replace(tzinfo=zone)
        return 0, round(moment.timestamp() * 1000)

    def _expires_ms(self, task: Task, job_type: JobType) -> int | None:
        """Let the store expire a job, unless a chord must hear of it."""
        if job_type.payload is None or task.expires is None:
            return None
        huey = self._huey
        if task.chord_config is not None:
            task.resolve_expires(huey.utc)
            return None
        left = normalize_expire_time(task.expires, huey.utc) - huey._get_timestamp()
        return max(milliseconds(left), 1)

    # -- from the store --------------------------------------------------------------

    def load(self, lease: Lease, *, collect: bool = True) -> Task:
        """Return the task of a leased job, with what it joins if `collect`.

        Raises what a bad message can raise; StoreError while collecting.
        """
        task = self._load(lease.job, lease.job.attempt - 1)
        if getattr(task, "job_context", False):
            job_type = self._huey.jobs.type_of(task)
            reports = JobReports(self._huey.store, lease.job, job_type)
            task.kwargs = {**task.kwargs, "job": job_context(lease, reports)}
        if collect:
            self._collect(task)
        task.lease = lease
        return task

    def task_of(self, record: JobRecord) -> Task:
        """Return the task of a record that is pending, as Huey would show it."""
        spent = record.attempts_made
        task = self._load(record, spent)
        if record.run_at is not None:
            task.eta = naive(record.run_at, utc=self._huey.utc)
        if task.retry_delay and task.retry_backoff:  # Huey keeps the grown delay
            task.retry_delay *= task.retry_backoff**spent
        return task

    def forget_run(self, task: Task, *, final: bool) -> None:
        """Clear what only the run needed: its revocation; at last, what it joined."""
        huey = self._huey
        if huey.revocations_exist and not isinstance(task, PeriodicTask):
            huey.delete(task.revoke_id)
        joins = getattr(task, "joins", None)
        if joins and final:
            key, size = joins
            for index in range(size):
                huey.store.delete_value("join", f"{key}:{index}")

    def _load(self, job: JobRecord | LeasedJob, spent: int) -> Task:
        job_type = self._registry.job_types[job.type]
        task = message.load_job(job, job_type, self._registry.classes)
        plain = job_type.payload is None
        message.resume(task, spent, job.priority, plain=plain)
        return task

    def _collect(self, task: Task) -> None:
        joins = getattr(task, "joins", None)
        if not joins:
            return
        key, size = joins
        names = [f"{key}:{index}" for index in range(size)]
        found = self._huey.store.get_values("join", names)
        decode = self._huey.serializer.deserialize
        task.extend_data(([decode(found[name]) for name in names],))


def check_priority(priority: object) -> None:
    """Refuse a priority that BullMQ's range does not hold. InvalidArgumentError."""
    if isinstance(priority, bool) or not isinstance(priority, int):
        msg = f"priority must be a whole number, not {type(priority).__name__}"
        raise InvalidArgumentError(msg)
    if not 0 <= priority <= MAX_PRIORITY:
        msg = f"priority must be between 0 (the most urgent) and {MAX_PRIORITY}"
        raise InvalidArgumentError(msg)
