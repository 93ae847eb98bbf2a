"""Settlements: each checked on its own fence, then written together."""

from collections.abc import Callable, Sequence
from typing import Any

from workflows.engine.states import TERMINAL, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_RELEASES,
    Bury,
    Cancel,
    Commit,
    Complete,
    Detach,
    Expire,
    Join,
    LeasedJob,
    Release,
    Retry,
    Return,
    Settlement,
    SettleStatus,
)
from workflows.stores.sqlite.accepting import insert
from workflows.stores.sqlite.activities import detach, lease_pending
from workflows.stores.sqlite.committing import commit
from workflows.stores.sqlite.deletion import delete_jobs
from workflows.stores.sqlite.ending import HELD_COLUMNS, Endings, Held, free_values
from workflows.stores.sqlite.granting import held_job
from workflows.stores.sqlite.inbox import receive
from workflows.stores.sqlite.kinds import ACTIVITY, EXEMPT, TASK, takes_place
from workflows.stores.sqlite.memory import (
    as_json,
    recall,
    remember_settled,
    settled_key,
)
from workflows.stores.sqlite.news import queue_topic
from workflows.stores.sqlite.queues import refund
from workflows.stores.sqlite.runs import Runs
from workflows.stores.sqlite.transaction import Transaction
from workflows.stores.sqlite.values import put_value

Answer = tuple[SettleStatus, JobState | None]

_HELD = f"""
SELECT {HELD_COLUMNS} FROM jobs
WHERE id IN (SELECT value FROM json_each(?)) AND state = 'active'
"""  # noqa: S608 - columns of a module
_HELD_ONE = f"SELECT {HELD_COLUMNS} FROM jobs WHERE id = ? AND state = 'active'"  # noqa: S608
_LINGER = """
INSERT INTO lingering (job_id, token, queue, owner, lease_until, lease_ms, extended)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_MISSING_MEMBER = """
WITH RECURSIVE members (i) AS (
    SELECT :size - 1 UNION ALL SELECT i - 1 FROM members WHERE i > 0
)
SELECT 1 FROM members WHERE NOT EXISTS (
    SELECT 1 FROM kv WHERE space = 'join' AND key = :key || ':' || i
) LIMIT 1
"""


def _has_place(held: Held) -> bool:
    """Return whether a worker holds it, and a place in the queue's concurrency."""
    return held.token != "" and takes_place(held.kind, held.lease_until)


