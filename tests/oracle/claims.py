"""The oracle's claims: who gets which job, within which limits."""

from tests.oracle.memory import Job, Lease, Queue
from tests.oracle.upkeep import Upkeep
from workflows.engine.states import JobState
from workflows.store import Claim, QueueClaim, QueueLimits


class Claims(Upkeep):
    """Granting leases."""

    def _claim(self, claim: Claim) -> list[Job]:
        if claim.id in self._claims:
            held = [self._jobs.get(job_id) for job_id in self._claims[claim.id]]
            mine = [j for j in held if j and j.lease and j.lease.token == claim.id]
            return [job for job in mine if not job.detached]
        self.promote_due()
        self.expire_due()
        granted: list[Job] = []
        for wanted in claim.queues:
            self._take(claim, wanted, granted, wanted.share)
        for wanted in claim.queues:
            self._take(claim, wanted, granted, claim.slots + claim.prefetch)
        self._claims[claim.id] = [job.new.id for job in granted]
        return granted

    def _take(
        self, claim: Claim, wanted: QueueClaim, granted: list[Job], share: int
    ) -> None:
        """Grant up to `share` jobs of a queue, the most urgent first."""
        taken = 0
        for job in self._claimable(wanted):
            if taken == share or len(granted) == claim.slots + claim.prefetch:
                return
            if not self._may_run(job):
                continue
            suspects = sum(1 for other in granted if other.stalls)
            if job.stalls and (
                len(granted) >= claim.slots or suspects >= claim.suspects
            ):
                continue
            self._grant(job, claim.id, claim.owner, claim.lease_ms)
            granted.append(job)
            taken += 1

    def _claimable(self, wanted: QueueClaim) -> list[Job]:
        jobs = self._in_state(JobState.WAITING, queue=wanted.queue)
        now = self.now()
        known = [
            job
            for job in jobs
            if job.new.type in wanted.types
            and (job.expires_at is None or job.expires_at > now)
        ]
        return sorted(known, key=lambda job: (job.new.priority, job.place))

    def _may_run(self, job: Job) -> bool:
        """Whether pause, concurrency and rate of its queue let a job start now."""
        queue = self._queues[job.new.queue]
        if job.state is not JobState.WAITING or queue.paused:
            return False
        places = self._places(job.new.queue, queue.limits)
        return job.exempt or min(places, self._slots(queue)) > 0

    def _places(self, name: str, limits: QueueLimits) -> float:
        """How many more the concurrency of a queue allows."""
        if limits.concurrency is None:
            return float("inf")
        active = sum(
            not job.exempt and not job.detached
            for job in self._in_state(JobState.ACTIVE, queue=name)
        )
        lingering = sum(1 for x in self._lingering.values() if x.queue == name)
        return max(0, limits.concurrency - active - lingering)

    def _slots(self, queue: Queue) -> float:
        """How many more the rate limit of a queue allows."""
        if queue.limits.rate_max is None:
            return float("inf")
        used = queue.window_count if queue.window_is_open(self.now()) else 0
        return max(0, queue.limits.rate_max - used)

    def _grant(self, job: Job, token: str, owner: str, lease_ms: int) -> None:
        now, queue = self.now(), self._queues[job.new.queue]
        if queue.limits.rate_max is not None and not job.exempt:
            if not queue.window_is_open(now):
                queue.window_start, queue.window_count = now, 0
            queue.window_count += 1
        job.state = JobState.ACTIVE
        job.lease = Lease(
            job_id=job.new.id,
            queue=job.new.queue,
            token=token,
            owner=owner,
            started_at=now,
            until=now + lease_ms,
            length=lease_ms,
        )
        job.owner, job.started_at = owner, now
        job.first_started_at = job.first_started_at or now

    def _look_again(self, claim: Claim, granted: int) -> int | None:
        """When time alone may make more of it claimable, if it got less."""
        if granted >= claim.slots + claim.prefetch:
            return None
        now, times = self.now(), [timer.due_at for _, timer in self._timers()]
        for wanted in claim.queues:
            queue = self._queues.get(wanted.queue)
            if queue is None or queue.paused:
                continue
            delayed = self._in_state(JobState.DELAYED, queue=wanted.queue)
            times += [
                job.run_at
                for job in delayed
                if job.run_at is not None and job.new.type in wanted.types
            ]
            left = [
                job
                for job in self._claimable(wanted)
                if not job.stalls and not job.exempt
            ]
            places = self._places(wanted.queue, queue.limits)
            if left and places and not self._slots(queue):
                assert queue.window_start is not None
                times.append(queue.window_start + (queue.limits.rate_ms or 0))
        return max(0, min(times) - now) if times else None
