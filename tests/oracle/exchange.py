"""The oracle's workers: claims, settlements, renewals."""

from collections.abc import Sequence

from tests.oracle.memory import Job, Lease, Queue, Stored, due
from tests.oracle.upkeep import Upkeep
from tests.oracle.values import Values
from workflows.engine.states import JobState
from workflows.store import (
    MAX_RELEASES,
    Bury,
    Cancel,
    Claim,
    Complete,
    Exchanged,
    Expire,
    Join,
    LeasedJob,
    QueueClaim,
    QueueLimits,
    Release,
    Renewed,
    Retry,
    Return,
    Settlement,
    SettleStatus,
)
from workflows.stores import validation


class Exchange(Values, Upkeep):
    """`exchange` and `renew`."""

    def exchange(
        self, settlements: Sequence[Settlement] = (), claim: Claim | None = None
    ) -> Exchanged:
        validation.check_exchange(settlements, claim)
        answers = [self._settle(settlement) for settlement in settlements]
        granted = [] if claim is None else self._claim(claim)
        return Exchanged(
            statuses=tuple(status for status, _ in answers),
            states=tuple(state for _, state in answers),
            jobs=tuple(leased(job) for job in granted),
            now=self.now(),
            next_in_ms=self._look_again(claim, len(granted)) if claim else None,
            revocations=bool(self.list_values("revoked")),
        )

    def renew(
        self, owner: str, leases: Sequence[tuple[str, str]], *, lease_ms: int
    ) -> Renewed:
        validation.check_renew(leases, lease_ms)
        lost, cancel = [], []
        for pair in leases:
            lease = self._lease(pair)
            if lease is None:
                lost.append(pair[0])
                continue
            lease.until = self.now() + lease_ms
            lease.length, lease.extended = lease_ms, False
            job = self._jobs.get(pair[0])
            if job and job.lease is lease and job.cancel_requested:
                cancel.append(pair[0])
        return Renewed(tuple(lost), tuple(cancel), self.now())

    # -- settle --

    def _settle(self, settlement: Settlement) -> tuple[SettleStatus, JobState | None]:
        pair = (settlement.job_id, settlement.token)
        job = self._jobs.get(settlement.job_id)
        if isinstance(settlement, Return):
            return SettleStatus.OK, self._return(settlement, job)
        if job is None or job.lease is None or job.lease.token != settlement.token:
            return self._settled_before(pair), None
        lease = job.lease
        self._settled.add(pair)
        self._end(job, settlement)
        if isinstance(settlement, Retry | Bury) and settlement.linger:
            self._lingering[pair] = lease
        else:
            self._free(lease)
        if isinstance(settlement, Complete | Bury) and settlement.remove:
            del self._jobs[job.new.id]
        self._write_follow_ups(settlement)
        return SettleStatus.OK, job.state

    def _return(self, settlement: Return, job: Job | None) -> JobState | None:
        lease = self._lingering.pop((settlement.job_id, settlement.token), None)
        if lease is not None:
            self._free(lease)
        self._write_follow_ups(settlement)
        return job.state if job else None

    def _end(self, job: Job, settlement: Settlement) -> None:
        """End the lease of a job in the way that the settlement says."""
        if isinstance(settlement, Release) and not settlement.started:
            self._refund(job)
        match settlement:
            case Complete():
                self._spend(job, "completed")
                job.result = settlement.result
                self._finish(job, JobState.COMPLETED)
            case Bury():
                self._bury(job, settlement)
            case Expire():
                self._finish(job, JobState.EXPIRED)
            case Cancel():
                self._cancel_run(job)
            case Retry() | Release() if job.cancel_requested:
                failure = settlement.failure if isinstance(settlement, Retry) else b""
                self._cancel_run(job, failure)
            case Retry():
                self._retry(job, settlement)
            case Release():
                self._release(job, settlement)

    def _spend(self, job: Job, outcome: str, failure: bytes = b"") -> None:
        self._record(job, outcome, failure)
        self._measure(job)
        job.attempts_made += 1

    def _bury(self, job: Job, settlement: Bury) -> None:
        if settlement.spend:
            self._spend(job, "dead", settlement.failure)
        else:
            self._record(job, "dead", settlement.failure)
        self._die(job, settlement.reason)

    def _retry(self, job: Job, settlement: Retry) -> None:
        if settlement.spend:
            self._spend(job, "retry", settlement.failure)
            self._count(job.new.queue, "retried", "retried")
        else:
            self._record(job, "snoozed", settlement.failure)
        self._pend(job, due(self.now(), settlement.delay_ms, settlement.run_at))

    def _release(self, job: Job, settlement: Release) -> None:
        if not settlement.started:
            self._give_back(job)
            return
        job.releases += 1
        self._count(job.new.queue, "released", None)
        if job.releases > MAX_RELEASES:
            self._stall(job)
            return
        self._record(job, "released")
        self._give_back(job)
        job.ready_at = self.now()

    def _refund(self, job: Job) -> None:
        """Give the rate slot back, if the window of the claim is still open."""
        queue = self._queues[job.new.queue]
        assert job.started_at is not None
        if (
            queue.window_is_open(self.now())
            and queue.window_start is not None
            and job.started_at >= queue.window_start
        ):
            queue.window_count = max(0, queue.window_count - 1)

    def _write_follow_ups(self, settlement: Settlement) -> None:
        for value in settlement.values:
            until = None if value.ttl_ms is None else self.now() + value.ttl_ms
            self._values["result", value.key] = Stored(value.value, until)
        for new in settlement.jobs:
            self._insert(new)
        if settlement.join:
            self._join(settlement.join)

    def _join(self, join: Join) -> None:
        """Report one member; the last one that is new enqueues the job."""
        keys = {("join", f"{join.key}:{index}") for index in range(join.size)}
        mine = ("join", f"{join.key}:{join.index}")
        if mine in self._values:
            return
        self._values[mine] = Stored(join.value)
        if keys <= self._values.keys():
            self._insert(join.job)

    # -- claim --

    def _claim(self, claim: Claim) -> list[Job]:
        if claim.id in self._claims:
            held = [self._jobs.get(job_id) for job_id in self._claims[claim.id]]
            return [j for j in held if j and j.lease and j.lease.token == claim.id]
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
            if self._room(wanted.queue) == 0:
                return
            suspects = sum(1 for other in granted if other.stalls)
            if job.stalls and (
                len(granted) >= claim.slots or suspects >= claim.suspects
            ):
                continue
            self._grant(job, claim)
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

    def _room(self, name: str) -> float:
        """How many more jobs of a queue may start now."""
        queue = self._queues.get(name)
        if queue is None:
            return float("inf")
        if queue.paused:
            return 0
        return min(self._places(name, queue.limits), self._slots(queue))

    def _places(self, name: str, limits: QueueLimits) -> float:
        """How many more the concurrency of a queue allows."""
        if limits.concurrency is None:
            return float("inf")
        active = len(self._in_state(JobState.ACTIVE, queue=name))
        lingering = sum(1 for x in self._lingering.values() if x.queue == name)
        return max(0, limits.concurrency - active - lingering)

    def _slots(self, queue: Queue) -> float:
        """How many more the rate limit of a queue allows."""
        if queue.limits.rate_max is None:
            return float("inf")
        used = queue.window_count if queue.window_is_open(self.now()) else 0
        return max(0, queue.limits.rate_max - used)

    def _grant(self, job: Job, claim: Claim) -> None:
        now, queue = self.now(), self._queues[job.new.queue]
        if queue.limits.rate_max is not None:
            if not queue.window_is_open(now):
                queue.window_start, queue.window_count = now, 0
            queue.window_count += 1
        job.state = JobState.ACTIVE
        job.lease = Lease(
            job_id=job.new.id,
            queue=job.new.queue,
            token=claim.id,
            owner=claim.owner,
            until=now + claim.lease_ms,
            length=claim.lease_ms,
        )
        job.owner, job.started_at = claim.owner, now
        job.first_started_at = job.first_started_at or now

    def _look_again(self, claim: Claim, granted: int) -> int | None:
        """When time alone may make more of it claimable, if it got less."""
        if granted >= claim.slots + claim.prefetch:
            return None
        now, times = self.now(), []
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
            left = [job for job in self._claimable(wanted) if not job.stalls]
            places = self._places(wanted.queue, queue.limits)
            if left and places and not self._slots(queue):
                assert queue.window_start is not None
                times.append(queue.window_start + (queue.limits.rate_ms or 0))
        return max(0, min(times) - now) if times else None


def leased(job: Job) -> LeasedJob:
    """Return what a worker is told of a job it was granted."""
    assert job.lease is not None
    assert job.started_at is not None
    assert job.first_started_at is not None
    return LeasedJob(
        id=job.new.id,
        queue=job.new.queue,
        type=job.new.type,
        payload=job.new.payload,
        headers=job.new.headers,
        token=job.lease.token,
        attempt=job.attempts_made + 1,
        stalls=job.stalls,
        priority=job.new.priority,
        created_at=job.created_at,
        ready_at=job.ready_at,
        first_started_at=job.first_started_at,
        started_at=job.started_at,
        expires_at=job.expires_at,
        lease_until=job.lease.until,
        trace=job.new.trace,
    )
