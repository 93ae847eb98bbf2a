"""Deleting jobs, and what has to be remembered of them."""

from collections.abc import Iterable

from workflows.engine.states import JobState
from workflows.stores.sqlite.ending import free_values
from workflows.stores.sqlite.kinds import takes_place
from workflows.stores.sqlite.memory import as_json, remember_settled_of
from workflows.stores.sqlite.transaction import Transaction

_NUMBERS = "(SELECT value FROM json_each(:numbers))"
_DELETE_REST = tuple(
    f"DELETE FROM {table} WHERE {column} IN {_NUMBERS}"  # noqa: S608 - text of this module
    for table, column in (
        ("attempts", "job"),
        ("messages", "n"),
        ("reports", "n"),
        ("log_lines", "job"),
    )
)
_DELETE = f"""
DELETE FROM jobs WHERE n IN {_NUMBERS} RETURNING queue, state
"""  # noqa: S608 - text of this module
_LEASES = """
SELECT id, token, queue, kind, lease_until FROM jobs
WHERE n IN (SELECT value FROM json_each(?)) AND state = 'active'
"""


def delete_jobs(tx: Transaction, numbers: Iterable[int]) -> int:
    """Delete all of some jobs that are not active; return how many there were.

    Their newest settlements stay known for a while, so that one whose answer was lost
    can be sent again.
    """
    as_list = as_json(numbers)
    remember_settled_of(tx, as_list)
    parameters = {"numbers": as_list}
    for delete in _DELETE_REST:
        tx.execute(delete, parameters)
    deleted = tx.execute(_DELETE, parameters).fetchall()
    for queue, state in deleted:
        tx.moved(queue, JobState(state), None)
    return len(deleted)


def delete_owned_jobs(tx: Transaction, numbers: Iterable[int]) -> None:
    """Delete all of some engine-owned jobs, also of active ones, whose leases go."""
    as_list = as_json(numbers)
    for job_id, token, queue, kind, until in tx.execute(_LEASES, (as_list,)).fetchall():
        free_values(tx, [(job_id, token)])
        if not takes_place(kind, until):
            tx.exempt(queue, -1)
    delete_jobs(tx, numbers)
