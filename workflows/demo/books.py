"""All that was written: the marketplace's rows, and what the queues say of them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec
from sqlalchemy import select

from workflows.engine.failure import Failure
from workflows.engine.states import JobState
from workflows.huey import WorkflowHuey
from workflows.marketplace import tables
from workflows.marketplace.change import LIFECYCLE_QUEUE, MESSAGE_QUEUE
from workflows.marketplace.message import MessageStatus
from workflows.marketplace.ports import Storage
from workflows.store import MAX_STEP, JobRecord, QueueInfo, RunStatus, Store

Row = dict[str, Any]
SWEPT_QUEUES = ("bidding-timeout", "wholesaler-confirmation-timeout")
LIVE = frozenset({JobState.WAITING, JobState.DELAYED, JobState.ACTIVE})
PENDING = frozenset(
    {
        MessageStatus.QUEUED,
        MessageStatus.PARKED,
        MessageStatus.SENDING,
        MessageStatus.AMBIGUOUS,
    }
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that will not run again by itself."""

    job_id: str
    queue: str
    reason: str
    said: str


@dataclass(frozen=True, kw_only=True)
class Books:
    """Everything at one moment.

    `slack`: how late, by the marketplace's clock, something may be before it counts
    as stuck. `running`, `broken`: ids of orders whose workflow is open, or has failed.
    `live`: which jobs of pending messages are in a queue.
    """

    now: datetime
    slack: timedelta
    rows: Mapping[str, Sequence[Row]]
    dead: Sequence[DeadLetter] = ()
    counts: Mapping[str, Mapping[str, int]]
    running: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    live: frozenset[str] = frozenset()
    faults: Sequence[str] = ()
    rescued: int = 0  # times that a sweep acted in the place of a timer

    def by(self, table: str, column: str) -> dict[Any, list[Row]]:
        """Return a table's rows by what they have in a column."""
        found = defaultdict(list)
        for row in self.rows[table]:
            found[row[column]].append(row)
        return found

    @cached_property
    def orders(self) -> dict[str, Row]:
        """Orders by id."""
        return {row["id"]: row for row in self.rows["orders"]}

    @cached_property
    def postings(self) -> frozenset[str]:
        """The keys of all that was posted."""
        return frozenset(row["key"] for row in self.rows["ledger_transactions"])


def read_books(
    storage: Storage, huey: WorkflowHuey, now: datetime, *, slack: timedelta
) -> Books:
    """Read the database in one transaction, then the store."""
    store = huey.store
    with storage.begin() as work:
        rows = {
            name: [dict(row) for row in work.connection.execute(select(t)).mappings()]
            for name, t in tables.metadata.tables.items()
        }
    jobs = (f"{MESSAGE_QUEUE}:{row['id']}" for row in _pending(rows["messages"]))
    queues = [queue.name for queue in store.list_queues()]
    return Books(
        now=now,
        slack=slack,
        rows=rows,
        dead=tuple(_dead_letters(store, queues)),
        counts={queue.name: _counts(queue) for queue in store.list_queues()},
        running=frozenset(_orders_of_runs(store, RunStatus.RUNNING)),
        broken=frozenset(_orders_of_runs(store, RunStatus.FAILED)),
        live=frozenset(one for one in jobs if _is_live(store.get_job(one))),
        faults=tuple(store.fsck()),
        rescued=sum(_rescued(huey, queue) for queue in SWEPT_QUEUES),
    )


def _counts(queue: QueueInfo) -> dict[str, int]:
    return {str(state): count for state, count in queue.counts.items()}


def _jobs(store: Store, queue: str, state: JobState) -> Iterator[JobRecord]:
    cursor: str | None = None
    while True:
        page = store.list_jobs(queue, state, limit=MAX_STEP, cursor=cursor)
        yield from page.jobs
        if (cursor := page.cursor) is None:
            break


def _rescued(huey: WorkflowHuey, queue: str) -> int:
    """Add up what the sweeps of a queue say that they did."""
    total = 0
    for job in _jobs(huey.store, queue, JobState.COMPLETED):
        said = huey.serializer.deserialize(job.result) if job.result else {}
        parts = [said, *said.values()] if isinstance(said, dict) else []
        swept = (part for part in parts if isinstance(part, dict))
        total += sum(part.get("rescued", 0) for part in swept)
    return total


def _pending(messages: Sequence[Row]) -> Iterator[Row]:
    return (row for row in messages if row["status"] in PENDING)


def _is_live(job: JobRecord | None) -> bool:
    return job is not None and job.state in LIVE


def _dead_letters(store: Store, queues: Sequence[str]) -> Iterator[DeadLetter]:
    for queue in queues:
        for job in _jobs(store, queue, JobState.FAILED):
            yield DeadLetter(job.id, queue, str(job.reason or ""), _said(job))


def _said(job: JobRecord) -> str:
    try:
        failure = msgspec.json.decode(job.failure, type=Failure)
    except msgspec.MsgspecError:
        return ""
    return failure.message or failure.type


def _orders_of_runs(store: Store, status: RunStatus) -> Iterator[str]:
    cursor: str | None = None
    while True:
        page = store.list_runs(
            status=status, type=LIFECYCLE_QUEUE, limit=MAX_STEP, cursor=cursor
        )
        for run in page.runs:
            yield run.workflow_id.removeprefix("order:")
        if (cursor := page.cursor) is None:
            break
