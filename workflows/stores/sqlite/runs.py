"""Runs as rows: found, created, changed; each is read and written once per operation.

What an operation changes of a run is collected in its `Run` and written by `flush`.
Whoever reads the table of runs in between flushes first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from workflows.exceptions import InvalidArgumentError
from workflows.store import NewRun, Parent, RunRecord, RunRef, RunStatus
from workflows.stores.sqlite.news import end_topic, run_topic
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.transaction import Transaction

RUN_BITS = 22  # of the numbers of events and inbox entries, see the schema
MAX_IN_RUN = 2**RUN_BITS - 1

_COLUMNS = """
n, run_id, workflow_id, first_run_id, type, task_queue, task_type, status, started_at,
closed_at, length, size, last_at, inbox_seq, deadline_at, cancel_requested,
priority, parent_workflow_id, parent_run_id, next_run_id, failure, info
"""
SELECT_RUNS = f"SELECT {_COLUMNS} FROM runs "  # noqa: S608 - columns of this module
_INSERT = f"""
INSERT INTO runs ({_COLUMNS})
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # noqa: S608 - columns of this module
_CHANGES = """
length = ?, size = ?, last_at = ?, inbox_seq = ?, cancel_requested = ?, failure = ?,
info = ?
"""
_UPDATE = f"UPDATE runs SET {_CHANGES} WHERE n = ?"  # noqa: S608 - columns of this module
_CLOSE = f"""
UPDATE runs SET {_CHANGES}, status = ?, closed_at = ?, next_run_id = ? WHERE n = ?
"""  # noqa: S608 - columns of this module
_EVENT = "INSERT INTO events (n, data) VALUES (?, ?)"


@dataclass(slots=True)
class Run:
    """The row of a run, as it will be at the end of the operation."""

    n: int
    run_id: str
    workflow_id: str
    first_run_id: str
    type: str
    task_queue: str
    task_type: str
    status: str
    started_at: int
    closed_at: int | None
    length: int
    size: int
    last_at: int
    inbox_seq: int
    deadline_at: int | None
    cancel_requested: int
    priority: float
    parent_workflow_id: str | None
    parent_run_id: str | None
    next_run_id: str | None
    failure: bytes
    info: bytes
    changed: bool = False
    closes: bool = False  # now

    @property
    def open(self) -> bool:
        """Whether it is not closed."""
        return self.closed_at is None

    def place(self, number: int) -> int:
        """Return the key of its event or inbox entry of this number."""
        return (self.n << RUN_BITS) + number


