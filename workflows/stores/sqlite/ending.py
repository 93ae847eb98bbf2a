"""How leases end: the moves that settlements and the sweep are made of.

The moves are collected, and written and counted together, in few statements, by
`flush`. Whoever reads jobs in between flushes first.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from workflows.engine.histogram import bucket
from workflows.engine.states import PENDING, DeadReason, JobState
from workflows.store import MAX_HISTORY
from workflows.stores.sqlite.deadlines import arm
from workflows.stores.sqlite.kinds import ACTIVITY, IMMORTAL, QUERY, takes_place
from workflows.stores.sqlite.memory import remember_settled
from workflows.stores.sqlite.news import queue_topic
from workflows.stores.sqlite.transaction import Transaction

MAX_STALL_DELAY_MS = 60_000  # of a workflow task that takes its workers down
HELD_COLUMNS = """
n, id, queue, token, attempts, stalls, max_stalls, releases, history, ready_at,
started_at, owner, seq, cancel_requested, settled_token, lease_until, lease_ms,
extended, kind, run
"""
_COMPLETE = """
UPDATE jobs SET state = 'completed', finished_at = ?, result = ?, attempts = ?,
    settled_token = token, token = NULL, lease_until = NULL, cancel_requested = 0
WHERE n = ?
"""
_FINISH = """
UPDATE jobs SET state = ?, finished_at = ?, reason = ?, attempts = ?, stalls = ?,
    releases = ?, history = ?, failure = coalesce(?, failure), settled_token = ?,
    token = NULL, lease_until = NULL, cancel_requested = 0
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
_ANY_LEASED = "SELECT 1 FROM kv WHERE job_id IS NOT NULL LIMIT 1"
_DELETE = tuple(
    f"DELETE FROM {table} WHERE {column} = ?"  # noqa: S608 - text of this module
    for table, column in (("messages", "n"), ("jobs", "n"))
)
_DELETE_ATTEMPTS = "DELETE FROM attempts WHERE job = ?"
_SHORTEN = "DELETE FROM attempts WHERE job = ? AND k <= ?"


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
    kind: str | None  # None: plain
    run: int | None
    failure: bytes | None = None  # of this run


