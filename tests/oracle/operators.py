"""The oracle's operators: what a person does to jobs, queues and schedules."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from tests.oracle.memory import (
    Job,
    Memory,
    Queue,
    check_pending,
    due,
)
from workflows.engine.states import AMENDABLE, LIVE, JobState
from workflows.exceptions import ConflictError, NotFoundError
from workflows.store import (
    MAX_STEP,
    FireStatus,
    LogLine,
    NewJob,
    QueueLimits,
    Report,
    Schedule,
    Step,
)
from workflows.stores import validation


class JobOperators(Memory):
    """Operations on one job, and bounded steps over many."""

    def _plain(self, job_id: str) -> Job:
        """A job that is not the engine's."""
        job = self._found(job_id)
        if not job.plain:
            raise ConflictError(f"job {job_id!r} is a workflow's own")
        return job

    def cancel(self, job_id: str) -> Literal["cancelled", "requested"]:
        job = self._plain(job_id)
        if job.state is JobState.CANCELLED:
            return "cancelled"
        if job.state is JobState.ACTIVE:
            job.cancel_requested = True
            return "requested"
        check_pending(job)
        self._finish(job, JobState.CANCELLED)
        return "cancelled"

    def reschedule(
        self, job_id: str, *, delay_ms: int = 0, run_at: int | None = None
    ) -> JobState:
        validation.check_due(delay_ms, run_at)
        when = due(self.now(), delay_ms, run_at)
        job = self._plain(job_id)
        check_pending(job)
        self._pend(job, when)
        return job.state

    def promote(self, job_id: str) -> None:
        job = self._plain(job_id)
        if job.state is not JobState.DELAYED:
            raise ConflictError(f"job {job_id!r} is {job.state}")
        self._pend(job, self.now())

    def promote_all(self, queue: str, *, limit: int = MAX_STEP) -> Step:
        validation.check_limit(limit)
        delayed = self._in_state(JobState.DELAYED, queue=queue)
        jobs = sorted(
            (job for job in delayed if job.plain),
            key=lambda job: (job.run_at or 0, job.place),
        )
        for job in jobs[:limit]:
            self._pend(job, self.now())
        return Step(len(jobs[:limit]), len(jobs) > limit)

    def amend(
        self,
        job_id: str,
        *,
        payload: bytes | None = None,
        priority: float | None = None,
    ) -> None:
        validation.check_amendment(priority)
        job = self._plain(job_id)
        if job.state not in AMENDABLE:
            raise ConflictError(f"job {job_id!r} is {job.state}")
        if payload is not None:
            job.new = replace(job.new, payload=payload)
        if priority is not None:
            job.new = replace(job.new, priority=priority)

    def report(self, job_id: str, token: str, report: Report) -> bool:
        validation.check_report(report)
        job = self._jobs.get(job_id)
        if job is None or not job.plain or not job.lease or job.lease.token != token:
            return False
        if report.progress is not None:
            job.progress = report.progress
        if report.checkpoint is not None:
            job.checkpoint = report.checkpoint
        if report.payload is not None:
            job.new = replace(job.new, payload=report.payload)
        for n, text in enumerate(report.lines, len(job.log) + 1):
            job.log.append(LogLine(n, self.now(), text))
        return True

    def remove(self, job_id: str) -> None:
        if self._plain(job_id).state is JobState.ACTIVE:
            raise ConflictError(f"job {job_id!r} is active")
        del self._jobs[job_id]

    def retry_dead(self, job_id: str) -> None:
        job = self._plain(job_id)
        if job.state is not JobState.FAILED:
            raise ConflictError(f"job {job_id!r} is {job.state}")
        self._revive(job)

    def _revive(self, job: Job) -> None:
        job.attempts_made = job.stalls = job.releases = 0
        job.dead_retries += 1
        job.dedup_id = job.expires_at = job.first_started_at = None
        job.reason = job.finished_at = None
        self._pend(job, self.now())

    def _ended(self, queue: str, state: JobState) -> list[Job]:
        """The ended jobs of a queue, oldest first."""
        jobs = self._in_state(state, queue=queue)
        return sorted(jobs, key=lambda job: (job.finished_at or 0, job.new.id))

    def retry_dead_all(self, queue: str, *, limit: int = MAX_STEP) -> Step:
        validation.check_limit(limit)
        dead = self._ended(queue, JobState.FAILED)
        for job in dead[:limit]:
            self._revive(job)
        return Step(len(dead[:limit]), len(dead) > limit)

    def clean(self, queue: str, *, limit: int = MAX_STEP) -> Step:
        validation.check_limit(limit)
        return self._delete(self._ended(queue, JobState.FAILED), limit)

    def drain(
        self, queue: str, *, delayed: bool = False, limit: int = MAX_STEP
    ) -> Step:
        validation.check_limit(limit)
        states = (JobState.WAITING, JobState.DELAYED)[: 2 if delayed else 1]
        jobs = self._in_state(*states, queue=queue)
        return self._delete([job for job in jobs if job.plain], limit)

    def prune(
        self,
        queue: str,
        state: JobState,
        *,
        age_ms: int | None,
        keep: int | None,
        limit: int = MAX_STEP,
    ) -> Step:
        validation.check_prune(state, age_ms, keep, limit)
        ended = self._ended(queue, state)
        surplus = 0 if keep is None else max(0, len(ended) - keep)
        oldest = None if age_ms is None else self.now() - age_ms
        over = [
            job
            for rank, job in enumerate(ended)
            if rank < surplus
            or (oldest is not None and (job.finished_at or 0) < oldest)
        ]
        return self._delete(over, limit)

    def _delete(self, jobs: list[Job], limit: int) -> Step:
        for job in jobs[:limit]:
            del self._jobs[job.new.id]
        return Step(len(jobs[:limit]), len(jobs) > limit)


