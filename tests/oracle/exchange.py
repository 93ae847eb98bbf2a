"""The oracle's workers: claims, settlements, renewals."""

from collections.abc import Sequence

from tests.oracle.commits import Commits
from tests.oracle.memory import FOREVER, Job, Lease, Stored, due
from tests.oracle.values import Values
from workflows.engine.states import PENDING, TERMINAL, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_RELEASES,
    Bury,
    Cancel,
    Claim,
    Commit,
    Complete,
    Detach,
    Exchanged,
    Expire,
    JobKind,
    Join,
    LeasedJob,
    Release,
    Renewed,
    Retry,
    Return,
    Settlement,
    SettleStatus,
)
from workflows.stores import run_validation, validation

ENDS_PENDING = (Complete, Retry, Bury, Cancel, Expire)


class Exchange(Values, Commits):
    """`exchange` and `renew`."""

    def exchange(
        self, settlements: Sequence[Settlement] = (), claim: Claim | None = None
    ) -> Exchanged:
        """As all stores, but what is refused in the middle is not undone."""
        validation.check_exchange(settlements, claim)
        run_validation.check_commits(settlements)
        answers, inline = [], list[LeasedJob]()
        for settlement in settlements:
            answers.append(self._settle(settlement))
            inline += self._inline(settlement, answers[-1][0])
        granted = [] if claim is None else self._claim(claim)
        return Exchanged(
            statuses=tuple(status for status, _ in answers),
            states=tuple(state for _, state in answers),
            jobs=(*inline, *(leased(job) for job in granted)),
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
            if lease is None or lease.until == FOREVER:
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
        if not settlement.token and job and isinstance(settlement, ENDS_PENDING):
            self._lease_pending(job)
        if job is None or job.lease is None or job.lease.token != settlement.token:
            return self._settled_before(pair), None
        check_kind(job, settlement)
        if isinstance(settlement, Commit):
            committed = self._commit(job, settlement)
            if committed.status is SettleStatus.OK:
                self._write_follow_ups(settlement)
            return committed.status, committed.state
        if isinstance(settlement, Detach):
            self._detach(job, settlement)
        else:
            self._settled.add(pair)
            self._end_as_told(job, job.lease, settlement)
        return SettleStatus.OK, job.state

    def _end_as_told(self, job: Job, lease: Lease, settlement: Settlement) -> None:
        self._end(job, settlement)
        has_place = lease.token and lease.until != FOREVER and not job.exempt
        lingers = isinstance(settlement, Retry | Bury) and settlement.linger
        if lingers and has_place:
            self._lingering[lease.job_id, lease.token] = lease
        else:
            self._free(lease)
        removes = isinstance(settlement, Complete | Bury) and settlement.remove
        if removes and job.plain:
            del self._jobs[job.new.id]
        if job.new.kind is JobKind.ACTIVITY and job.state in TERMINAL:
            run = self._runs[job.new.run_id]
            if not run.open:
                return
            self._receive(run, settlement.outcome)
        self._write_follow_ups(settlement)

    # -- engine-owned jobs --

    def _lease_pending(self, job: Job) -> None:
        """A pending activity is settled by nobody, who holds it for this moment."""
        if job.new.kind is JobKind.ACTIVITY and job.state in PENDING:
            now = self.now()
            job.state, job.run_at = JobState.ACTIVE, None
            job.lease = Lease(
                job.new.id, job.new.queue, "", "", started_at=now, until=now, length=0
            )

    def _detach(self, job: Job, settlement: Detach) -> None:
        """The worker goes, the lease stays; a repeat changes nothing."""
        assert job.lease is not None
        if not job.detached:
            job.lease.until = FOREVER
            self._free(job.lease)
            self._write_follow_ups(settlement)

    def _inline(self, settlement: Settlement, status: SettleStatus) -> list[LeasedJob]:
        """The inline lease of a commit, also of one that was settled before."""
        if not isinstance(settlement, Commit) or settlement.inline is None:
            return []
        job = self._jobs.get(settlement.inline.job_id)
        token = settlement.inline.token
        holds = job and job.lease and job.lease.token == token and not job.detached
        told = status in {SettleStatus.OK, SettleStatus.ALREADY}
        return [leased(job)] if job and holds and told else []

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
            not job.exempt
            and queue.window_is_open(self.now())
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


def check_kind(job: Job, settlement: Settlement) -> None:
    """Refuse what does not end a job of this kind."""
    task = job.new.kind is JobKind.WORKFLOW_TASK
    if task and not isinstance(settlement, Commit | Retry | Release):
        raise InvalidArgumentError("a workflow task ends by a Commit")
    if isinstance(settlement, Detach) and job.new.kind is not JobKind.ACTIVITY:
        raise InvalidArgumentError("only activities are detached")


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
        kind=job.new.kind,
        run_id=job.new.run_id,
        deadlines=job.new.deadlines,
        close_at=job.close_at,
        details=job.details,
        failure=b"" if job.plain else job.failure,
    )