class Runs:
    """The runs that one operation is about."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self._by_n: dict[int, Run] = {}
        self._by_id: dict[str, Run] = {}

    # -- finding --

    def by_id(self, run_id: str) -> Run | None:
        """Return a run that exists."""
        return self._by_id.get(run_id) or self._read("WHERE run_id = ?", run_id)

    def by_number(self, n: int) -> Run | None:
        """Return a run that exists."""
        return self._by_n.get(n) or self._read("WHERE n = ?", n)

    def current(self, workflow_id: str) -> Run | None:
        """Return the newest run of a workflow id."""
        row = self.tx.execute(
            "SELECT max(n) FROM runs WHERE workflow_id = ?", (workflow_id,)
        ).fetchone()
        return None if row[0] is None else self.by_number(row[0])

    def resolve(self, ref: RunRef) -> Run | None:
        """Return the run that is meant."""
        if ref.run_id is None:
            run = self.current(ref.workflow_id)
        else:
            run = self.by_id(ref.run_id)
        if run is None or not matches(ref, run):
            return None
        return run

    def _read(self, where: str, key: str | int) -> Run | None:
        row = self.tx.execute(SELECT_RUNS + where, (key,)).fetchone()
        if row is None:
            return None
        known = self._by_n.get(row[0])
        return known or self._keep(Run(*row))

    def _keep(self, run: Run) -> Run:
        self._by_n[run.n] = self._by_id[run.run_id] = run
        return run

    # -- writing --

    def insert(self, new: NewRun) -> Run:
        """Create an open run with its first event. Its id must be free."""
        tx = self.tx
        deadline_at = new.deadline_at
        if new.deadline_ms is not None:
            deadline_at = tx.now + new.deadline_ms
        parent = new.parent
        run = Run(
            n=tx.next_seq(),
            run_id=new.run_id,
            workflow_id=new.workflow_id,
            first_run_id=new.first_run_id or new.run_id,
            type=new.type,
            task_queue=new.task_queue,
            task_type=new.task_type,
            status=RunStatus.RUNNING.value,
            started_at=tx.now,
            closed_at=None,
            length=1,
            size=len(new.started),
            last_at=tx.now,
            inbox_seq=0,
            deadline_at=deadline_at,
            cancel_requested=0,
            priority=new.priority,
            parent_workflow_id=parent.workflow_id if parent else None,
            parent_run_id=parent.run_id if parent else None,
            next_run_id=None,
            failure=b"",
            info=new.info,
        )
        tx.execute(_INSERT, _values(run))
        tx.execute(_EVENT, (run.place(1), new.started))
        tx.count_runs(run.status, 1)
        return self._keep(run)

    def add_events(self, run: Run, events: Iterable[bytes]) -> None:
        """Append events."""
        rows = []
        for data in events:
            run.length += 1
            run.size += len(data)
            rows.append((run.place(run.length), data))
        if run.length > MAX_IN_RUN:
            msg = f"run {run.run_id!r} has no room for {run.length} events"
            raise InvalidArgumentError(msg)
        if rows:
            run.changed = True
            self.tx.executemany(_EVENT, rows)

    def close(self, run: Run, status: RunStatus, next_run_id: str | None) -> None:
        """Give a run its end."""
        self.tx.count_runs(run.status, -1)
        self.tx.count_runs(status.value, 1)
        run.status, run.closed_at = status.value, self.tx.now
        run.next_run_id = next_run_id
        run.changed = run.closes = True

    def flush(self) -> None:
        """Write what was changed."""
        for run in self._by_n.values():
            if not run.changed:
                continue
            changes = _changes(run)
            if run.closes:
                self.tx.told.tell(end_topic(run.run_id))
                end = (run.status, run.closed_at, run.next_run_id)
                self.tx.execute(_CLOSE, (*changes, *end, run.n))
            else:
                self.tx.execute(_UPDATE, (*changes, run.n))
            run.changed = run.closes = False
            self.tx.told.tell(run_topic(run.run_id))


def matches(ref: RunRef, run: Run) -> bool:
    """Return whether all that a reference says is true of a run."""
    return run.workflow_id == ref.workflow_id and (
        ref.first_run_id is None or ref.first_run_id == run.first_run_id
    )


_values = attrgetter(*(name.strip() for name in _COLUMNS.split(",")))


def _changes(run: Run) -> tuple[Any, ...]:
    return (
        run.length,
        run.size,
        run.last_at,
        run.inbox_seq,
        run.cancel_requested,
        run.failure,
        run.info,
    )


def inbox_size(connection: Connection | Transaction, run: Run) -> int:
    """Return how many entries lie in a run's inbox."""
    (number,) = connection.execute(
        "SELECT count(*) FROM inbox WHERE n BETWEEN ? AND ?",
        (run.place(0), run.place(MAX_IN_RUN)),
    ).fetchone()
    return int(number)


def record(connection: Connection, run: Run, in_inbox: int | None = None) -> RunRecord:
    """Return a run as callers see it; `in_inbox`: entries there, if that is known."""
    if in_inbox is None:
        in_inbox = inbox_size(connection, run) if run.open else 0
    parent = None
    if run.parent_run_id is not None and run.parent_workflow_id is not None:
        parent = Parent(workflow_id=run.parent_workflow_id, run_id=run.parent_run_id)
    return RunRecord(
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        first_run_id=run.first_run_id,
        type=run.type,
        task_queue=run.task_queue,
        task_type=run.task_type,
        status=RunStatus(run.status),
        started_at=run.started_at,
        closed_at=run.closed_at,
        length=run.length,
        size=run.size,
        last_at=run.last_at,
        inbox=in_inbox,
        inbox_seq=run.inbox_seq,
        deadline_at=run.deadline_at,
        cancel_requested=bool(run.cancel_requested),
        priority=run.priority,
        parent=parent,
        next_run_id=run.next_run_id,
        info=run.info,
        failure=run.failure,
    )
