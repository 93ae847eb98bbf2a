"""A pool of slots: takes jobs by leased, batched claims and settles in groups.

Whoever needs the store next does the exchange for all: it settles what any slot has
finished and claims for every idle slot, in one write. While that write is under way
the others keep adding to the next one. So a lone job costs two round trips, and under
load a write carries dozens of ends and starts.
"""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from workflows.engine.fairness import shares
from workflows.exceptions import InvalidArgumentError, StoreError
from workflows.runtime.lease import MS, Ended, Lease, boot_ns
from workflows.runtime.rejected import bury_rejected
from workflows.store import (
    Bury,
    Claim,
    Exchanged,
    JobKind,
    LeasedJob,
    QueueClaim,
    Release,
    Retry,
    Return,
    Settlement,
    SettleStatus,
    Store,
)

logger = logging.getLogger("workflows.runtime")

BATCH = 256  # settlements per write
MAX_PREFETCH = 256
PREFETCH_NS = 20 * MS  # how much work a buffer should hold
STALE_NS = 50 * MS  # a buffered job not started by then goes back
LOOK_AGAIN_NS = 1000 * MS  # a hint may be missed: claim at least this often
BACKOFF_NS = (50 * MS, 5000 * MS)

LeaseKey = tuple[str, str]  # job id, token


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """What a pool works on: the types it knows in each queue, and their weights."""

    owner: str
    weights: Mapping[str, int]
    types: Mapping[str, tuple[str, ...]]
    capacity: int
    lease_ms: int = 30_000
    prefetch: bool = True


