"""How leases end: the moves that settlements and the sweep are made of.

The moves are collected and written together, in few statements, by `flush`. Whoever
reads jobs in between flushes first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from workflows.engine.histogram import bucket
from workflows.engine.states import DeadReason, JobState
from workflows.store import MAX_HISTORY
from workflows.stores.sqlite.transaction import Transaction

HELD_COLUMNS = """
n, id, queue, token, attempts, stalls, max_stalls, releases, history, ready_at,
started_at, owner, seq, cancel_requested, settled_token, lease_until, lease_ms, extended
"""
_FINISH = """
UPDATE jobs SET state = ?, finished_at = ?, reason = ?, result = ?, attempts = ?,
    stalls = ?, releases = ?, history = ?, failure = coalesce(?, failure),
    settled_token = ?, token = NULL, lease_until = NULL, cancel_requested = 0
WHERE n = ?
"""
_PEND = """
UPDATE jobs SET state = ?, seq = ?, run_at = ?, ready_at = ?, attempts = ?,
    stalls = ?, releases = ?, history = ?, failure = coalesce(?, failure),
    settled_token = ?, token = NULL, lease_until = NULL, cancel_requested = 0
WHERE n = ?
"""
_RECORD = """
INSERT INTO attempts (job, k, attempt, started_at, ended_at, owner, outcome, failure)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


@dataclass(slots=True)
class Held:
    """An active job, as far as the end of its lease concerns it."""

    n: int
    id: str
    queue: str
    token: str
    attempts: int
    stalls: int
    max_stalls: int
    releases: int
    history: int
    ready_at: int
    started_at: int
    owner: str
    seq: int
    cancel_requested: int
    settled_token: str | None
    lease_until: int
    lease_ms: int
    extended: int
    failure: bytes | None = None  # of this run


class Endings:
    """Collects the ends of leases of one operation."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._finished: list[tuple[Any, ...]] = []
        self._pending: list[tuple[Any, ...]] = []
        self._attempts: list[tuple[Any, ...]] = []
        self._freed: list[tuple[str, str]] = []
        self._overlong: list[tuple[int, int]] = []

    def flush(self) -> None:
        """Write what was collected."""
        for sql, rows in (
            (_FINISH, self._finished),
            (_PEND, self._pending),
            (_RECORD, self._attempts),
            ("DELETE FROM attempts WHERE job = ? AND k <= ?", self._overlong),
        ):
            if rows:
                self._tx.executemany(sql, rows)
                rows.clear()
        free_values(self._tx, self._freed)
        self._freed.clear()

    # -- history --

    def record(self, held: Held, outcome: str, failure: bytes = b"") -> None:
        """Add the run that ends now to the job's history."""
        if failure:
            held.failure = failure
        self._attempts.append(
            (
                held.n,
                held.history,
                held.attempts + 1,
                held.started_at,
                self._tx.now,
                held.owner,
                outcome,
                failure,
            )
        )
        held.history += 1
        if held.history > MAX_HISTORY:
            self._overlong.append((held.n, held.history - 1 - MAX_HISTORY))

    def spend(self, held: Held, outcome: str, failure: bytes = b"") -> None:
        """Record a run that spends its attempt, and measure it."""
        self.record(held, outcome, failure)
        tx = self._tx
        tx.tally(held.queue, f"w{bucket(held.started_at - held.ready_at)}")
        tx.tally(held.queue, f"r{bucket(tx.now - held.started_at)}")
        held.attempts += 1

    # -- moves --

    def free(self, held: Held) -> None:
        """The lease's values go with it."""
        self._freed.append((held.id, held.token))

    def complete(self, held: Held, result: bytes | None) -> None:
        """The job is done."""
        self.spend(held, "completed")
        self._finish(held, JobState.COMPLETED, result=result)

    def expire(self, held: Held) -> None:
        """The job was found expired; it did not run."""
        self._finish(held, JobState.EXPIRED)

    def cancel(self, held: Held, failure: bytes = b"") -> None:
        """The run ends because somebody asked to cancel the job."""
        self.record(held, "cancelled", failure)
        self._finish(held, JobState.CANCELLED)

    def die(self, held: Held, reason: DeadReason) -> None:
        """The job becomes a dead letter of its queue."""
        self._tx.total(held.queue, f"dead:{reason.value}", "dead")
        self._finish(held, JobState.FAILED, reason=reason)

    def stall(self, held: Held) -> JobState:
        """A run ended without a word: wait again, or die of it once too often."""
        held.stalls += 1
        self.record(held, "stalled")
        self._tx.total(held.queue, "stalled", "stalled")
        if held.stalls > held.max_stalls:
            self.die(held, DeadReason.STALLED)
            return JobState.FAILED
        held.ready_at = self._tx.now
        return self.give_back(held)

    def give_back(self, held: Held) -> JobState:
        """Wait again, in the old place."""
        return self._pend(held, JobState.WAITING, held.seq, None)

    def pend(self, held: Held, run_at: int) -> JobState:
        """Wait, or be delayed if `run_at` is in the future, in a new place."""
        seq = self._tx.next_seq()
        if run_at > self._tx.now:
            held.ready_at = run_at
            return self._pend(held, JobState.DELAYED, seq, run_at)
        held.ready_at = self._tx.now
        return self._pend(held, JobState.WAITING, seq, None)

    def _finish(
        self,
        held: Held,
        state: JobState,
        *,
        reason: DeadReason | None = None,
        result: bytes | None = None,
    ) -> None:
        self._tx.moved(held.queue, JobState.ACTIVE, state)
        if state is not JobState.FAILED:
            self._tx.total(held.queue, state.value, state.value)
        self._finished.append(
            (
                state.value,
                self._tx.now,
                reason and reason.value,
                result,
                held.attempts,
                held.stalls,
                held.releases,
                held.history,
                held.failure,
                held.settled_token,
                held.n,
            )
        )

    def _pend(
        self, held: Held, state: JobState, seq: int, run_at: int | None
    ) -> JobState:
        self._tx.moved(held.queue, JobState.ACTIVE, state)
        self._pending.append(
            (
                state.value,
                seq,
                run_at,
                held.ready_at,
                held.attempts,
                held.stalls,
                held.releases,
                held.history,
                held.failure,
                held.settled_token,
                held.n,
            )
        )
        return state


def free_values(tx: Transaction, leases: Iterable[tuple[str, str]]) -> None:
    """Delete the values (Huey's locks) that belong to these leases."""
    if tx.execute("SELECT 1 FROM kv WHERE job_id IS NOT NULL LIMIT 1").fetchone():
        tx.executemany("DELETE FROM kv WHERE job_id = ? AND token = ?", leases)
