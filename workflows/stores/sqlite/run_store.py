"""The run operations of `SqliteStore`, each handed to the module that does it."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from workflows.store import (
    MAX_STEP,
    UNTIL_CLOSED,
    Beat,
    Close,
    InboxEntry,
    LoadedRun,
    Overdue,
    PendingWork,
    RunPage,
    RunRecord,
    RunRef,
    RunStatus,
    Started,
    StartRun,
    Step,
)
from workflows.stores import run_validation, validation
from workflows.stores.sqlite import activities, closing, run_reads, starting, unknown
from workflows.stores.sqlite.group_commit import Operation
from workflows.stores.sqlite.news import run_topic, value_topic
from workflows.stores.sqlite.run_retention import prune_runs
from workflows.stores.sqlite.values import get_values
from workflows.stores.sqlite.waiting import Waiters

T = TypeVar("T")


class RunStore(ABC):
    """Runs in one SQLite file; see `workflows.store.run_operations`."""

    _waiters: Waiters

    @abstractmethod
    def _write(self, operation: Operation[T]) -> T: ...

    @abstractmethod
    def _say(self, operation: Operation[T]) -> T: ...

    @abstractmethod
    def _read(self, read: Callable[..., T], *arguments: Any) -> T: ...

    @abstractmethod
    def _read_at(self, read: Callable[..., T], *arguments: Any) -> T: ...

    @abstractmethod
    def pop_value(self, space: str, key: str) -> bytes | None:
        """Remove a value and return it."""

    # -- clients --

    def start_run(self, start: StartRun, *, request_id: str) -> Started:
        """Start a run; see `Runs`."""
        run_validation.check_start(start)
        validation.check_text("a request id", request_id)
        return self._say(lambda tx: starting.start_run(tx, start, request_id))

    def send_to_run(self, run: RunRef, entry: InboxEntry, *, request_id: str) -> str:
        """Append to the inbox of an open run; see `Runs`."""
        run_validation.check_ref(run)
        run_validation.check_entry(entry)
        validation.check_text("a request id", request_id)
        return self._say(lambda tx: starting.send(tx, run, entry, request_id))

    def close_run(self, run: RunRef, close: Close, *, request_id: str) -> str:
        """Close an open run from outside; see `Runs`."""
        run_validation.check_ref(run)
        run_validation.check_close(close, run.workflow_id)
        validation.check_text("a request id", request_id)
        return self._write(lambda tx: closing.close_run(tx, run, close, request_id))

    # -- workers --

    def beat(self, job_id: str, token: str, details: bytes) -> Beat:
        """Record a heartbeat of an activity; see `Runs`."""
        return self._say(lambda tx: activities.beat(tx, job_id, token, details))

    def list_unknown(self, *, grace_ms: int) -> list[tuple[str, str]]:
        """Return types of activities and tasks that nobody knows; see `Store`."""
        validation.check_grace(grace_ms)
        return self._read_at(unknown.list_unknown, grace_ms)

    def list_overdue(self, *, limit: int = MAX_STEP) -> list[Overdue]:
        """Return what is past a deadline; see `Runs`."""
        validation.check_limit(limit)
        return self._read_at(run_reads.list_overdue, limit)

    # -- reads --

    def get_run(self, run: RunRef) -> RunRecord | None:
        """Return one run."""
        return self._read(run_reads.get_run, run)

    def load_run(self, run_id: str, *, start: int = 1) -> LoadedRun | None:
        """Return a run with its events and its inbox; see `Runs`."""
        return self._read_at(run_reads.load_run, run_id, start)

    def read_history(
        self, run_id: str, *, start: int = 1, limit: int = MAX_STEP
    ) -> tuple[bytes, ...]:
        """Return events of a run; see `Runs`."""
        validation.check_limit(limit)
        return self._read(run_reads.read_history, run_id, start, limit)

    def pending_work(self, run_id: str) -> PendingWork | None:
        """Return what a run waits for."""
        return self._read(run_reads.pending_work, run_id)

    def list_runs(
        self,
        *,
        status: RunStatus | None = None,
        type: str | None = None,
        workflow_id: str | None = None,
        parent_run_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> RunPage:
        """Return a page of runs; see `Runs`."""
        validation.check_limit(limit)
        filters = {
            "status": status,
            "type": type,
            "workflow_id": workflow_id,
            "parent_run_id": parent_run_id,
        }
        return self._read(run_reads.list_runs, filters, limit, cursor)

    def count_runs(self) -> Mapping[RunStatus, int]:
        """Return how many runs are kept per status."""
        return self._read(run_reads.count_runs)

    def wait_run(self, run_id: str, *, length: int, timeout_s: float) -> bool:
        """Block until a run has changed; see `Runs`."""

        def look() -> bool:
            return self._read(run_reads.changed, run_id, length)

        if length < UNTIL_CLOSED:
            return self._waiters.wait_until(look, run_topic(run_id), timeout_s)
        return self._waiters.wait_end(look, run_id, timeout_s)

    def wait_value(self, space: str, key: str, *, timeout_s: float) -> bytes | None:
        """Block until a value exists, and pop it; see `Runs`."""
        deadline = time.monotonic() + timeout_s
        while True:
            there = self._waiters.wait_until(
                lambda: bool(self._read_at(get_values, space, [key])),
                value_topic(space, key),
                max(0.0, deadline - time.monotonic()),
            )
            value = self.pop_value(space, key) if there else None
            if value is not None or not there:
                return value

    # -- upkeep --

    def prune_runs(self, *, age_ms: int, limit: int = MAX_STEP) -> Step:
        """Delete runs that closed long ago; see `Runs`."""
        validation.check_limit(limit)
        return self._write(lambda tx: prune_runs(tx, age_ms, limit))
