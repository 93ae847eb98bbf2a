"""The keeper: one thread per process that looks after what the process holds.

It renews leases, delivers timeouts and cancellations, gives back buffered jobs that
nobody starts, writes ends that nobody else writes, says that the process lives, and
notices that it should stop (asked to, or its parent process is gone).
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable

from workflows.exceptions import (
    JobCancelled,
    JobInterrupt,
    JobTimeout,
    LeaseLost,
    StoreError,
)
from workflows.runtime.lease import MS, Handler, Lease, boot_ns
from workflows.runtime.pool import LeaseKey, Pool
from workflows.store import MAX_STEP, JobKind, Store, WorkerInfo

logger = logging.getLogger("workflows.runtime")

BUSY_S = 0.01  # how often to look while jobs are held
IDLE_S = 1.0
HEARTBEAT_NS = 5000 * MS
RENEW_RETRY_NS = 500 * MS
KILL_GRACE_NS = 5000 * MS  # from a timeout to the end of a process that ignores it


class Keeper:
    """Looks after the leases of one process; `pools` share `leases`."""

    def __init__(  # noqa: PLR0913 - the parts of one process, named
        self,
        store: Store,
        handler: Handler,
        *,
        owner: str,
        pools: tuple[Pool, ...],
        leases: dict[LeaseKey, Lease],
        lease_ms: int,
        describe: Callable[[int], WorkerInfo],
        stop_wanted: Callable[[], bool],
        stop_claiming: Callable[[], None],
        kill_stuck: bool = False,
    ) -> None:
        self._store = store
        self._handler = handler
        self._owner = owner
        self._pools = pools
        self._leases = leases
        self._lease_ms = lease_ms
        self._describe = describe
        self._stop_wanted = stop_wanted
        self._stop_claiming = stop_claiming
        self._kill_stuck = kill_stuck
        self._renew_at = boot_ns() + lease_ms * MS // 3
        self._heartbeat_at = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, at once and for good."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _run(self) -> None:
        while not self._stopped.wait(BUSY_S if self._leases else IDLE_S / 4):
            try:
                self.look(boot_ns())
            except StoreError as error:
                logger.warning("keeper_store_unavailable error=%s", error)
            except Exception:
                logger.exception("keeper_failed")

    def look(self, now: int) -> None:
        """Do all that is due at boot time `now` (ns)."""
        if self._stop_wanted():
            self._stop_claiming()
        self._enforce_deadlines(now)
        for pool in self._pools:
            pool.give_back()
            pool.flush()
        if now >= self._renew_at:
            self._renew(now)
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + HEARTBEAT_NS
            running = sum(lease.started for lease in [*self._leases.values()])
            self._store.heartbeat(self._describe(running))

    # -- deadlines -------------------------------------------------------------------

    def _enforce_deadlines(self, now: int) -> None:
        for lease in [*self._leases.values()]:
            if lease.deadline_ns is not None and now >= lease.deadline_ns:
                self._time_out(lease, now)

    def _time_out(self, lease: Lease, now: int) -> None:
        """Settle first, so that a late result is refused; then raise in the task."""
        if lease.killed_ns is None:
            lease.killed_ns = now
            pool = self._pool_of(lease)
            pool.settle_early(lease, self._handler.timed_out(lease))
            pool.flush()
            lease.interrupt(JobTimeout)
        elif self._kill_stuck and now - lease.killed_ns > KILL_GRACE_NS:
            logger.error("stuck_job_kills_process job_id=%s", lease.job.id)
            self._store.close()
            os._exit(70)

    def _pool_of(self, lease: Lease) -> Pool:
        return next(pool for pool in self._pools if pool.serves(lease.job))

    # -- leases ----------------------------------------------------------------------

    def _renew(self, now: int) -> None:
        held = [*self._leases]
        self._renew_at = now + (self._lease_ms * MS // 3 if held else 0)
        self._renew_at = max(self._renew_at, now + RENEW_RETRY_NS)
        for part in _batches(held):
            sent = boot_ns()
            try:
                answer = self._store.renew(self._owner, part, lease_ms=self._lease_ms)
            except StoreError:
                self._renew_at = now + RENEW_RETRY_NS
                raise
            lost, asked = set(answer.lost), set(answer.cancel_requested)
            for key in part:
                lease = self._leases.get(key)
                if lease is None:
                    continue
                if key[0] in lost:
                    self._lose(key, lease)
                else:
                    lease.ends_ns = sent + self._lease_ms * MS
                if key[0] in asked and lease.job.kind is JobKind.PLAIN:
                    self._interrupt(lease, JobCancelled)  # an activity: by heartbeat

    def _lose(self, key: LeaseKey, lease: Lease) -> None:
        lease.lost = True
        if lease.settled:
            self._leases.pop(key, None)  # it lingered; its place is gone already
        self._interrupt(lease, LeaseLost)

    def _interrupt(self, lease: Lease, kind: type[JobInterrupt]) -> None:
        if lease.interrupt(kind):
            logger.warning(
                "job_interrupted job_id=%s by=%s", lease.job.id, kind.__name__
            )


def _batches(held: Iterable[LeaseKey]) -> list[list[LeaseKey]]:
    """Split leases into calls of `renew` with no job twice: its answer names jobs.

    A job may be held twice: by a function that timed out and still runs, and anew.
    """
    batches: list[dict[str, LeaseKey]] = []
    for key in held:
        for batch in batches:
            if key[0] not in batch and len(batch) < MAX_STEP:
                batch[key[0]] = key
                break
        else:
            batches.append({key[0]: key})
    return [[*batch.values()] for batch in batches]
