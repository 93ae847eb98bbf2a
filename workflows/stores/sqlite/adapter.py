"""`SqliteStore`: the protocol, each operation handed to the module that does it."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import pysqlite3 as driver

from workflows.engine.clock import ClockState
from workflows.engine.states import JobState
from workflows.store import (
    MAX_DUE,
    MAX_STEP,
    Claim,
    Enqueued,
    Exchanged,
    FireStatus,
    JobPage,
    JobRecord,
    LogPage,
    Minute,
    NewJob,
    QueueInfo,
    QueueLimits,
    Renewed,
    Report,
    Schedule,
    Settlement,
    Step,
    StoreOptions,
    Swept,
    WorkerInfo,
)
from workflows.stores import run_validation, validation
from workflows.stores.sqlite import (
    accepting,
    checking,
    exchanging,
    listing,
    operating,
    pending,
    reads,
    reporting,
    retention,
    run_reads,
    schedules,
    unknown,
    wiping,
    workers,
)
from workflows.stores.sqlite import (
    leases as leasing,
)
from workflows.stores.sqlite import (
    queues as queueing,
)
from workflows.stores.sqlite import (
    values as keeping,
)
from workflows.stores.sqlite.connections import Connections
from workflows.stores.sqlite.group_commit import GroupCommit, Operation
from workflows.stores.sqlite.location import parse_url
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.run_store import RunStore
from workflows.stores.sqlite.transaction import Clock, Transaction
from workflows.stores.sqlite.waiting import Waiters

T = TypeVar("T")


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class SqliteStore(RunStore):
    """The `Store` in one SQLite file. Thread-safe; may be made before a fork.

    Args:
        url: `sqlite:///path/to/file.db`, with `?durability=fast` to wait for no disk.
        options: see `StoreOptions`; the override `sqlite-wal-reset` accepts an SQLite
            library that may lose commits.
    """

    def __init__(self, url: str, options: StoreOptions | None = None) -> None:
        options = options or StoreOptions()
        self._options = options
        self._location = parse_url(url)
        self._connections = Connections(self._location, options, self._after_fork)
        self._clock = Clock(
            options.clock or _wall_ms, test_mode=options.clock is not None
        )
        self._waiters = Waiters(
            self._connections.data_version,
            self._connections.commits,
            self._claimable_in,
            lambda run_ids: self._read(run_reads.ended, run_ids),
        )
        self._writer = GroupCommit(
            self._connections,
            self._clock,
            str(self._location.path),
            self._waiters.change,
        )

    def _after_fork(self) -> None:
        self._writer.reset()
        self._waiters.reset()

    def _write(self, operation: Operation[T]) -> T:
        return self._writer.run(operation)

    def _say(self, operation: Operation[T]) -> T:
        """Write something that says itself what it makes possible."""

        def speaking(tx: Transaction) -> T:
            tx.told.speaks()
            return operation(tx)

        return self._writer.run(speaking)

    def _read(self, read: Callable[..., T], *arguments: Any) -> T:
        return self._connections.read(lambda reader: read(reader, *arguments))

    def _read_at(self, read: Callable[..., T], *arguments: Any) -> T:
        """Read something that depends on the time."""
        return self._connections.read(
            lambda reader: read(reader, self._now(reader), *arguments)
        )

    def _now(self, connection: Connection) -> int:
        row = connection.execute("SELECT now, wall FROM store").fetchone()
        return self._clock.read(ClockState(*row)).now

    # -- producers --

    def enqueue(self, jobs: Sequence[NewJob], *, request_id: str) -> list[Enqueued]:
        """Accept jobs; see `Store`."""
        validation.check_enqueue(jobs, request_id)
        return self._say(lambda tx: accepting.enqueue(tx, jobs, request_id))

    # -- workers --

    def exchange(
        self, settlements: Sequence[Settlement] = (), claim: Claim | None = None
    ) -> Exchanged:
        """Settle and claim; see `Store`."""
        validation.check_exchange(settlements, claim)
        run_validation.check_commits(settlements)
        if claim is not None:
            self._waiters.claim({each.queue: each.types for each in claim.queues})
        return self._say(lambda tx: exchanging.exchange(tx, settlements, claim))

    def renew(
        self,
        owner: str,  # noqa: ARG002 - the token is the fence
        leases: Sequence[tuple[str, str]],
        *,
        lease_ms: int,
    ) -> Renewed:
        """Extend leases; see `Store`."""
        validation.check_renew(leases, lease_ms)
        return self._write(lambda tx: leasing.renew(tx, leases, lease_ms))

    def report(self, job_id: str, token: str, report: Report) -> bool:
        """Keep what a running job says; see `Store`."""
        validation.check_report(report)
        return self._say(lambda tx: reporting.report(tx, job_id, token, report))

    def sweep(self, *, interval_ms: int, limit: int = MAX_STEP) -> list[Swept]:
        """Take back leases that ran out; see `Store`."""
        validation.check_sweep(interval_ms, limit)
        return self._write(lambda tx: leasing.sweep(tx, interval_ms, limit))

    def promote_due(self, *, limit: int = MAX_DUE) -> tuple[int, int | None]:
        """Make due jobs waiting; see `Store`."""
        validation.check_limit(limit)
        return self._say(lambda tx: pending.promote_due(tx, limit))

    def expire_due(self, *, limit: int = MAX_STEP) -> int:
        """End jobs that expired; see `Store`."""
        validation.check_limit(limit)
        return self._write(lambda tx: pending.expire_due(tx, limit))

    def bury_unknown(
        self, *, grace_ms: int, interval_ms: int, limit: int = MAX_STEP
    ) -> list[str]:
        """Bury jobs that nobody can run; see `Store`."""
        validation.check_bury_unknown(grace_ms, interval_ms, limit)
        return self._write(
            lambda tx: unknown.bury_unknown(tx, grace_ms, interval_ms, limit)
        )

    def heartbeat(self, worker: WorkerInfo) -> None:
        """Say that a process lives."""
        self._say(lambda tx: workers.heartbeat(tx, worker))

    def retire_worker(self, owner: str) -> None:
        """Forget a process."""
        self._write(lambda tx: workers.retire(tx, owner))

    def wait(self, queues: Mapping[str, Sequence[str]], timeout_s: float) -> bool:
        """Block until work may be there; see `Store`."""
        return self._waiters.wait(queues, timeout_s)

    def _claimable_in(self, queues: Mapping[str, Sequence[str]]) -> int | None:
        def look(reader: Connection) -> int | None:
            now = self._now(reader)
            at = reads.claimable_at(reader, now, queues)
            return None if at is None else max(0, at - now)

        return self._connections.read(look)

    def wake(self) -> None:
        """End every wait of this process."""
        self._waiters.wake()

    # -- operators --

    def cancel(self, job_id: str) -> Literal["cancelled", "requested"]:
        """Cancel a job; see `Store`."""
        return self._write(lambda tx: operating.cancel(tx, job_id))

    def reschedule(
        self, job_id: str, *, delay_ms: int = 0, run_at: int | None = None
    ) -> JobState:
        """Give a pending job a new due time; see `Store`."""
        validation.check_due(delay_ms, run_at)
        return self._write(
            lambda tx: operating.reschedule(tx, job_id, delay_ms, run_at)
        )

    def promote(self, job_id: str) -> None:
        """Make a delayed job waiting now."""
        self._write(lambda tx: operating.promote(tx, job_id))

    def promote_all(self, queue: str, *, limit: int = MAX_STEP) -> Step:
        """Make delayed jobs waiting now; see `Store`."""
        validation.check_limit(limit)
        return self._write(lambda tx: operating.promote_all(tx, queue, limit))

    def amend(
        self,
        job_id: str,
        *,
        payload: bytes | None = None,
        priority: float | None = None,
    ) -> None:
        """Change a pending job or a dead letter; see `Store`."""
        validation.check_amendment(priority)
        self._say(lambda tx: operating.amend(tx, job_id, payload, priority))

    def remove(self, job_id: str) -> None:
        """Delete a job that is not active."""
        self._write(lambda tx: operating.remove(tx, job_id))

    def retry_dead(self, job_id: str) -> None:
        """Make a dead letter waiting; see `Store`."""
        self._write(lambda tx: operating.retry_dead(tx, job_id))

    def retry_dead_all(self, queue: str, *, limit: int = MAX_STEP) -> Step:
        """Retry dead letters, oldest first."""
        validation.check_limit(limit)
        return self._write(lambda tx: operating.retry_dead_all(tx, queue, limit))

    def clean(self, queue: str, *, limit: int = MAX_STEP) -> Step:
        """Delete dead letters, oldest first."""
        validation.check_limit(limit)
        return self._write(lambda tx: retention.clean(tx, queue, limit))

    def drain(
        self, queue: str, *, delayed: bool = False, limit: int = MAX_STEP
    ) -> Step:
        """Delete pending jobs."""
        validation.check_limit(limit)
        return self._write(
            lambda tx: retention.drain(tx, queue, limit, delayed=delayed)
        )

    def prune(
        self,
        queue: str,
        state: JobState,
        *,
        age_ms: int | None,
        keep: int | None,
        limit: int = MAX_STEP,
    ) -> Step:
        """Delete terminal records; see `Store`."""
        validation.check_prune(state, age_ms, keep, limit)
        return self._write(
            lambda tx: retention.prune(
                tx, queue, state, limit, age_ms=age_ms, keep=keep
            )
        )

    def declare_queue(self, queue: str, limits: QueueLimits) -> None:
        """Make a queue known; see `Store`."""
        validation.check_queue(queue, limits)
        self._write(lambda tx: queueing.declare(tx, queue, limits))

    def set_limits(self, queue: str, limits: QueueLimits | None) -> None:
        """Override the declared limits."""
        if limits is not None:
            validation.check_limits(limits)
        self._write(lambda tx: queueing.set_limits(tx, queue, limits))

    def pause(self, queue: str, *, by: str = "") -> None:
        """Grant nothing from a queue."""
        self._write(lambda tx: queueing.set_paused(tx, queue, paused=True, by=by))

    def resume(self, queue: str) -> None:
        """End a pause."""
        self._write(lambda tx: queueing.set_paused(tx, queue, paused=False, by=""))

    # -- schedules --

    def upsert_schedule(self, schedule: Schedule) -> None:
        """Create or change a schedule; see `Store`."""
        validation.check_schedule(schedule)
        self._write(lambda tx: schedules.upsert(tx, schedule))

    def fire_schedule(
        self,
        schedule_id: str,
        *,
        slot: int,
        next_at: int | None,
        jobs: Sequence[NewJob],
        skip_overlap: bool = False,
    ) -> FireStatus:
        """Move the slot on and enqueue its jobs; see `Store`."""
        validation.check_firing(slot, next_at, jobs)
        return self._write(
            lambda tx: schedules.fire(
                tx, schedule_id, slot, next_at, jobs, skip_overlap=skip_overlap
            )
        )

    def delete_schedule(self, schedule_id: str) -> bool:
        """Delete a schedule."""
        return self._write(lambda tx: schedules.delete(tx, schedule_id))

    def pause_schedule(self, schedule_id: str, *, paused: bool) -> None:
        """Pause or resume firing."""
        self._write(lambda tx: schedules.pause(tx, schedule_id, paused=paused))

    def list_schedules(self) -> list[Schedule]:
        """Return all schedules, by id."""
        return self._read(schedules.list_schedules)

    # -- values --

    def put_value(
        self, space: str, key: str, value: bytes, *, ttl_ms: int | None = None
    ) -> None:
        """Set a value."""
        validation.check_ttl(ttl_ms)
        self._say(lambda tx: keeping.put_value(tx, space, key, value, ttl_ms))

    def put_value_if_absent(
        self,
        space: str,
        key: str,
        value: bytes,
        *,
        ttl_ms: int | None = None,
        lease: tuple[str, str] | None = None,
    ) -> bool:
        """Set a value unless one exists; see `Store`."""
        validation.check_ttl(ttl_ms)
        return self._say(
            lambda tx: keeping.put_value_if_absent(tx, space, key, value, ttl_ms, lease)
        )

    def get_values(self, space: str, keys: Sequence[str]) -> dict[str, bytes]:
        """Return those of the values that exist."""
        return self._read_at(keeping.get_values, space, keys)

    def pop_value(self, space: str, key: str) -> bytes | None:
        """Remove a value and return it."""
        return self._say(lambda tx: keeping.pop_value(tx, space, key))

    def delete_value(self, space: str, key: str) -> bool:
        """Remove a value."""
        return self.pop_value(space, key) is not None

    def list_values(self, space: str) -> dict[str, bytes]:
        """Return all values of a space."""
        return self._read_at(keeping.list_values, space)

    def flush_values(self, space: str) -> None:
        """Remove all values of a space."""
        self._say(lambda tx: keeping.flush_values(tx, space))

    def increment(self, space: str, key: str, amount: int = 1) -> int:
        """Add to a counter."""
        validation.check_amount(amount)
        return self._say(lambda tx: keeping.increment(tx, space, key, amount))

    # -- reads --

    def now(self) -> int:
        """Return the store's time."""
        return self._read(self._now)

    def get_job(self, job_id: str) -> JobRecord | None:
        """Return one job."""
        return self._read(reads.get_job, job_id)

    def list_jobs(
        self, queue: str, state: JobState, *, limit: int = 50, cursor: str | None = None
    ) -> JobPage:
        """Return a page of jobs; see `Store`."""
        validation.check_limit(limit)
        return self._read(listing.list_jobs, queue, state, limit, cursor)

    def list_log(
        self, job_id: str, *, after: int = 0, limit: int = MAX_STEP
    ) -> LogPage:
        """Return log lines of a job; see `Store`."""
        validation.check_lines(after, limit)
        return self._read(reporting.list_log, job_id, after, limit)

    def list_queues(self) -> list[QueueInfo]:
        """Return every known queue."""
        return self._read(reads.list_queues)

    def get_queue(self, queue: str) -> QueueInfo | None:
        """Return one queue."""
        return self._read(reads.get_queue, queue)

    def series(self, queue: str, *, since_minute: int) -> list[Minute]:
        """Return the minutes of a queue."""
        validation.check_minute(since_minute)
        return self._read(reads.series, queue, since_minute)

    def list_workers(self) -> list[WorkerInfo]:
        """Return the processes seen in the last day."""
        return self._read_at(workers.list_workers)

    # -- the store itself --

    def ping(self) -> None:
        """Raise StoreUnavailableError unless the file answers."""
        self.now()

    def info(self) -> Mapping[str, str | int | bool]:
        """Return facts for people."""
        pages, size, version = self._read(
            lambda connection: [
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "page_size", "user_version")
            ]
        )
        return {
            "engine": "sqlite",
            "version": driver.sqlite_version,
            "durability": self._location.durability,
            "path": str(self._location.path),
            "namespace": self._options.namespace,
            "test_mode": self._options.clock is not None,
            "schema": version,
            "bytes": pages * size,
        }

    def fsck(self) -> list[str]:
        """Check every invariant."""
        return self._read(checking.fsck)

    def wipe(self) -> None:
        """Delete everything."""
        self._write(wiping.wipe)
        self._clock.forget()

    def close(self) -> None:
        """Give back connections; the next call opens new ones."""
        self._connections.close()