class Endings:
    """Collects the ends of leases of one operation."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = self._tx = tx
        self._rows: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self._freed: list[tuple[str, str]] = []
        self._pending: list[int] = []  # activities
        self._gone: list[tuple[Held, JobState]] = []  # engine-owned
        self._moves: defaultdict[tuple[str, JobState], int] = defaultdict(int)
        self._measures: defaultdict[tuple[str, int, int], int] = defaultdict(int)

    def flush(self) -> None:
        """Write what was collected."""
        tx = self._tx
        for sql, rows in self._rows.items():
            tx.executemany(sql, rows)
        self._rows.clear()
        if self._pending:
            arm(tx, self._pending)
            self._pending.clear()
        if self._gone:
            self._delete()
        for (queue, state), number in self._moves.items():
            tx.moved(queue, JobState.ACTIVE, state, number)
            if state not in PENDING and state is not JobState.FAILED:
                tx.total(queue, state, state, number)
        for (queue, waited, ran), number in self._measures.items():
            tx.tally(queue, f"w{waited}", number)
            tx.tally(queue, f"r{ran}", number)
        self._moves.clear()
        self._measures.clear()
        free_values(tx, self._freed)
        self._freed.clear()

    # -- history --

    def record(self, held: Held, outcome: str, failure: bytes = b"") -> None:
        """Add the run that ends now to the job's history."""
        if failure:
            held.failure = failure
        self._rows[_RECORD].append(
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
            self._rows[_SHORTEN].append((held.n, held.history - 1 - MAX_HISTORY))

    def spend(self, held: Held, outcome: str, failure: bytes) -> None:
        """Record a run that failed and spends its attempt, and measure it."""
        self.record(held, outcome, failure)
        self._measure(held)

    def _measure(self, held: Held) -> None:
        """Count a spent attempt: how long it waited and ran."""
        waited = bucket(held.started_at - held.ready_at)
        ran = bucket(self._tx.now - held.started_at)
        self._measures[held.queue, waited, ran] += 1
        held.attempts += 1

    # -- moves --

    def free(self, held: Held) -> None:
        """The lease's values go with it; one suspect fewer runs in its process."""
        if held.stalls:
            self._tx.told.tell(queue_topic(held.queue))
        self._freed.append((held.id, held.token))

    def complete(self, held: Held, result: bytes | None) -> JobState:
        """The job is done. Its row tells this run, so the history need not."""
        self._measure(held)
        if held.kind is not None:
            return self._drop(held, JobState.COMPLETED)
        self._moves[held.queue, JobState.COMPLETED] += 1
        self._rows[_COMPLETE].append((self._tx.now, result, held.attempts, held.n))
        return JobState.COMPLETED

    def expire(self, held: Held) -> JobState:
        """The job was found expired; it did not run."""
        return self._finish(held, JobState.EXPIRED)

    def cancel(self, held: Held, failure: bytes = b"") -> JobState:
        """The run ends because somebody asked to cancel the job."""
        self.record(held, "cancelled", failure)
        return self._finish(held, JobState.CANCELLED)

    def die(self, held: Held, reason: DeadReason) -> JobState:
        """The job becomes a dead letter of its queue."""
        self._tx.total(held.queue, f"dead:{reason}", "dead")
        return self._finish(held, JobState.FAILED, reason.value)

    def stall(self, held: Held) -> JobState:
        """A run ended without a word: wait again, or die of it once too often."""
        held.stalls += 1
        self.record(held, "stalled")
        self._tx.total(held.queue, "stalled", "stalled")
        if held.kind in IMMORTAL and held.stalls > 1:
            held.ready_at = self._tx.now + stall_delay_ms(held.stalls)
            return self._pend(held, JobState.DELAYED, held.seq, held.ready_at)
        if held.kind == QUERY or (held.kind is None and held.stalls > held.max_stalls):
            return self.die(held, DeadReason.STALLED)
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

    def finish_task(self, held: Held) -> None:
        """A workflow task is done: counted as any job; its row is others' business."""
        self._measure(held)
        self._leave(held)
        self._tx.moved(held.queue, JobState.ACTIVE, None)
        self._tx.total(held.queue, "completed", "completed")

    def _drop(self, held: Held, state: JobState) -> JobState:
        """An engine-owned job ends in a state, but leaves no record of it."""
        self._leave(held)
        self._moves[held.queue, state] += 1
        self._gone.append((held, state))
        return state

    def _delete(self) -> None:
        """Delete what ended without a record; its settlement stays known."""
        tx = self._tx
        settled = []
        for held, state in self._gone:
            tx.moved(held.queue, state, None)
            for sql in _DELETE:
                tx.execute(sql, (held.n,))
            if held.history:
                tx.execute(_DELETE_ATTEMPTS, (held.n,))
            if held.settled_token is not None:
                settled.append((held.id, held.settled_token))
        self._gone.clear()
        if settled:
            remember_settled(tx, settled)

    def _leave(self, held: Held) -> None:
        """An engine-owned job is active no more."""
        if not takes_place(held.kind, held.lease_until):
            self._tx.exempt(held.queue, -1)

    def _finish(
        self, held: Held, state: JobState, reason: str | None = None
    ) -> JobState:
        if held.kind is not None:
            return self._drop(held, state)
        self._moves[held.queue, state] += 1
        self._rows[_FINISH].append(
            (
                state.value,
                self._tx.now,
                reason,
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

    def _pend(
        self, held: Held, state: JobState, seq: int, run_at: int | None
    ) -> JobState:
        if held.kind is not None:
            self._leave(held)
        if held.kind == ACTIVITY:
            self._pending.append(held.n)
        self._moves[held.queue, state] += 1
        self._rows[_PEND].append(
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


def stall_delay_ms(stalls: int) -> int:
    """Return how long what never dies waits after its n-th stall; the first: not."""
    return 0 if stalls < 2 else min(MAX_STALL_DELAY_MS, 1000 << min(stalls - 2, 16))


def free_values(tx: Transaction, leases: Iterable[tuple[str, str]]) -> None:
    """Delete the values (Huey's locks) that belong to these leases."""
    pairs = [*leases]
    if not pairs:
        return
    if tx.leased_values is None:
        tx.leased_values = tx.execute(_ANY_LEASED).fetchone() is not None
    if tx.leased_values:
        tx.spaces.clear()
        tx.executemany("DELETE FROM kv WHERE job_id = ? AND token = ?", pairs)
