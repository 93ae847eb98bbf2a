"""Deleting jobs, and what has to be remembered of them."""

from collections.abc import Iterable

from workflows.engine.states import JobState
from workflows.store import REQUEST_MEMORY_MS
from workflows.stores.sqlite.accepting import as_json, forget
from workflows.stores.sqlite.transaction import Transaction

_NUMBERS = "(SELECT value FROM json_each(:numbers))"
_REMEMBER = f"""
INSERT INTO settled (job_id, token, at)
SELECT id, settled_token, :now FROM jobs
WHERE n IN {_NUMBERS} AND settled_token IS NOT NULL
    AND coalesce(finished_at, :now) > :since
ON CONFLICT DO NOTHING
"""  # noqa: S608 - text of this module
_DELETE_ATTEMPTS = f"DELETE FROM attempts WHERE job IN {_NUMBERS}"  # noqa: S608
_DELETE = f"""
DELETE FROM jobs WHERE n IN {_NUMBERS} RETURNING queue, state
"""  # noqa: S608 - text of this module


def delete_jobs(tx: Transaction, numbers: Iterable[int]) -> int:
    """Delete all of some jobs; return how many there were.

    Their newest settlements stay known for a while, so that one whose answer was lost
    can be sent again.
    """
    parameters = {
        "numbers": as_json(numbers),
        "now": tx.now,
        "since": tx.now - REQUEST_MEMORY_MS,
    }
    remembered = tx.execute(_REMEMBER, parameters).rowcount
    if remembered > 0:
        forget(tx, "settled", 2 * remembered)
    tx.execute(_DELETE_ATTEMPTS, parameters)
    deleted = tx.execute(_DELETE, parameters).fetchall()
    for queue, state in deleted:
        tx.moved(queue, JobState(state), None)
    return len(deleted)


def remember_settled(tx: Transaction, pairs: list[tuple[str, str]]) -> None:
    """Keep settlements that no job record shows any more."""
    if pairs:
        tx.executemany(
            "INSERT INTO settled (job_id, token, at) VALUES (?, ?, ?) "
            "ON CONFLICT DO NOTHING",
            [(*pair, tx.now) for pair in pairs],
        )
        forget(tx, "settled", 2 * len(pairs))
