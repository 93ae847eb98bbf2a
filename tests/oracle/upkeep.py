"""The oracle's upkeep: sweep, promotion, expiry, unknown types, workers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from tests.oracle.memory import Job, Lease
from tests.oracle.runs import Runs
from workflows.engine.states import PENDING, DeadReason, JobState
from workflows.store import MAX_DUE, MAX_STEP, JobKind, Swept, WorkerInfo
from workflows.stores import validation

DAY_MS = 24 * 60 * 60 * 1000


class Upkeep(Runs):
    """What somebody has to call again and again."""

    def sweep(self, *, interval_ms: int, limit: int = MAX_STEP) -> list[Swept]:
        validation.check_sweep(interval_ms, limit)
        now, swept = self.now(), list[Swept]()
        gap = self._swept_at is None or now - self._swept_at > 2 * interval_ms
        if gap:
            unextended = [
                lease
                for lease in self._leases()
                if lease.until < now + interval_ms and not lease.extended
            ]
            for lease in unextended[:limit]:
                self._extend(lease, swept)
            if len(unextended) > limit:
                return swept
        self._swept_at = now
        for lease in [x for x in self._leases() if x.until <= now][:limit]:
            self._take_back(lease, swept)
        return swept

    def _leases(self) -> list[Lease]:
        """All leases, active and lingering, by end."""
        active = [job.lease for job in self._jobs.values() if job.lease]
        leases = [*active, *self._lingering.values()]
        return sorted(leases, key=lambda x: (x.until, x.job_id))

    def _extend(self, lease: Lease, swept: list[Swept]) -> None:
        lease.until, lease.extended = self.now() + lease.length, True
        if (lease.job_id, lease.token) not in self._lingering:
            swept.append(self._swept(self._jobs[lease.job_id], "extended"))

    def _take_back(self, lease: Lease, swept: list[Swept]) -> None:
        if self._lingering.pop((lease.job_id, lease.token), None):
            self._free(lease)
            return
        job = self._jobs[lease.job_id]
        if job.new.kind is JobKind.ACTIVITY:  # the engine decides
            swept.append(replace(self._swept(job, "lost"), token=lease.token))
            return
        self._free(lease)
        if job.cancel_requested:
            self._cancel_run(job)
            swept.append(self._swept(job, "cancelled"))
            return
        self._stall(job)
        dead = job.state is JobState.FAILED
        swept.append(self._swept(job, "dead" if dead else "stalled"))

    def _swept(
        self,
        job: Job,
        outcome: Literal["extended", "stalled", "dead", "cancelled", "lost"],
    ) -> Swept:
        return Swept(job.new.id, job.new.queue, job.new.type, outcome)

    def promote_due(self, *, limit: int = MAX_DUE) -> tuple[int, int | None]:
        validation.check_limit(limit)
        now = self.now()
        delayed = self._in_state(JobState.DELAYED)
        delayed.sort(key=lambda job: (job.run_at or 0, job.place))
        due = [job for job in delayed if (job.run_at or 0) <= now][:limit]
        for job in due:
            self._promote(job)
        fired = self._fire_timers(limit)
        times = [job.run_at or 0 for job in delayed[len(due) :]]
        times += [timer.due_at for _, timer in self._timers()]
        next_in = max(0, min(times) - now) if times else None
        return len(due) + fired, next_in

    def expire_due(self, *, limit: int = MAX_STEP) -> int:
        validation.check_limit(limit)
        now = self.now()
        over = [
            job
            for job in self._in_state(*PENDING)
            if job.expires_at is not None and job.expires_at <= now
        ]
        over.sort(key=lambda job: (job.expires_at or 0, job.new.id))
        for job in over[:limit]:
            self._finish(job, JobState.EXPIRED)
        return len(over[:limit])

    def bury_unknown(
        self, *, grace_ms: int, interval_ms: int, limit: int = MAX_STEP
    ) -> list[str]:
        validation.check_bury_unknown(grace_ms, interval_ms, limit)
        now = self.now()
        if self._unknown_at is None or now - self._unknown_at > 2 * interval_ms:
            self._unknown_since.clear()
        self._unknown_at = now
        known = {
            (queue, name)
            for worker in self._workers.values()
            if now - worker.seen_at <= 3 * interval_ms
            for queue, names in worker.queues.items()
            for name in names
        }
        waiting = self._in_state(JobState.WAITING)
        unknown = {(job.new.queue, job.new.type) for job in waiting} - known
        since = {pair: self._unknown_since.get(pair, now) for pair in unknown}
        self._unknown_since = since
        doomed = [
            job
            for job in waiting
            if job.plain
            and (job.new.queue, job.new.type) in since
            and now - since[job.new.queue, job.new.type] >= grace_ms
        ]
        doomed.sort(key=lambda job: (job.new.priority, job.place))
        for job in doomed[:limit]:
            self._die(job, DeadReason.UNKNOWN_TYPE)
        return [job.new.id for job in doomed[:limit]]

    def heartbeat(self, worker: WorkerInfo) -> None:
        self._workers[worker.owner] = replace(worker, seen_at=self.now())

    def retire_worker(self, owner: str) -> None:
        self._workers.pop(owner, None)

    def list_workers(self) -> list[WorkerInfo]:
        day_ago = self.now() - DAY_MS
        alive = [w for w in self._workers.values() if w.seen_at >= day_ago]
        return sorted(alive, key=lambda worker: worker.owner)

    def wait(self, queues: Mapping[str, Sequence[str]], timeout_s: float) -> bool:
        return False  # nobody else can change anything: look again

    def wake(self) -> None:
        return None
