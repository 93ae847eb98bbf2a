"""What dashboards and waiters read: queues, minutes, and what may be claimed."""

from collections.abc import Mapping, Sequence

from workflows.engine.states import JobState
from workflows.store import JobRecord, Minute, QueueInfo, QueueLimits
from workflows.stores.sqlite.claiming import Heads, exempt_types, next_due
from workflows.stores.sqlite.listing import read_jobs, types_of
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.queues import (
    SELECT_ALL,
    QueueState,
    lingering,
    read_queue,
)
from workflows.stores.sqlite.timers import next_due as next_timer


def get_job(connection: Connection, job_id: str) -> JobRecord | None:
    """Return one job."""
    row = connection.execute("SELECT n FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return read_jobs(connection, [row[0]])[0] if row else None


def list_queues(connection: Connection) -> list[QueueInfo]:
    """Return every known queue, by name."""
    rows = connection.execute(SELECT_ALL).fetchall()
    return [_info(connection, QueueState(*row)) for row in rows]


def get_queue(connection: Connection, name: str) -> QueueInfo | None:
    """Return one queue."""
    queue = read_queue(connection, name)
    return _info(connection, queue) if queue else None


def _info(connection: Connection, queue: QueueState) -> QueueInfo:
    counters = dict(
        connection.execute("SELECT key, n FROM counters WHERE queue = ?", (queue.name,))
    )
    return QueueInfo(
        name=queue.name,
        counts={state: counters.get(f"state:{state}", 0) for state in JobState},
        totals={
            key.removeprefix("total:"): number
            for key, number in counters.items()
            if key.startswith("total:")
        },
        paused=bool(queue.paused),
        paused_by=queue.paused_by,
        limits=QueueLimits(
            concurrency=queue.concurrency,
            rate_max=queue.rate_max,
            rate_ms=queue.rate_ms,
        ),
        overridden=bool(queue.overridden),
        oldest_waiting_at=_oldest(connection, queue.name),
    )


def _oldest(connection: Connection, queue: str) -> int | None:
    """Return the smallest `ready_at` among the heads of a queue's types."""
    times = []
    for name in types_of(connection, queue, JobState.WAITING):
        heads = Heads(connection, queue, (name,))
        head = next(heads)
        heads.close()
        (ready_at,) = connection.execute(
            "SELECT ready_at FROM jobs WHERE n = ?", (head.n,)
        ).fetchone()
        times.append(ready_at)
    return min(times, default=None)


def series(connection: Connection, queue: str, since_minute: int) -> list[Minute]:
    """Return the minutes of a queue that have counts."""
    minutes: dict[int, dict[str, int]] = {}
    for minute, key, number in connection.execute(
        "SELECT minute, key, n FROM minutes WHERE queue = ? AND minute >= ? "
        "ORDER BY minute",
        (queue, since_minute),
    ):
        minutes.setdefault(minute, {})[key] = number
    return [Minute(minute, counts) for minute, counts in minutes.items()]


def claimable_at(
    connection: Connection, now: int, queues: Mapping[str, Sequence[str]]
) -> int | None:
    """Return when a job of these queues and types may be claimable; None: unknown."""
    times = [
        at
        for name, types in queues.items()
        if (at := _claimable_at(connection, now, name, types)) is not None
    ]
    timer_at = next_timer(connection)
    if timer_at is not None:
        times.append(timer_at)
    return min(times, default=None)


def _claimable_at(
    connection: Connection, now: int, name: str, types: Sequence[str]
) -> int | None:
    queue = read_queue(connection, name)
    if queue is None or queue.paused:
        return None
    if not queue.room(now, _held(connection, queue)):
        exempt = exempt_types(connection, name, types)
        return now if exempt else queue.window_end(now)
    heads = Heads(connection, name, types)
    head = next(heads, None)
    heads.close()
    return now if head else next_due(connection, name, types)


def _held(connection: Connection, queue: QueueState) -> int:
    """Return how many places of a limited queue are taken."""
    if queue.concurrency is None:
        return 0
    (places,) = connection.execute(
        "SELECT coalesce(sum(iif(key = 'state:active', n, -n)), 0) FROM counters "
        "WHERE queue = ? AND key IN ('state:active', 'exempt:active')",
        (queue.name,),
    ).fetchone()
    return lingering(connection, queue.name) + int(places)
