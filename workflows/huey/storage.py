"""The store as a complete Huey storage: queue, schedule, results, counters, locks.

Plain Huey on this storage keeps Huey's meanings, destructive `dequeue` included.
`WorkflowHuey` does not use the queue methods: it claims and settles.
"""

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

from huey.constants import EmptyData
from huey.exceptions import ConfigurationError
from huey.storage import BaseStorage
from huey.utils import Error

from workflows.converter import DEFAULT, Converter
from workflows.engine.failure import Failure
from workflows.engine.states import JobState
from workflows.exceptions import NotFoundError
from workflows.huey.context import current_lease
from workflows.runtime.ids import new_id
from workflows.store import (
    MAX_STEP,
    Claim,
    Complete,
    JobRecord,
    NewJob,
    QueueClaim,
    Store,
)

RAW_TYPE = "huey.message"  # opaque bytes, enqueued by plain Huey


class HueyStorage(BaseStorage):  # type: ignore[misc]  # Huey ships no types
    """A Huey storage over any `Store`; `queue` takes what plain Huey enqueues."""

    blocking = True
    priority = True

    def __init__(
        self,
        name: str,
        store: Store,
        *,
        utc: bool = True,
        converter: Converter = DEFAULT,
        read_timeout: float = 1.0,
        **options: Any,
    ) -> None:
        if options:
            unknown = ", ".join(sorted(options))
            msg = f"unknown option of WorkflowHuey or its storage: {unknown}"
            raise ConfigurationError(msg)
        super().__init__(name)
        self.store = store
        self.queue = name
        self.schedule = f"{name}.schedule"
        self._utc = utc
        self._converter = converter
        self._read_timeout = read_timeout
        self._lock_prefix = f"{name}.lock."

    def close(self) -> None:
        """Give back connections; called before workers are forked."""
        self.store.close()

    # -- queue -----------------------------------------------------------------------

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        """Append opaque bytes; higher priorities first."""
        self._add(data, priority=-(priority or 0))

    def dequeue(self) -> bytes | None:
        """Take the next message away; wait up to `read_timeout` for one."""
        deadline = time.monotonic() + self._read_timeout
        while True:
            data = self._take()
            left = deadline - time.monotonic()
            if data is not None or left <= 0:
                return data
            self.store.wait({self.queue: (RAW_TYPE,)}, min(left, 1.0))

    def _take(self) -> bytes | None:
        claim = Claim(
            id=new_id(),
            owner="huey",
            queues=(QueueClaim(self.queue, (RAW_TYPE,), 1),),
            slots=1,
        )
        for job in self.store.exchange((), claim).jobs:
            self.store.exchange([Complete(job_id=job.id, token=job.token, remove=True)])
            return job.payload
        return None

    def queue_size(self) -> int:
        """Return how many wait; leased ones do not count."""
        return self._count(self.queue, JobState.WAITING)

    def enqueued_items(self, limit: int | None = None) -> list[bytes]:
        """Return what waits, next first."""
        return [job.payload for job in self.records(JobState.WAITING, limit)]

    def flush_queue(self) -> None:
        """Delete all that waits."""
        while self.store.drain(self.queue).more:
            pass

    # -- schedule ----------------------------------------------------------------------
    # Opaque messages lie in a queue of their own, which nobody claims from: here the
    # caller says what is due, not the store's clock. Their headers hold the due time.

    def add_to_schedule(self, data: bytes, ts: dt.datetime) -> None:
        """Keep a message until `ts` (naive, UTC if the instance uses UTC)."""
        due = self._ms(ts)
        self._add(data, queue=self.schedule, headers=b"%d" % due, priority=due)

    def read_schedule(self, ts: dt.datetime) -> list[bytes]:
        """Take away what is due at `ts`, soonest first; of two callers one gets it."""
        taken, now = [], self._ms(ts)
        for job in self.records(JobState.WAITING, queue=self.schedule):
            if int(job.headers) > now:
                break
            try:
                self.store.remove(job.id)
            except NotFoundError:
                continue
            taken.append(job.payload)
        return taken

    def schedule_size(self) -> int:
        """Return how many are scheduled: opaque messages and delayed jobs."""
        opaque = self._count(self.schedule, JobState.WAITING)
        return opaque + self._count(self.queue, JobState.DELAYED)

    def scheduled_items(self, limit: int | None = None) -> list[bytes]:
        """Return the scheduled messages, soonest first."""
        records = self.records(JobState.WAITING, limit, queue=self.schedule)
        return [job.payload for job in records]

    def flush_schedule(self) -> None:
        """Delete all that is scheduled."""
        while self.store.drain(self.schedule).more:
            pass
        for job in self.records(JobState.DELAYED):
            self.store.remove(job.id)

    # -- values ----------------------------------------------------------------------

    def put_data(self, key: Any, value: bytes, is_result: bool = False) -> None:
        """Set a value."""
        self.store.put_value(self._space(key), _text(key), value)

    def peek_data(self, key: Any) -> Any:
        """Return a value, or the stored result of a job of that id."""
        found = self.peek_many([key])
        return found.get(key, EmptyData)

    def peek_many(self, keys: Any) -> dict[Any, bytes]:
        """Return those of the values that exist."""
        found: dict[Any, bytes] = {}
        for key in keys:
            name, space = _text(key), self._space(key)
            value = self.store.get_values(space, [name]).get(name)
            if value is None and space == "result":
                value = self._job_result(name)
            if value is not None:
                found[key] = value
        return found

    def pop_data(self, key: Any) -> Any:
        """Take a value away; a job's result stays with its record."""
        value = self.store.pop_value(self._space(key), _text(key))
        if value is None and self._space(key) == "result":
            value = self._job_result(_text(key))
        return EmptyData if value is None else value

    def _job_result(self, job_id: str) -> bytes | None:
        record = self.store.get_job(job_id)
        if record is None or record.state is not JobState.FAILED:
            return None if record is None else record.result
        failure = _failure_of(record)
        error = {
            "error": f"{failure.type}: {failure.message}",
            "retries": 0,
            "traceback": failure.stack_trace,
            "task_id": job_id,
        }
        return self._converter.encode_tagged(Error(error))

    def delete_data(self, key: Any) -> bool:
        """Remove a value; a lock is left alone by a run that lost its lease."""
        lease = current_lease.get()
        space = self._space(key)
        if space == "lock" and lease is not None and lease.lost:
            return False
        return self.store.delete_value(space, _text(key))

    def has_data_for_key(self, key: Any) -> bool:
        """Return whether a value exists."""
        return bool(self.peek_many([key]))

    def put_if_empty(self, key: Any, value: bytes, ttl: float | None = None) -> bool:
        """Set a value unless one exists. Inside a job, a lock belongs to its lease."""
        space, lease = self._space(key), current_lease.get()
        owner = (lease.job.id, lease.job.token) if lease and space == "lock" else None
        ttl_ms = None if ttl is None else round(ttl * 1000)
        return self.store.put_value_if_absent(
            space, _text(key), value, ttl_ms=ttl_ms, lease=owner
        )

    def incr(self, key: Any, amount: int = 1) -> int:
        """Add to a counter and return it."""
        return self.store.increment("counter", _text(key), amount)

    def delete_counter(self, key: Any) -> bool:
        """Remove a counter."""
        return self.store.delete_value("counter", _text(key))

    def result_store_size(self) -> int:
        """Return how many values exist."""
        return len(self.result_items())

    def result_items(self) -> dict[str, bytes]:
        """Return all values."""
        spaces = ("result", "revoked", "lock")
        return {k: v for space in spaces for k, v in self._values(space)}

    def _values(self, space: str) -> Iterator[tuple[str, bytes]]:
        yield from self.store.list_values(space).items()

    def flush_results(self) -> None:
        """Delete all values."""
        for space in ("result", "revoked", "lock", "join"):
            self.store.flush_values(space)

    def flush_counters(self) -> None:
        """Delete all counters."""
        self.store.flush_values("counter")

    def flush_all(self) -> None:
        """Delete everything."""
        self.store.wipe()

    # -- inside ----------------------------------------------------------------------

    def records(
        self, state: JobState, limit: int | None = None, *, queue: str | None = None
    ) -> list[JobRecord]:
        """Return jobs of this instance's queue in a state, in the store's order."""
        jobs: list[JobRecord] = []
        cursor: str | None = None
        while limit is None or len(jobs) < limit:
            step = MAX_STEP if limit is None else min(limit - len(jobs), MAX_STEP)
            page = self.store.list_jobs(
                queue or self.queue, state, limit=step, cursor=cursor
            )
            jobs += page.jobs
            cursor = page.cursor
            if cursor is None:
                break
        return jobs

    def _count(self, queue: str, state: JobState) -> int:
        info = self.store.get_queue(queue)
        return info.counts[state] if info else 0

    def _add(
        self,
        data: bytes,
        *,
        priority: float,
        queue: str | None = None,
        headers: bytes = b"",
    ) -> None:
        job = NewJob(
            id=new_id(),
            queue=queue or self.queue,
            type=RAW_TYPE,
            payload=bytes(data),
            headers=headers,
            priority=priority,
        )
        self.store.enqueue([job], request_id=new_id())

    def _ms(self, ts: dt.datetime) -> int:
        if ts.tzinfo is None and self._utc:
            ts = ts.replace(tzinfo=dt.UTC)
        return round(ts.timestamp() * 1000)

    def _space(self, key: Any) -> str:
        name = _text(key)
        if name.startswith(("r:", "rt:")):
            return "revoked"
        return "lock" if name.startswith(self._lock_prefix) else "result"


def _failure_of(record: JobRecord) -> Failure:
    """Return why a job is dead: its last error, or the reason if it raised none."""
    if record.failure:
        return Failure.from_json(record.failure)
    return Failure(type="DeadLetter", message=str(record.reason))


def _text(key: Any) -> str:
    return key.decode() if isinstance(key, bytes) else str(key)
