"""Activities of a run: heartbeats, cancellation, and those that nobody runs yet."""

from workflows.engine.states import PENDING, JobState
from workflows.store import Beat, CancelActivity
from workflows.stores.sqlite.deadlines import active_deadline, decode
from workflows.stores.sqlite.deletion import delete_jobs
from workflows.stores.sqlite.ending import HELD_COLUMNS, Held
from workflows.stores.sqlite.inbox import add
from workflows.stores.sqlite.kinds import ACTIVITY, FOREVER
from workflows.stores.sqlite.runs import Run, Runs
from workflows.stores.sqlite.transaction import Transaction

_FIND = "SELECT n, state FROM jobs WHERE id = ? AND run = ? AND kind = 'activity'"
_OF_RUN = "SELECT n, state FROM jobs WHERE run = ? AND kind = 'activity' ORDER BY n"
_ASK = "UPDATE jobs SET cancel_requested = 1 WHERE n = ?"
_BEATING = """
SELECT jobs.n, jobs.cancel_requested, created_at, jobs.started_at, deadlines
FROM jobs JOIN runs ON runs.n = run
WHERE jobs.id = ? AND token = ? AND state = 'active' AND kind = 'activity'
    AND closed_at IS NULL
"""
_BEAT = "UPDATE jobs SET beat_at = ?, details = ?, deadline_at = ? WHERE n = ?"
_PENDING = """
SELECT n, queue, state FROM jobs
WHERE id = ? AND kind = 'activity' AND state IN ('waiting', 'delayed')
"""
_LEASE = f"""
UPDATE jobs SET state = 'active', run_at = NULL, token = '', lease_until = ?,
    lease_ms = 0
WHERE n = ? RETURNING {HELD_COLUMNS}
"""  # noqa: S608 - columns of a module
_DETACH = "UPDATE jobs SET lease_until = ?, extended = 0 WHERE n = ?"


def cancel(runs: Runs, run: Run, wish: CancelActivity) -> None:
    """Remove an activity that is pending, and say so; ask one that runs to stop."""
    row = runs.tx.execute(_FIND, (wish.job_id, run.n)).fetchone()
    if row is None:
        return
    if row[1] in PENDING:
        delete_jobs(runs.tx, [row[0]])
        add(runs, run, [wish.entry])
    else:
        runs.tx.execute(_ASK, (row[0],))


def cancel_all(tx: Transaction, run: Run) -> None:
    """The run is closed: remove what is pending, ask the others to stop."""
    rows = tx.execute(_OF_RUN, (run.n,)).fetchall()
    pending = [n for n, state in rows if state in PENDING]
    if pending:
        delete_jobs(tx, pending)
    tx.executemany(_ASK, [(n,) for n, state in rows if state not in PENDING])


def beat(tx: Transaction, job_id: str, token: str, details: bytes) -> Beat:
    """Record a heartbeat; see `Store.beat`."""
    row = tx.execute(_BEATING, (job_id, token)).fetchone()
    if row is None:
        return Beat(held=False, cancel_requested=False)
    n, asked, created_at, started_at, column = row
    at = active_deadline(decode(column), created_at, started_at, tx.now)
    tx.execute(_BEAT, (tx.now, details, at, n))
    return Beat(held=True, cancel_requested=bool(asked))


def lease_pending(tx: Transaction, job_id: str) -> Held | None:
    """Lease an activity that is pending, to settle it in the same write."""
    row = tx.execute(_PENDING, (job_id,)).fetchone()
    if row is None:
        return None
    n, queue, state = row
    tx.moved(queue, JobState(state), JobState.ACTIVE)
    held = Held(*tx.execute(_LEASE, (tx.now, n)).fetchone())
    held.owner, held.started_at = "", tx.now  # its record names its last claim
    return held


def detach(tx: Transaction, held: Held) -> bool:
    """Let an activity be active without a worker; return whether that is new."""
    if held.kind != ACTIVITY or held.lease_until == FOREVER:
        return False
    tx.execute(_DETACH, (FOREVER, held.n))
    tx.exempt(held.queue, 1)
    held.lease_until = FOREVER
    return True
