"""What is to be seen."""

from workflows.engine.states import JobState
from workflows.exceptions import NotFoundError
from workflows.store import (
    MAX_STEP,
    JobPage,
    JobRecord,
    LogPage,
    Minute,
    QueueInfo,
    WorkerInfo,
)
from workflows.stores import validation
from workflows.stores.redis import records
from workflows.stores.redis.connection import Connections
from workflows.stores.redis.scripts import Scripts

_QUEUES_AT_ONCE = 50


class Reads:
    """Reads; nothing here creates anything."""

    _scripts: Scripts
    _connections: Connections

    def now(self) -> int:
        """See `workflows.store.Store.now`."""
        now: int = self._scripts.run("now")
        return now

    def get_job(self, job_id: str) -> JobRecord | None:
        """See `workflows.store.Store.get_job`."""
        flat, lease_end = self._scripts.run("get_job", job_id)
        if not flat:
            return None
        return records.job_record(job_id, records.as_fields(flat), lease_end)

    def list_jobs(
        self, queue: str, state: JobState, *, limit: int = 50, cursor: str | None = None
    ) -> JobPage:
        """See `workflows.store.Store.list_jobs`."""
        validation.check_limit(limit)
        seen = records.read_cursor(cursor, state) if cursor is not None else ()
        rows, more = self._scripts.run("list_jobs", queue, state.value, limit, *seen)
        jobs = tuple(
            records.job_record(id.decode(), records.as_fields(flat), score)
            for id, flat, score, _ in rows
        )
        following = None
        if more:
            _, _, score, member = rows[-1]
            following = records.make_cursor(state, score, member)
        return JobPage(jobs, following)

    def list_log(
        self, job_id: str, *, after: int = 0, limit: int = MAX_STEP
    ) -> LogPage:
        """See `workflows.store.Store.list_log`."""
        validation.check_lines(after, limit)
        reply = self._scripts.run("list_log", job_id, after, limit)
        if reply is None:
            msg = f"there is no job {job_id!r}"
            raise NotFoundError(msg)
        first, lines, more = reply
        return LogPage(
            tuple(records.log_line(n, line) for n, line in enumerate(lines, first)),
            bool(more),
        )

    def list_queues(self) -> list[QueueInfo]:
        """See `workflows.store.Store.list_queues`."""
        known = self._connections.execute("SMEMBERS", self._scripts.prefix + b"queues")
        names = sorted(name.decode() for name in known)
        return [
            info
            for first in range(0, len(names), _QUEUES_AT_ONCE)
            for info in self._queues(names[first : first + _QUEUES_AT_ONCE])
        ]

    def get_queue(self, queue: str) -> QueueInfo | None:
        """See `workflows.store.Store.get_queue`."""
        found = self._queues([queue])
        return found[0] if found else None

    def _queues(self, names: list[str]) -> list[QueueInfo]:
        rows = self._scripts.run("get_queues", names)
        return [records.queue_info(row) for row in rows]

    def series(self, queue: str, *, since_minute: int) -> list[Minute]:
        """See `workflows.store.Store.series`."""
        validation.check_minute(since_minute)
        minutes: list[Minute] = []
        while True:
            rows = self._scripts.run("series", queue, since_minute)
            minutes += [found for row in rows if (found := records.minute(row)).counts]
            if len(rows) < MAX_STEP:
                return minutes
            since_minute = int(rows[-1][0]) + 1

    def list_workers(self) -> list[WorkerInfo]:
        """See `workflows.store.Store.list_workers`."""
        rows = self._scripts.run("list_workers")
        return sorted((records.worker(row) for row in rows), key=lambda w: w.owner)
