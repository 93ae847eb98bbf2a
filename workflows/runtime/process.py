"""One process at work: its pools, its keeper, and how it stops."""

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import workflows
from workflows.exceptions import StoreError
from workflows.runtime.ids import new_id
from workflows.runtime.keeper import Keeper
from workflows.runtime.lease import MS, Handler, Lease, boot_ns
from workflows.runtime.pool import LeaseKey, Pool, PoolOptions
from workflows.store import Store, WorkerInfo

logger = logging.getLogger("workflows.runtime")

FLUSH_NS = 3000 * MS  # how long a stop insists on writing the last ends


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOptions:
    """What one process runs. `threads`/`loop`: the types by queue of each pool."""

    threads: Mapping[str, tuple[str, ...]]
    loop: Mapping[str, tuple[str, ...]]
    slots: int
    loop_slots: int = 256
    weights: Mapping[str, int]
    lease_ms: int
    schedules: tuple[str, ...] = ()
    kill_stuck: bool = False
    prefetch: bool = True


class JobProcess:
    """The running side of one process; make and start it after any fork."""

    def __init__(
        self,
        store: Store,
        handler: Handler,
        options: ProcessOptions,
        *,
        stop_wanted: Callable[[], bool],
        on_revocations: Callable[[bool], None],
    ) -> None:
        self.store = store
        self._on_revocations = on_revocations
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._options = options
        self._started_at = int(time.time() * 1000)
        self._leases: dict[LeaseKey, Lease] = {}
        self.threads = self._pool(options.threads, options.slots)
        self.loop = (
            self._pool(options.loop, options.loop_slots) if options.loop else None
        )
        self.pools = (self.threads, self.loop) if self.loop else (self.threads,)
        self._keeper = Keeper(
            store,
            handler,
            owner=self.owner,
            pools=self.pools,
            leases=self._leases,
            lease_ms=options.lease_ms,
            describe=self._describe,
            stop_wanted=stop_wanted,
            stop_claiming=self.stop_claiming,
            kill_stuck=options.kill_stuck,
        )

    def start(self) -> None:
        """Begin to keep leases; slots may `take` from now on."""
        self._keeper.start()

    def hold(self, lease: Lease) -> None:
        """Look after a lease that was granted beside the pools (inline)."""
        self._leases[lease.job.id, lease.job.token] = lease

    def let_go(self, lease: Lease) -> None:
        """Look no more after a lease that is settled."""
        self._leases.pop((lease.job.id, lease.job.token), None)

    def stop_claiming(self) -> None:
        """Start nothing more and give back what has not started. Repeatable."""
        for pool in self.pools:
            pool.stop()

    def stop(self) -> None:
        """End for good: give back what still runs, write the last ends, say good-bye.

        Nothing this process still runs can settle any more: what it started and did
        not finish is released without an attempt (activities: see `running`).
        """
        self.stop_claiming()
        self._keeper.stop()
        held = [*self._leases.values()]
        for pool in self.pools:
            mine = [lease for lease in held if pool.serves(lease.job)]
            pool.release_running(mine)
        self._flush_all()
        try:
            self.store.retire_worker(self.owner)
        except StoreError as error:
            logger.warning("retire_failed error=%s", error)

    @property
    def running(self) -> list[tuple[Pool, Lease]]:
        """What was started and is not settled, each with the pool that settles it."""
        return [
            (pool, lease)
            for lease in [*self._leases.values()]
            for pool in self.pools
            if pool.serves(lease.job) and lease.started and not lease.settled
        ]

    def _flush_all(self) -> None:
        give_up = boot_ns() + FLUSH_NS
        while boot_ns() < give_up:
            for pool in self.pools:
                pool.give_back(everything=True)  # what a late reply granted
                pool.flush()
            if not any(pool.unwritten for pool in self.pools):
                return
            time.sleep(0.005)
        logger.error("ends_unwritten: their jobs run again after their leases")

    def _pool(self, types: Mapping[str, tuple[str, ...]], slots: int) -> Pool:
        weights = self._options.weights
        options = PoolOptions(
            owner=self.owner,
            weights={queue: weights.get(queue, 1) for queue in types},
            types=types,
            capacity=slots,
            lease_ms=self._options.lease_ms,
            prefetch=self._options.prefetch,
        )
        return Pool(self.store, options, self._leases, new_id, self._on_revocations)

    def _describe(self, running: int) -> WorkerInfo:
        options = self._options
        queues: dict[str, tuple[str, ...]] = {}
        for types in (options.threads, options.loop):
            for queue, names in types.items():
                queues[queue] = (*queues.get(queue, ()), *names)
        return WorkerInfo(
            owner=self.owner,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=queues,
            slots=options.slots,
            running=running,
            started_at=self._started_at,
            version=workflows.__version__,
            schedules=options.schedules,
        )
