"""The one workflow-task job of a run: made, made due, made anew, removed."""

from workflows.engine.states import JobState
from workflows.store import task_job_id
from workflows.stores.sqlite.deletion import delete_owned_jobs
from workflows.stores.sqlite.ending import Held
from workflows.stores.sqlite.kinds import TASK
from workflows.stores.sqlite.memory import remember_settled
from workflows.stores.sqlite.runs import Run
from workflows.stores.sqlite.transaction import Transaction

MAX_STALLS = 3  # a job's default; without a meaning: a workflow task never dies

_FIND = "SELECT n, state, first_started_at FROM jobs WHERE id = ?"
_INSERT = """
INSERT INTO jobs (n, id, queue, type, state, seq, priority, max_stalls, created_at,
                  run_at, ready_at, trace, kind)
VALUES (?1, ?2, ?3, ?4, ?5, ?1, ?6, ?7, ?8, ?9, ?10, '', ?11)
"""
_MAKE_DUE = """
UPDATE jobs SET state = 'waiting', run_at = NULL, ready_at = ?, seq = ? WHERE n = ?
"""
_ANEW = """
UPDATE jobs SET state = 'waiting', seq = ?1, attempts = 0, stalls = 0, releases = 0,
    history = 0, created_at = ?2, run_at = NULL, ready_at = ?2, first_started_at = NULL,
    started_at = NULL, owner = NULL, token = NULL, lease_until = NULL, lease_ms = NULL,
    extended = 0, settled_token = ?3, failure = x''
WHERE n = ?4
"""


def make_task(tx: Transaction, run: Run, delay_ms: int = 0) -> None:
    """Make the workflow task of a run that has none."""
    n, now = tx.next_seq(), tx.now
    state, run_at = JobState.WAITING, None
    if delay_ms > 0:
        state, run_at = JobState.DELAYED, now + delay_ms
    tx.execute(
        "INSERT INTO queues (name) VALUES (?) ON CONFLICT DO NOTHING", (run.task_queue,)
    )
    tx.execute(
        _INSERT,
        (
            n,
            task_job_id(run.run_id),
            run.task_queue,
            run.task_type,
            state.value,
            run.priority,
            MAX_STALLS,
            now,
            run_at,
            run_at or now,
            TASK,
        ),
    )
    tx.moved(run.task_queue, None, state, type_name=run.task_type)
    tx.total(run.task_queue, "enqueued", "enqueued")


def find_task(tx: Transaction, run: Run) -> tuple[int, str, int | None] | None:
    """Return number, state and first start of the task of a run, if it has one."""
    row: tuple[int, str, int | None] | None = tx.execute(
        _FIND, (task_job_id(run.run_id),)
    ).fetchone()
    return row


def ensure_task(tx: Transaction, run: Run) -> None:
    """Something came into the inbox: see to it that the run has a task.

    A cancel request ends the delay of the very first task; nothing ends the delay after
    a failure.
    """
    task = find_task(tx, run)
    if task is None:
        make_task(tx, run)
        return
    n, state, started_at = task
    if run.cancel_requested and state == JobState.DELAYED and started_at is None:
        tx.execute(_MAKE_DUE, (tx.now, tx.next_seq(), n))
        tx.moved(
            run.task_queue,
            JobState.DELAYED,
            JobState.WAITING,
            type_name=run.task_type,
        )


def renew_task(tx: Transaction, run: Run, held: Held) -> None:
    """The task is done, and there is more to do: a new one in its row, waiting."""
    if held.history:
        tx.execute("DELETE FROM attempts WHERE job = ?", (held.n,))
    tx.execute(_ANEW, (tx.next_seq(), tx.now, held.token, held.n))
    tx.moved(held.queue, None, JobState.WAITING, type_name=run.task_type)
    tx.total(held.queue, "enqueued", "enqueued")


def remove_task(tx: Transaction, run: Run) -> None:
    """Remove the task of a run, whoever holds it."""
    task = find_task(tx, run)
    if task is not None:
        delete_owned_jobs(tx, [task[0]])


def end_task(tx: Transaction, held: Held) -> None:
    """The task is done, and nothing more is there: it goes."""
    remember_settled(tx, [(held.id, held.token)])
    if held.history:
        tx.execute("DELETE FROM attempts WHERE job = ?", (held.n,))
    tx.execute("DELETE FROM jobs WHERE n = ?", (held.n,))