class Pool:
    """Slots of one kind in one process. Thread-safe.

    `leases` is shared by the pools of the process: every lease from grant to
    settlement; the keeper renews what is in it. `on_revocations` hears of each claim,
    before its jobs start, whether Huey's revoke keys exist.
    """

    def __init__(
        self,
        store: Store,
        options: PoolOptions,
        leases: dict[LeaseKey, Lease],
        new_id: Callable[[], str],
        on_revocations: Callable[[bool], None],
    ) -> None:
        self._store = store
        self._options = options
        self._leases = leases
        self._new_id = new_id
        self._on_revocations = on_revocations
        self._cond = threading.Condition()
        self._buffer: deque[Lease] = deque()
        self._pending: deque[Ended] = deque()
        self._running = 0
        self._exchanging = False
        self._hinting = False  # one slot waits for the store's hint
        self._waiters = 0  # the other idle slots
        self._claim_at = 0
        self._unanswered: tuple[Claim, int] | None = None
        self._failures = 0
        self._retry_at = 0
        self._dealt = 0  # slots that all claims asked for, for fairness
        self._rate = 0.0  # finished jobs per ns, smoothed
        self._rate_mark = (boot_ns(), 0)
        self._finished = 0
        self.capacity = options.capacity
        self.stopping = False

    # -- slots -----------------------------------------------------------------------

    def take(self) -> Lease | None:
        """Block until a job may start on the calling slot; None once stopping."""
        while True:
            with self._cond:
                if self.stopping:
                    return None
                if self._running >= self.capacity:  # the calling slot is reserved
                    self._cond.wait(1.0)
                    continue
                lease = self._pop()
                if lease:
                    return lease
                if not self._exchanging and self._exchange_due():
                    self._exchanging = role_exchange = True
                elif not self._hinting and not self._exchanging:
                    self._hinting, role_exchange = True, False
                else:
                    self._waiters += 1
                    self._cond.wait(1.0)
                    self._waiters -= 1
                    continue
            if not (self._exchange() if role_exchange else self._await_hint()):
                self._pause()

    def end(self, lease: Lease, ended: Ended) -> None:
        """Hand in the end of a run; it is written with the next exchange."""
        with self._cond:
            self._running -= 1
            self._finished += 1
            if lease.settled:  # by its timeout: only the place is left to give back
                job = lease.job
                ended = Ended(Return(job_id=job.id, token=job.token))
            self._pending.append(ended)

    def end_written(self, lease: Lease) -> None:
        """Give back the slot of a run whose end is written already, or is lost."""
        with self._cond:
            self._running -= 1
            self._finished += 1
            self._leases.pop(key_of(lease), None)

    def reserve(self) -> bool:
        """Take an idle slot for a run that is not claimed here; False: none is idle."""
        with self._cond:
            idle = self._running + len(self._buffer) < self.capacity
            self._running += idle
            return idle

    def unreserve(self) -> None:
        """Give back a reserved slot."""
        with self._cond:
            self._running -= 1
            self._cond.notify()

    @property
    def pressed(self) -> bool:
        """Whether work waits that no slot has taken yet, as far as is known here."""
        return bool(self._buffer) or self._waiters == 0

    def settle_early(self, lease: Lease, ended: Ended) -> None:
        """Settle a job whose function still runs; its slot stays taken."""
        with self._cond:
            if lease.settled or key_of(lease) not in self._leases:
                return
            lease.settled = True
            self._pending.append(ended)

    # -- the exchange ----------------------------------------------------------------

    def flush(self) -> None:
        """Write what is pending, and hear what a claim without a reply was granted.

        Does nothing while an exchange is under way, or soon after one that failed.
        """
        with self._cond:
            if self._exchanging or not (self._pending or self._unanswered):
                return
            if boot_ns() < self._retry_at and not self.stopping:
                return
            self._exchanging = True
        self._exchange(for_slot=False)

    def serves(self, job: LeasedJob) -> bool:
        """Whether a job of this kind is claimed by this pool."""
        return job.type in self._options.types.get(job.queue, ())

    @property
    def unwritten(self) -> bool:
        """Whether something must still be written, or answered."""
        left = self._buffer or self._pending or self._unanswered
        return bool(left) or self._exchanging

    def give_back(self, *, everything: bool = False) -> None:
        """Release buffered jobs: all, or the stale ones that no idle slot will take."""
        now = boot_ns()
        with self._cond:
            keep: deque[Lease] = deque()
            idle = self.capacity - self._running
            for lease in self._buffer:
                stale = now - lease.granted_ns > STALE_NS and len(keep) >= idle
                if everything or lease.lost or stale:
                    self._release(lease, started=False)
                else:
                    keep.append(lease)
            self._buffer = keep

    def release_running(self, leases: Sequence[Lease]) -> None:
        """Give back started jobs as the last act of a stop (an attempt is kept).

        Not activities: one that began must not begin again in the same attempt.
        """
        with self._cond:
            for lease in leases:
                if lease.job.kind is JobKind.ACTIVITY:
                    continue
                if lease.started and not lease.settled:
                    lease.settled = True
                    self._release(lease, started=True)

    def stop(self) -> None:
        """Claim nothing more, give back the buffer; running jobs go on."""
        with self._cond:
            self.stopping = True
            self._cond.notify_all()
        self.give_back(everything=True)
        self._store.wake()
        self.flush()

    # -- inside ----------------------------------------------------------------------

    def _pop(self) -> Lease | None:
        now = boot_ns()
        while self._buffer:
            lease = self._buffer.popleft()
            if not lease.startable(now):
                self._release(lease, started=False)
                continue
            lease.started = True
            self._running += 1
            if self._buffer:
                self._cond.notify()
            return lease
        return None

    def _release(self, lease: Lease, *, started: bool) -> None:
        job = lease.job
        self._pending.append(
            Ended(Release(job_id=job.id, token=job.token, started=started))
        )

    def _exchange_due(self) -> bool:
        return bool(self._pending) or boot_ns() >= self._claim_at

    def _await_hint(self) -> bool:
        """Wait for work; False if the store does not answer."""
        timeout_ns = min(max(self._claim_at - boot_ns(), 0), LOOK_AGAIN_NS)
        try:
            woken = self._store.wait(self._options.types, timeout_ns / 1e9)
        except StoreError:
            woken = None
        with self._cond:
            self._hinting = False
            if woken:
                self._claim_at = 0
            self._cond.notify()
        return woken is not None

    def _exchange(self, *, for_slot: bool = True) -> bool:
        """Do the exchange for all slots; False if its outcome is unknown.

        If the caller is no slot it claims nothing: all idle slots may be waiting for
        the store's hint, which tells them of what these ends make possible.
        """
        with self._cond:
            batch = [self._pending.popleft() for _ in range(self._batch_size())]
            claim, sent = self._next_claim() if for_slot else self._lost_claim()
        answer: Exchanged | None = None
        heard = False
        try:
            answer, heard = self._send([ended.settlement for ended in batch], claim)
        finally:  # whatever happens, the role is given back
            with self._cond:
                self._exchanging = False
                if answer is None:
                    self._failures += 1
                    self._retry_at = boot_ns() + BACKOFF_NS[0]
                    self._pending.extendleft(reversed(batch))
                    self._unanswered = (claim, sent) if claim else self._unanswered
                else:
                    self._forget(batch)
                    if claim and heard:
                        self._granted(claim, sent, answer)
                self._hand_on(self._waiters + for_slot)
        if answer is None:
            return False
        self._failures = 0
        self._tell(batch, answer.statuses)
        return True

    def _batch_size(self) -> int:
        return min(len(self._pending), BATCH)

    def _hand_on(self, takers: int) -> None:
        """Wake who can go on: an idle slot, and the hinted one if all are needed.

        An idle slot goes on too if a claim is due, or to wait for the store's hint if
        nobody does: it may have come while the exchange was under way.
        """
        if self._buffer or self._exchange_due() or not self._hinting:
            self._cond.notify()
        if self._hinting and len(self._buffer) > takers:
            self._store.wake()

    def _send(
        self, settlements: list[Settlement], claim: Claim | None
    ) -> tuple[Exchanged | None, bool]:
        """Exchange; return the answer and whether it answers the claim too.

        None: the outcome is unknown and all must be sent again.
        """
        try:
            try:
                return self._store.exchange(settlements, claim), True
            except InvalidArgumentError as error:  # one settlement cannot be written
                logger.exception("settlement_refused")
                return bury_rejected(self._store, settlements, error), False
        except StoreError as error:
            level = logging.DEBUG if self._failures else logging.ERROR
            logger.log(level, "store_unavailable error=%s", error)
        except Exception:  # a fault of ours: keep everything, keep trying, be loud
            logger.exception("exchange_failed")
        return None, False

    def _lost_claim(self) -> tuple[Claim | None, int]:
        return self._unanswered or (None, 0)

    def _next_claim(self) -> tuple[Claim | None, int]:
        if self._unanswered:  # its reply was lost: the same claim again
            return self._unanswered
        if self.stopping:
            return None, 0
        slots = max(self.capacity - self._running - len(self._buffer), 0)
        prefetch = self._prefetch() if self._options.prefetch else 0
        if slots + prefetch == 0:
            return None, 0
        options, wanted = self._options, slots + prefetch
        queues = tuple(
            QueueClaim(queue, options.types[queue], share)
            for queue, share in shares(options.weights, wanted, self._dealt)
        )
        self._dealt += wanted
        suspects = int(not any(lease.suspect for lease in [*self._leases.values()]))
        claim = Claim(
            id=self._new_id(),
            owner=options.owner,
            queues=queues,
            slots=slots,
            prefetch=prefetch,
            suspects=suspects,
            lease_ms=options.lease_ms,
        )
        return claim, boot_ns()

    def _prefetch(self) -> int:
        """How many jobs more than idle slots would be started within PREFETCH_NS."""
        mark, finished = self._rate_mark
        now = boot_ns()
        if now - mark > MS:
            rate = (self._finished - finished) / (now - mark)
            self._rate = rate if rate < self._rate else (rate + self._rate) / 2
            self._rate_mark = (now, self._finished)
        target = min(int(self._rate * PREFETCH_NS), MAX_PREFETCH)
        return max(target - max(self.capacity - self._running, len(self._buffer)), 0)

    def _granted(self, claim: Claim, sent: int, answer: Exchanged) -> None:
        self._unanswered = None
        self._on_revocations(answer.revocations)
        now = boot_ns()
        for job in answer.jobs:
            self._hold(job, sent + claim.lease_ms * MS, now)
        if len(answer.jobs) >= claim.slots + claim.prefetch:
            self._claim_at = 0
        else:
            wait = LOOK_AGAIN_NS
            if answer.next_in_ms is not None:
                wait = min(wait, answer.next_in_ms * MS)
            self._claim_at = now + wait

    def _hold(self, job: LeasedJob, ends_ns: int, now: int) -> None:
        lease = Lease(job, ends_ns=ends_ns, granted_ns=now)
        self._leases[job.id, job.token] = lease
        self._buffer.append(lease)

    def _forget(self, batch: list[Ended]) -> None:
        for settlement, _ in batch:
            lingers = isinstance(settlement, Retry | Bury) and settlement.linger
            if not lingers:
                self._leases.pop((settlement.job_id, settlement.token), None)

    def _tell(self, batch: list[Ended], statuses: Sequence[SettleStatus]) -> None:
        for (settlement, after), status in zip(batch, statuses, strict=True):
            if status is SettleStatus.LOST:
                logger.warning("lease_lost job_id=%s", settlement.job_id)
            if after is None:
                continue
            try:
                after(status)
            except Exception:
                logger.exception("after_settle_failed job_id=%s", settlement.job_id)

    def _pause(self) -> None:
        """Wait out a store that does not answer: exponential, full jitter."""
        low, high = BACKOFF_NS
        span = min(low * 2 ** min(self._failures, 10), high)
        with self._cond:
            if not self.stopping:
                self._cond.wait(random.uniform(low, span) / 1e9)


def key_of(lease: Lease) -> LeaseKey:
    """Return the key under which a process keeps a lease."""
    return lease.job.id, lease.job.token
