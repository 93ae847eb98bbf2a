"""What producers and workers do with jobs."""

from collections.abc import Sequence

from workflows.engine.states import JobState
from workflows.store import (
    MAX_DUE,
    MAX_STEP,
    Claim,
    Enqueued,
    EnqueueStatus,
    Exchanged,
    NewJob,
    Renewed,
    Report,
    Settlement,
    SettleStatus,
    Swept,
    WorkerInfo,
)
from workflows.stores import run_validation, validation
from workflows.stores.redis.job_messages import pack_job
from workflows.stores.redis.messages import pack_claim, pack_settlement
from workflows.stores.redis.records import leased_job, pack_worker
from workflows.stores.redis.scripts import Scripts, refuse_if_told
from workflows.stores.redis.wire import raw

_ENQUEUED = (
    EnqueueStatus.CREATED,
    EnqueueStatus.DUPLICATE,
    EnqueueStatus.DEDUPLICATED,
    EnqueueStatus.RESCHEDULED,
)
_OK = SettleStatus.OK
_VERDICTS: dict[bytes, tuple[SettleStatus, JobState | None]] = {
    b"lost": (SettleStatus.LOST, None),
    b"already": (SettleStatus.ALREADY, None),
    b"conflict": (SettleStatus.CONFLICT, None),
    b"again": (SettleStatus.AGAIN, None),
    b"": (_OK, None),
    **{state.value.encode(): (_OK, state) for state in JobState},
}


class Work:
    """Enqueue, claim, settle, renew, and what a ticker does."""

    _scripts: Scripts

    def enqueue(self, jobs: Sequence[NewJob], *, request_id: str) -> list[Enqueued]:
        """See `workflows.store.Store.enqueue`."""
        validation.check_enqueue(jobs, request_id)
        if not jobs:
            return []
        packed = [pack_job(job) for job in jobs]
        reply = refuse_if_told(self._scripts.run("enqueue", request_id, packed))
        if not reply:
            return [Enqueued(job.id, EnqueueStatus.CREATED) for job in jobs]
        return [
            Enqueued(id.decode(), _ENQUEUED[status])
            for status, id in zip(reply[::2], reply[1::2], strict=True)
        ]

    def exchange(
        self, settlements: Sequence[Settlement] = (), claim: Claim | None = None
    ) -> Exchanged:
        """See `workflows.store.Store.exchange`."""
        validation.check_exchange(settlements, claim)
        run_validation.check_commits(settlements)
        packed = [pack_settlement(settlement) for settlement in settlements]
        wanted = pack_claim(claim) if claim else None
        reply = refuse_if_told(self._scripts.run("exchange", packed, wanted))
        now, states, rows, next_in, revocations, inlined = reply
        verdicts = [_VERDICTS[state] for state in states]
        token = claim.id if claim else ""
        jobs = [leased_job(row, its_token.decode()) for its_token, row in inlined]
        jobs += [leased_job(row, token) for row in rows]
        return Exchanged(
            statuses=tuple([status for status, _ in verdicts]),
            states=tuple([state for _, state in verdicts]),
            jobs=tuple(jobs),
            now=now,
            next_in_ms=next_in,
            revocations=bool(revocations),
        )

    def renew(
        self,
        owner: str,  # noqa: ARG002 - the token is the fence
        leases: Sequence[tuple[str, str]],
        *,
        lease_ms: int,
    ) -> Renewed:
        """See `workflows.store.Store.renew`."""
        validation.check_renew(leases, lease_ms)
        now, lost, cancels = self._scripts.run("renew", leases, lease_ms)
        return Renewed(
            lost=tuple(id.decode() for id in lost),
            cancel_requested=tuple(id.decode() for id in cancels),
            now=now,
        )

    def report(self, job_id: str, token: str, report: Report) -> bool:
        """See `workflows.store.Store.report`."""
        validation.check_report(report)
        news = (report.progress, report.checkpoint, report.payload)
        packed = [None if part is None else raw(part) for part in news]
        args = (job_id, token, *packed, report.lines)
        return bool(self._scripts.run_once("report", *args))

    def sweep(self, *, interval_ms: int, limit: int = MAX_STEP) -> list[Swept]:
        """See `workflows.store.Store.sweep`."""
        validation.check_sweep(interval_ms, limit)
        rows = self._scripts.run("sweep", interval_ms, limit)
        return [Swept(*(part.decode() for part in row)) for row in rows]

    def promote_due(self, *, limit: int = MAX_DUE) -> tuple[int, int | None]:
        """See `workflows.store.Store.promote_due`."""
        validation.check_limit(limit)
        promoted, next_in = self._scripts.run("promote_due", limit)
        return promoted, next_in

    def expire_due(self, *, limit: int = MAX_STEP) -> int:
        """See `workflows.store.Store.expire_due`."""
        validation.check_limit(limit)
        expired: int = self._scripts.run("expire_due", limit)
        return expired

    def bury_unknown(
        self, *, grace_ms: int, interval_ms: int, limit: int = MAX_STEP
    ) -> list[str]:
        """See `workflows.store.Store.bury_unknown`."""
        validation.check_bury_unknown(grace_ms, interval_ms, limit)
        ids = self._scripts.run("bury_unknown", grace_ms, interval_ms, limit)
        return [id.decode() for id in ids]

    def heartbeat(self, worker: WorkerInfo) -> None:
        """See `workflows.store.Store.heartbeat`."""
        record, types = pack_worker(worker)
        self._scripts.run("heartbeat", worker.owner, raw(record), raw(types))

    def retire_worker(self, owner: str) -> None:
        """See `workflows.store.Store.retire_worker`."""
        self._scripts.run("retire_worker", owner)