class Settling:
    """The settlements of one exchange."""

    def __init__(self, tx: Transaction, settlements: Sequence[Settlement]) -> None:
        self._tx = tx
        self._settlements = settlements
        self._endings = Endings(tx)
        self._superseded: list[tuple[str, str]] = []  # older settlements of a job
        self._removed: list[int] = []
        self._runs = Runs(tx)
        self._held: dict[str, Held] = {}
        self._stale = True  # a commit may change any lease
        self.granted: list[LeasedJob] = []  # inline

    def run(self) -> list[Answer]:
        """Apply all, in order; return what became of each."""
        answers = [self._apply(settlement) for settlement in self._settlements]
        self._flush()
        self._runs.flush()
        return answers

    def _look_up(self) -> None:
        """Read the leases that are to end."""
        ids = {each.job_id for each in self._settlements}
        if len(ids) == 1:  # json_each costs more than the look-up
            rows = self._tx.execute(_HELD_ONE, (*ids,))
        else:
            rows = self._tx.execute(_HELD, (as_json(ids),))
        self._held = {row[1]: Held(*row) for row in rows}
        self._stale = False

    def _apply(self, settlement: Settlement) -> Answer:
        if isinstance(settlement, Return):
            return self._return(settlement)
        if self._stale:
            self._look_up()
        job = self._held.get(settlement.job_id)
        if not settlement.token and type(settlement) in _ENDS_PENDING:
            self._flush()
            job = lease_pending(self._tx, settlement.job_id)
        if job is None or job.token != settlement.token:
            return self._settled_before(settlement), None
        if job.kind is not None or type(settlement) in _OWNED_ONLY:
            return self._apply_owned(job, settlement)
        del self._held[job.id]
        return SettleStatus.OK, self._settle(job, settlement)

    def _flush(self) -> None:
        self._endings.flush()
        if self._superseded:
            remember_settled(self._tx, self._superseded)
            self._superseded.clear()
        if self._removed:
            delete_jobs(self._tx, self._removed)
            self._removed.clear()

    def _settled_before(self, settlement: Settlement) -> SettleStatus:
        self._flush()
        pair = (settlement.job_id, settlement.token)
        shown = self._tx.execute(
            "SELECT 1 FROM jobs WHERE id = ? AND settled_token = ?", pair
        ).fetchone()
        if shown or recall(self._tx, "settled", settled_key(*pair)) is not None:
            self._grant_again(settlement)
            return SettleStatus.ALREADY
        return SettleStatus.LOST

    def _settle(self, held: Held, settlement: Settlement) -> JobState:
        """End the lease in the way that the settlement says."""
        if held.settled_token is not None:
            self._superseded.append((held.id, held.settled_token))
        held.settled_token = held.token
        state = _MOVES[type(settlement)](self, held, settlement)
        if (
            isinstance(settlement, Retry | Bury)
            and settlement.linger
            and _has_place(held)
        ):
            self._linger(held)
        else:
            self._endings.free(held)
        if held.kind is not None:
            if state in TERMINAL and not self._end(held, settlement):
                return state
        elif isinstance(settlement, Complete | Bury) and settlement.remove:
            self._removed.append(held.n)
        if settlement.jobs or settlement.values or settlement.join:
            self._flush()
            self._write_follow_ups(settlement)
        return state

    # -- engine-owned jobs --

    def _apply_owned(self, job: Held, settlement: Settlement) -> Answer:
        kind = type(settlement)
        if isinstance(settlement, Commit):
            return self._commit(job, settlement)
        if kind is Detach:
            return self._detach(job, settlement)
        if job.kind == TASK and kind not in _LEAVES_TASK:
            msg = f"the workflow task {job.id!r} ends by a Commit, not {kind.__name__}"
            raise InvalidArgumentError(msg)
        self._held.pop(job.id, None)
        return SettleStatus.OK, self._settle(job, settlement)

    def _end(self, held: Held, settlement: Settlement) -> bool:
        """Tell the run of an end; return whether there is more to write."""
        if held.kind != ACTIVITY:
            return True
        run = self._runs.by_number(held.run or 0)
        if run is None or not run.open:
            return False
        if settlement.outcome is not None:
            receive(self._runs, run, settlement.outcome)
        return True

    def _commit(self, held: Held, settlement: Commit) -> Answer:
        """Commit to the history of a run; other leases may look different then."""
        self._flush()
        committed = commit(self._runs, self._endings, held, settlement)
        if committed.status is SettleStatus.OK:
            self._flush()
            self._write_follow_ups(settlement)
            self._stale = True
        if committed.leased is not None:
            self.granted.append(committed.leased)
        return committed.status, committed.state

    def _grant_again(self, settlement: Settlement) -> None:
        """Repeat the inline lease of a commit that was settled before."""
        if isinstance(settlement, Commit) and settlement.inline is not None:
            inline = settlement.inline
            job = held_job(self._tx, inline.job_id, inline.token)
            if job is not None:
                self.granted.append(job)

    def _detach(self, held: Held, settlement: Settlement) -> Answer:
        if held.kind != ACTIVITY:
            msg = f"job {held.id!r} is no activity: only those are detached"
            raise InvalidArgumentError(msg)
        self._flush()
        if detach(self._tx, held):
            self._endings.free(held)
            self._flush()
            self._write_follow_ups(settlement)
        return SettleStatus.OK, JobState.ACTIVE

    # -- one move per kind --

    def _complete(self, held: Held, settlement: Complete) -> JobState:
        return self._endings.complete(held, settlement.result)

    def _bury(self, held: Held, settlement: Bury) -> JobState:
        if settlement.spend:
            self._endings.spend(held, "dead", settlement.failure)
        else:
            self._endings.record(held, "dead", settlement.failure)
        return self._endings.die(held, settlement.reason)

    def _expire(self, held: Held, _: Expire) -> JobState:
        return self._endings.expire(held)

    def _cancel(self, held: Held, _: Cancel) -> JobState:
        return self._endings.cancel(held)

    def _retry(self, held: Held, settlement: Retry) -> JobState:
        if held.cancel_requested:
            return self._endings.cancel(held, settlement.failure)
        if settlement.spend:
            self._endings.spend(held, "retry", settlement.failure)
            self._tx.total(held.queue, "retried", "retried")
        else:
            self._endings.record(held, "snoozed", settlement.failure)
        run_at = self._tx.due(settlement.delay_ms, settlement.run_at)
        return self._endings.pend(held, run_at)

    def _release(self, held: Held, settlement: Release) -> JobState:
        if not settlement.started and held.kind not in EXEMPT:
            refund(self._tx, held.queue, held.started_at)
        if held.cancel_requested:
            return self._endings.cancel(held)
        if not settlement.started:
            return self._endings.give_back(held)
        held.releases += 1
        self._tx.total(held.queue, "released", None)
        if held.releases > MAX_RELEASES:
            return self._endings.stall(held)
        self._endings.record(held, "released")
        held.ready_at = self._tx.now
        return self._endings.give_back(held)

    # -- lingering --

    def _linger(self, held: Held) -> None:
        self._tx.execute(
            _LINGER,
            (
                held.id,
                held.token,
                held.queue,
                held.owner,
                held.lease_until,
                held.lease_ms,
                held.extended,
            ),
        )

    def _return(self, settlement: Return) -> Answer:
        """Free the place and the values of a lingering token, if it lingers."""
        self._flush()
        pair = (settlement.job_id, settlement.token)
        lingered = self._tx.execute(
            "DELETE FROM lingering WHERE job_id = ? AND token = ? RETURNING queue", pair
        ).fetchall()
        for (queue,) in lingered:
            self._tx.told.tell(queue_topic(queue))
        if lingered:
            free_values(self._tx, [pair])
        row = self._tx.execute(
            "SELECT state FROM jobs WHERE id = ?", (settlement.job_id,)
        ).fetchone()
        self._write_follow_ups(settlement)
        return SettleStatus.OK, JobState(row[0]) if row else None

    # -- follow-ups --

    def _write_follow_ups(self, settlement: Settlement) -> None:
        for value in settlement.values:
            put_value(self._tx, "result", value.key, value.value, value.ttl_ms)
        insert(self._tx, settlement.jobs)
        if settlement.join:
            self._join(settlement.join)

    def _join(self, join: Join) -> None:
        """Report one member; the last one that is new enqueues the job."""
        inserted = self._tx.execute(
            "INSERT INTO kv (space, key, value) VALUES ('join', ?, ?) "
            "ON CONFLICT DO NOTHING",
            (f"{join.key}:{join.index}", join.value),
        ).rowcount
        if not inserted:
            return
        missing = self._tx.execute(
            _MISSING_MEMBER, {"size": join.size, "key": join.key}
        ).fetchone()
        if not missing:
            insert(self._tx, [join.job])


_OWNED_ONLY = frozenset({Commit, Detach})
_ENDS_PENDING = frozenset({Complete, Retry, Bury, Cancel, Expire})  # activities
_LEAVES_TASK = frozenset({Retry, Release})  # a workflow task pending
_MOVES: dict[type[Settlement], Callable[[Settling, Held, Any], JobState]] = {
    Complete: Settling._complete,  # noqa: SLF001 - the table of the class above
    Bury: Settling._bury,  # noqa: SLF001
    Expire: Settling._expire,  # noqa: SLF001
    Cancel: Settling._cancel,  # noqa: SLF001
    Retry: Settling._retry,  # noqa: SLF001
    Release: Settling._release,  # noqa: SLF001
}