class QueueOperators(Memory):
    """Settings of queues."""

    def declare_queue(self, queue: str, limits: QueueLimits) -> None:
        validation.check_queue(queue, limits)
        self._queues.setdefault(queue, Queue()).declared = limits

    def set_limits(self, queue: str, limits: QueueLimits | None) -> None:
        if limits is not None:
            validation.check_limits(limits)
        self._known(queue).override = limits

    def pause(self, queue: str, *, by: str = "") -> None:
        known = self._known(queue)
        known.paused, known.paused_by = True, by

    def resume(self, queue: str) -> None:
        known = self._known(queue)
        known.paused, known.paused_by = False, ""


class ScheduleOperators(Memory):
    """Schedules and their firing."""

    def upsert_schedule(self, schedule: Schedule) -> None:
        validation.check_schedule(schedule)
        old = self._schedules.get(schedule.id)
        self._schedules[schedule.id] = replace(
            schedule,
            next_at=(
                old.next_at if old and old.spec == schedule.spec else schedule.next_at
            ),
            paused=old.paused if old else schedule.paused,
            last_slot=old.last_slot if old else None,
            last_fired_at=old.last_fired_at if old else None,
            last_job_id=old.last_job_id if old else None,
        )

    def fire_schedule(
        self,
        schedule_id: str,
        *,
        slot: int,
        next_at: int | None,
        jobs: Sequence[NewJob],
        skip_overlap: bool = False,
    ) -> FireStatus:
        validation.check_firing(slot, next_at, jobs)
        schedule = self._schedules.get(schedule_id)
        if schedule is None or schedule.paused or schedule.next_at != slot:
            return FireStatus.MISSED
        schedule = replace(schedule, next_at=next_at, last_slot=slot)
        self._schedules[schedule_id] = schedule
        last = self._jobs.get(schedule.last_job_id or "")
        if skip_overlap and last and last.state in LIVE:
            return FireStatus.OVERLAP
        for new in jobs:
            self._insert(new)
        if jobs:
            self._schedules[schedule_id] = replace(
                schedule, last_fired_at=self.now(), last_job_id=jobs[-1].id
            )
        return FireStatus.FIRED

    def delete_schedule(self, schedule_id: str) -> bool:
        return self._schedules.pop(schedule_id, None) is not None

    def pause_schedule(self, schedule_id: str, *, paused: bool) -> None:
        if schedule_id not in self._schedules:
            raise NotFoundError(f"no schedule {schedule_id!r}")
        schedule = self._schedules[schedule_id]
        self._schedules[schedule_id] = replace(schedule, paused=paused)

    def list_schedules(self) -> list[Schedule]:
        return sorted(self._schedules.values(), key=lambda schedule: schedule.id)
