"""Granting leases: the write, and the granted jobs with all that their run needs."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from workflows.engine.states import JobState
from workflows.store import JobKind, LeasedJob
from workflows.stores.sqlite.deadlines import arm, close_at, decode
from workflows.stores.sqlite.kinds import ACTIVITY, EXEMPT, FOREVER, owner_run
from workflows.stores.sqlite.memory import as_json
from workflows.stores.sqlite.transaction import Transaction

_LEASED = """
n, id, queue, type, token, attempts + 1, stalls, priority, created_at, ready_at,
first_started_at, started_at, expires_at, lease_until, trace, kind
"""
_GRANT = f"""
UPDATE jobs SET state = 'active', owner = :owner, token = :token, extended = 0,
    lease_until = :now + :lease_ms, lease_ms = :lease_ms, started_at = :now,
    first_started_at = coalesce(first_started_at, :now)
WHERE n IN (SELECT value FROM json_each(:numbers))
RETURNING {_LEASED}
"""  # noqa: S608 - columns of this module
_MESSAGES = """
SELECT n, payload, headers FROM messages WHERE n IN (SELECT value FROM json_each(?))
"""
_HELD = f"""
SELECT {_LEASED} FROM jobs
WHERE n IN (SELECT value FROM json_each(?)) AND state = 'active' AND token = ?
    AND lease_until != {FOREVER}
"""  # noqa: S608 - columns of this module
_OWNED = """
SELECT n, created_at, deadlines, coalesce(details, x''), failure,
       (SELECT run_id FROM runs WHERE runs.n = run)
FROM jobs WHERE n IN (SELECT value FROM json_each(?))
"""
_NO_MESSAGE = (0, b"", b"")

Row = tuple[Any, ...]


def lease(
    tx: Transaction, numbers: Iterable[int], owner: str, token: str, lease_ms: int
) -> dict[int, LeasedJob]:
    """Lease waiting jobs, and count it; return them by number."""
    as_list = as_json(numbers)
    parameters = {
        "owner": owner,
        "token": token,
        "now": tx.now,
        "lease_ms": lease_ms,
        "numbers": as_list,
    }
    rows = tx.execute(_GRANT, parameters).fetchall()
    for queue, number in Counter(row[2] for row in rows).items():
        tx.moved(queue, JobState.WAITING, JobState.ACTIVE, number)
    jobs = _leased(tx, as_list, rows)
    owned = [row for row in rows if row[15] is not None]
    if owned:
        _begin(tx, owned)
    return jobs


def _begin(tx: Transaction, rows: list[Row]) -> None:
    """Engine-owned jobs run: some take no place, some have deadlines."""
    for row in rows:
        if row[15] in EXEMPT:
            tx.exempt(row[2], 1)
    running = [row[0] for row in rows if row[15] == ACTIVITY]
    if running:
        arm(tx, running)


def held(tx: Transaction, numbers: str, token: str) -> dict[int, LeasedJob]:
    """Return those of the jobs (a JSON list) that a token still holds, by number."""
    return _leased(tx, numbers, tx.execute(_HELD, (numbers, token)).fetchall())


def held_job(tx: Transaction, job_id: str, token: str) -> LeasedJob | None:
    """Return a job if this token still holds it."""
    row = tx.execute("SELECT n FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return held(tx, as_json(row), token).get(row[0]) if row else None


def _leased(tx: Transaction, numbers: str, rows: list[Row]) -> dict[int, LeasedJob]:
    """Return granted jobs with their messages, by number."""
    messages = {row[0]: row for row in tx.execute(_MESSAGES, (numbers,))}
    jobs = {row[0]: _job(row, messages.get(row[0], _NO_MESSAGE)) for row in rows}
    owned = [row for row in rows if row[15] is not None]
    if owned:
        facts = {row[0]: row for row in tx.execute(_OWNED, (numbers,))}
        for row in owned:
            jobs[row[0]] = _owned(jobs[row[0]], row, facts[row[0]])
    return jobs


def _job(row: Row, message: tuple[int, bytes, bytes]) -> LeasedJob:
    return LeasedJob(
        id=row[1],
        queue=row[2],
        type=row[3],
        payload=message[1],
        headers=message[2],
        token=row[4],
        attempt=row[5],
        stalls=row[6],
        priority=row[7],
        created_at=row[8],
        ready_at=row[9],
        first_started_at=row[10],
        started_at=row[11],
        expires_at=row[12],
        lease_until=row[13],
        trace=row[14],
    )


def _owned(job: LeasedJob, row: Row, facts: Row) -> LeasedJob:
    """Add the fields that only engine-owned jobs have."""
    _, created_at, column, details, failure, run_id = facts
    deadlines = decode(column)
    return replace(
        job,
        kind=JobKind(row[15]),
        run_id=owner_run(row[15], row[1], run_id),
        deadlines=deadlines,
        close_at=close_at(deadlines, created_at),
        details=details,
        failure=failure,
    )
