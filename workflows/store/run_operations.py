"""The store's operations on workflow runs; see `workflows.store.runs` for the rules.

The workflow task itself is a job: claimed by `exchange`, ended by a `Commit` there.
"""

from collections.abc import Mapping
from typing import Protocol

from workflows.store.claims import Beat
from workflows.store.limits import MAX_STEP
from workflows.store.records import Step
from workflows.store.runs import (
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
)


class Runs(Protocol):
    """Runs: start, send, close, read. Request ids as in `Store.enqueue`.

    Those of starts, sends and closes are kept apart.
    """

    # -- clients --

    def start_run(self, start: StartRun, *, request_id: str) -> Started:
        """Create a run with its first event and its workflow-task job, or refuse.

        Atomic, policies and signal included. A repeat of `request_id` (held per
        workflow id) returns the same answer, a refusal too, and writes nothing.

        Raises:
            InvalidArgumentError: an id that exists as another run's, or a bad value.
            ConflictError: another run is open than the one that it would replace.
            StoreFullError: at the memory limit; nothing was started.
            InboxFullError: the open run has no room for the signal.
        """

    def send_to_run(self, run: RunRef, entry: InboxEntry, *, request_id: str) -> str:
        """Append an entry to the inbox of an open run; return its run id.

        `request_id` is held per workflow id over all its runs: a repeat returns the
        same run id and appends nothing, even if that run has closed since.

        Raises:
            NotFoundError: no such run.
            ConflictError: it is closed.
            StoreFullError: at the memory limit, unless it is a `cancel` entry.
            InboxFullError: as many as its `max_waiting` are in the inbox.
        """

    def close_run(self, run: RunRef, close: Close, *, request_id: str) -> str:
        """Close an open run from outside (terminate, time out); return its run id.

        Its workflow task, if one is running, is thereby lost. A repeat of
        `request_id` returns the same. Raises NotFoundError, and ConflictError: it is
        closed, or not as the close has `seen` it (that is not remembered).
        """

    # -- workers --

    def beat(self, job_id: str, token: str, details: bytes) -> Beat:
        """Record a heartbeat of an activity (also a detached one): details and time.

        Moves its deadline, not its lease. Nothing changes if the token does not hold.
        """

    def list_overdue(self, *, limit: int = MAX_STEP) -> list[Overdue]:
        """Return open runs and activities whose deadline is not in the future.

        Oldest deadline first. Only reads: whoever asked closes or settles them, which
        the fences make safe for any number of askers.
        """

    def list_unknown(self, *, grace_ms: int) -> list[tuple[str, str]]:
        """Return (queue, type) of waiting activities and workflow tasks nobody knows.

        `grace_ms`: for how long no living worker has, as `bury_unknown` found when it
        last ran; what it says of time holds here. Only reads: whoever asked claims
        them, and fails them. In order, at most MAX_STEP.
        """

    # -- reads --

    def get_run(self, run: RunRef) -> RunRecord | None:
        """Return one run."""

    def load_run(self, run_id: str, *, start: int = 1) -> LoadedRun | None:
        """Return a run with its events numbered from `start`, and its whole inbox."""

    def read_history(
        self, run_id: str, *, start: int = 1, limit: int = MAX_STEP
    ) -> tuple[bytes, ...]:
        """Return at most `limit` events numbered from `start`; none if no such run."""

    def pending_work(self, run_id: str) -> PendingWork | None:
        """Return what a run waits for."""

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
        """Return runs that match all that is given, by (start, run id), last first.

        A page may be short or empty while its cursor says that more may come.
        """

    def count_runs(self) -> Mapping[RunStatus, int]:
        """Return how many runs are kept per status, from counters; 0 is left out."""

    def wait_run(self, run_id: str, *, length: int, timeout_s: float) -> bool:
        """Block until a run has more than `length` events or is closed, or timeout.

        `UNTIL_CLOSED` as the length waits for the close alone, and wakes for nothing
        else.
        Only a hint, as `wait`; returns whether it may have changed.
        """

    def wait_value(self, space: str, key: str, *, timeout_s: float) -> bytes | None:
        """Block until a value exists, and pop it; None at the timeout."""

    # -- upkeep --

    def prune_runs(self, *, age_ms: int, limit: int = MAX_STEP) -> Step:
        """Delete runs that closed more than `age_ms` ago, oldest first.

        Of one workflow id, those that closed in one ms go in the order of their starts.
        Jobs that are left of them go too (detached activities, queries).
        A workflow id whose newest run goes is unknown from then on.
        """
