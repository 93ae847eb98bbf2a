"""The oracle's reads, and its own fsck."""

import json
from collections.abc import Mapping

from tests.oracle.memory import Job, Memory
from workflows.engine.states import LIVE, TERMINAL, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_LOG,
    MAX_STEP,
    JobPage,
    JobRecord,
    LogPage,
    Minute,
    QueueInfo,
)
from workflows.stores import validation


class Reads(Memory):
    """Everything that changes nothing."""

    def get_job(self, job_id: str) -> JobRecord | None:
        job = self._jobs.get(job_id)
        return record(job) if job else None

    def list_jobs(
        self, queue: str, state: JobState, *, limit: int = 50, cursor: str | None = None
    ) -> JobPage:
        validation.check_limit(limit)
        jobs = sorted(self._in_state(state, queue=queue), key=position)
        if state in TERMINAL:
            jobs.reverse()
        if cursor is not None:
            after = self._read_cursor(cursor, state)
            jobs = [
                job
                for job in jobs
                if (
                    position(job) < after
                    if state in TERMINAL
                    else position(job) > after
                )
            ]
        page = jobs[:limit]
        more = len(jobs) > limit
        end = json.dumps([state, *position(page[-1])]) if more else None
        return JobPage(tuple(record(job) for job in page), end)

    def _read_cursor(self, cursor: str, state: JobState) -> list[float | str]:
        after: list[float | str | None]
        try:
            made_for, *after = json.loads(cursor)
        except (ValueError, TypeError):
            raise InvalidArgumentError("not a cursor of this store") from None
        if made_for != state.value or len(after) != 2 or None in after:
            raise InvalidArgumentError("a cursor of another list")
        return [part for part in after if part is not None]

    def list_log(
        self, job_id: str, *, after: int = 0, limit: int = MAX_STEP
    ) -> LogPage:
        validation.check_lines(after, limit)
        kept = self._found(job_id).log[-MAX_LOG:]
        lines = [line for line in kept if line.n > after]
        return LogPage(tuple(lines[:limit]), len(lines) > limit)

    def list_queues(self) -> list[QueueInfo]:
        infos = [self.get_queue(name) for name in sorted(self._queues)]
        return [info for info in infos if info]

    def get_queue(self, queue: str) -> QueueInfo | None:
        if queue not in self._queues:
            return None
        known = self._queues[queue]
        return QueueInfo(
            name=queue,
            counts={
                state: len(self._in_state(state, queue=queue)) for state in JobState
            },
            totals=dict(known.totals),
            paused=known.paused,
            paused_by=known.paused_by,
            limits=known.limits,
            overridden=known.override is not None,
            oldest_waiting_at=self._oldest(queue),
        )

    def _oldest(self, queue: str) -> int | None:
        """The smallest `ready_at` among the heads of the types."""
        heads: dict[str, Job] = {}
        for job in sorted(self._in_state(JobState.WAITING, queue=queue), key=position):
            heads.setdefault(job.new.type, job)
        return min((job.ready_at for job in heads.values()), default=None)

    def series(self, queue: str, *, since_minute: int) -> list[Minute]:
        validation.check_minute(since_minute)
        if queue not in self._queues:
            return []
        minutes = sorted(self._queues[queue].minutes.items())
        return [Minute(m, dict(c)) for m, c in minutes if m >= since_minute]

    def ping(self) -> None:
        return None

    def info(self) -> Mapping[str, str | int | bool]:
        return {"engine": "oracle", "jobs": len(self._jobs)}

    def fsck(self) -> list[str]:
        """What the shapes above do not rule out by themselves."""
        faults = []
        for job in self._jobs.values():
            if (job.state is JobState.ACTIVE) != (job.lease is not None):
                faults.append(f"{job.new.id}: active is not leased")
            if (job.state is JobState.DELAYED) != (job.run_at is not None):
                faults.append(f"{job.new.id}: delayed has no due time")
            if (job.state in TERMINAL) != (job.finished_at is not None):
                faults.append(f"{job.new.id}: ended has no end")
            if job.new.queue not in self._queues:
                faults.append(f"{job.new.id}: its queue is not known")
        keys = [
            (job.new.queue, job.dedup_id)
            for job in self._jobs.values()
            if job.dedup_id and job.state in LIVE
        ]
        if len(keys) != len(set(keys)):
            faults.append("two live jobs hold one dedup id")
        places = [job.place for job in self._in_state(*LIVE)]
        if len(places) != len(set(places)):
            faults.append("two live jobs have one place")
        faults += [
            f"a value belongs to the lost lease {stored.lease}"
            for stored in self._values.values()
            if stored.lease is not None and self._lease(stored.lease) is None
        ]
        return faults

    def wipe(self) -> None:
        self._forget()

    def close(self) -> None:
        return None


def position(job: Job) -> list[float | str]:
    """Where a job stands in the list of its state."""
    match job.state:
        case JobState.WAITING:
            return [job.new.priority, job.place]
        case JobState.DELAYED:
            return [job.run_at or 0, job.place]
        case JobState.ACTIVE:
            assert job.lease is not None
            return [job.lease.until, job.new.id]
    return [job.finished_at or 0, job.new.id]


def record(job: Job) -> JobRecord:
    """Return everything known of a job."""
    return JobRecord(
        id=job.new.id,
        queue=job.new.queue,
        type=job.new.type,
        payload=job.new.payload,
        headers=job.new.headers,
        priority=job.new.priority,
        state=job.state,
        attempts_made=job.attempts_made,
        stalls=job.stalls,
        releases=job.releases,
        max_stalls=job.new.max_stalls,
        created_at=job.created_at,
        run_at=job.run_at,
        ready_at=job.ready_at,
        expires_at=job.expires_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        owner=job.owner,
        lease_until=job.lease.until if job.lease and not job.detached else None,
        cancel_requested=job.cancel_requested,
        dedup_id=job.dedup_id,
        result=job.result,
        failure=job.failure,
        reason=job.reason,
        dead_retries=job.dead_retries,
        trace=job.new.trace,
        attempts=tuple(job.attempts),
        progress=job.progress,
        checkpoint=job.checkpoint,
        logged=len(job.log),
        kind=job.new.kind,
        run_id=job.new.run_id,
        deadlines=job.new.deadlines,
        close_at=job.close_at,
        beat_at=job.beat_at,
        details=job.details,
        detached=job.detached,
    )
