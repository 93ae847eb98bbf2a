"""Pages of jobs: by keyset, in the order of each state."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgspec
import pysqlite3 as driver

from workflows.engine.states import TERMINAL, DeadReason, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import MAX_HISTORY, Attempt, JobPage, JobRecord
from workflows.stores.sqlite.deadlines import close_at, decode
from workflows.stores.sqlite.kinds import FOREVER, job_kind, owner_run
from workflows.stores.sqlite.memory import as_json
from workflows.stores.sqlite.opening import Connection

Position = tuple[float, float | str]  # where a job stands in the list of its state

_JOBS = """
SELECT *, (SELECT run_id FROM runs WHERE runs.n = jobs.run) AS run_id
FROM jobs LEFT JOIN messages USING (n) LEFT JOIN reports USING (n)
WHERE n IN (SELECT value FROM json_each(?))
"""
_ATTEMPTS = """
SELECT job, attempt, started_at, ended_at, owner, outcome, failure FROM attempts
WHERE job IN (SELECT value FROM json_each(?)) ORDER BY job, k
"""
_TYPES = """
SELECT type FROM jobs WHERE state = {state} AND queue = ? AND type > ?
ORDER BY type LIMIT 1
"""
_TYPES_OF = {
    state: _TYPES.format(state=f"'{state}'")
    for state in (JobState.WAITING, JobState.DELAYED)
}
_WAITING_ARM = """
SELECT priority, seq, n FROM jobs
WHERE state = 'waiting' AND queue = ? AND type = ? AND suspect = ?
    AND (priority, seq) > (?, ?)
"""
_DELAYED_ARM = """
SELECT run_at, seq, n FROM jobs
WHERE state = 'delayed' AND queue = ? AND type = ? AND (run_at, seq) > (?, ?)
"""
_ACTIVE = """
SELECT lease_until, id, n FROM jobs
WHERE state = 'active' AND queue = ? AND (lease_until, id) > (?, ?)
ORDER BY lease_until, id LIMIT 0 + ?
"""
_ENDED = """
SELECT finished_at, id, n FROM jobs
WHERE queue = ? AND state = ? AND finished_at IS NOT NULL
    AND (finished_at, id) < (?, ?)
ORDER BY finished_at DESC, id DESC LIMIT 0 + ?
"""
_KIND = """
SELECT kind FROM jobs WHERE state = 'delayed' AND queue = ? AND type = ? LIMIT 1
"""
_START: Position = (float("-inf"), "")
_END: Position = (float("inf"), "")
Rows = list[tuple[float, float | str, int]]


def list_jobs(
    connection: Connection,
    queue: str,
    state: JobState,
    limit: int,
    cursor: str | None,
) -> JobPage:
    """Return a page; see `Store.list_jobs`."""
    first = _END if state in TERMINAL else _START
    after = first if cursor is None else _read_cursor(cursor, state)
    rows = _finder(state)(connection, queue, state, after, limit + 1)
    page = rows[:limit]
    jobs = read_jobs(connection, [n for _, _, n in page])
    more = len(rows) > limit
    return JobPage(tuple(jobs), _write_cursor(state, page[-1]) if more else None)


def _finder(state: JobState) -> Callable[..., Rows]:
    if state is JobState.ACTIVE:
        return _find_active
    return _find_ended if state in TERMINAL else _find_pending


def _find_active(
    connection: Connection, queue: str, _: JobState, after: Position, limit: int
) -> Rows:
    rows: Rows = connection.execute(_ACTIVE, (queue, *after, limit)).fetchall()
    return rows


def _find_ended(
    connection: Connection, queue: str, state: JobState, after: Position, limit: int
) -> Rows:
    parameters = (queue, state.value, *after, limit)
    rows: Rows = connection.execute(_ENDED, parameters).fetchall()
    return rows


def first_delayed(connection: Connection, queue: str, limit: int) -> list[int]:
    """Return the numbers of the plain delayed jobs that are due first."""
    types = [
        name
        for name in types_of(connection, queue, JobState.DELAYED)
        if connection.execute(_KIND, (queue, name)).fetchone() == (None,)
    ]
    rows = _merge(connection, queue, JobState.DELAYED, types, _START, limit)
    return [n for _, _, n in rows]


def _find_pending(
    connection: Connection, queue: str, state: JobState, after: Position, limit: int
) -> Rows:
    types = types_of(connection, queue, state)
    return _merge(connection, queue, state, types, after, limit)


def _merge(  # noqa: PLR0917 - what to merge, and which part
    connection: Connection,
    queue: str,
    state: JobState,
    types: list[str],
    after: Position,
    limit: int,
) -> Rows:
    """Merge the index ranges of some types."""
    if not types:
        return []
    arm = _DELAYED_ARM
    arms: list[tuple[Any, ...]] = [(queue, name, *after) for name in types]
    if state is JobState.WAITING:
        arm = _WAITING_ARM
        arms = [(queue, name, kind, *after) for name in types for kind in (0, 1)]
    found: Rows = []
    for start in range(0, len(arms), 100):
        part = arms[start : start + 100]
        parameters = [value for each in part for value in each]
        found += connection.execute(_merged(arm, len(part)), [*parameters, limit])
    return sorted(found)[:limit]


@cache
def _merged(arm: str, arms: int) -> str:
    return " UNION ALL ".join([arm] * arms) + " ORDER BY 1, 2 LIMIT 0 + ?"


def types_of(connection: Connection, queue: str, state: JobState) -> list[str]:
    """Return the types of a queue's waiting or delayed jobs, by one probe each."""
    types: list[str] = []
    row: tuple[str] | None = ("",)
    while row is not None:
        row = connection.execute(_TYPES_OF[state], (queue, row[0])).fetchone()
        types += row or ()
    return types


def _write_cursor(state: JobState, row: tuple[float, float | str, int]) -> str:
    return msgspec.json.encode((state.value, row[0], row[1])).decode()


def _read_cursor(cursor: str, state: JobState) -> Position:
    kind = int | float if state in {JobState.WAITING, JobState.DELAYED} else str
    try:
        made_for, *after = msgspec.json.decode(
            cursor,
            type=tuple[str, int | float, kind],  # type: ignore[valid-type]
        )
    except (msgspec.MsgspecError, UnicodeEncodeError):
        msg = "not a cursor of this list"
        raise InvalidArgumentError(msg) from None
    if made_for != state.value:
        msg = f"a cursor of the list {made_for!r}"
        raise InvalidArgumentError(msg)
    return after[0], after[1]


def read_jobs(connection: Connection, numbers: Sequence[int]) -> list[JobRecord]:
    """Return the records of some jobs, in the order given."""
    as_list = as_json(numbers)
    attempts: dict[int, list[Attempt]] = {n: [] for n in numbers}
    for n, *values in connection.execute(_ATTEMPTS, (as_list,)):
        attempts[n].append(Attempt(**dict(zip(_ATTEMPT_FIELDS, values, strict=True))))
    cursor = connection.cursor()
    cursor.row_factory = driver.Row
    rows = {row["n"]: row for row in cursor.execute(_JOBS, (as_list,))}
    return [_record(rows[n], _attempts(rows[n], attempts[n])) for n in numbers]


_ATTEMPT_FIELDS = ("attempt", "started_at", "ended_at", "owner", "outcome", "failure")


def _attempts(row: Any, recorded: list[Attempt]) -> tuple[Attempt, ...]:
    """Return the newest attempts: the recorded ones, and the one that completed."""
    if row["state"] == JobState.COMPLETED:
        completed = Attempt(
            attempt=row["attempts"],
            started_at=row["started_at"],
            ended_at=row["finished_at"],
            owner=row["owner"],
            outcome="completed",
        )
        recorded = [*recorded, completed]
    return tuple(recorded[-MAX_HISTORY:])


def _record(row: Any, attempts: tuple[Attempt, ...]) -> JobRecord:
    deadlines = decode(row["deadlines"])
    detached = row["lease_until"] == FOREVER
    return JobRecord(
        id=row["id"],
        queue=row["queue"],
        type=row["type"],
        payload=row["payload"] or b"",
        headers=row["headers"] or b"",
        priority=row["priority"],
        state=JobState(row["state"]),
        attempts_made=row["attempts"],
        stalls=row["stalls"],
        releases=row["releases"],
        max_stalls=row["max_stalls"],
        created_at=row["created_at"],
        run_at=row["run_at"],
        ready_at=row["ready_at"],
        expires_at=row["expires_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        owner=row["owner"],
        lease_until=None if detached else row["lease_until"],
        cancel_requested=bool(row["cancel_requested"]),
        dedup_id=row["dedup_id"],
        result=row["result"],
        failure=row["failure"],
        reason=None if row["reason"] is None else DeadReason(row["reason"]),
        dead_retries=row["dead_retries"],
        trace=row["trace"],
        attempts=attempts,
        progress=row["progress"] or b"",
        checkpoint=row["checkpoint"] or b"",
        logged=row["logged"] or 0,
        kind=job_kind(row["kind"]),
        run_id=owner_run(row["kind"], row["id"], row["run_id"]),
        deadlines=deadlines,
        close_at=close_at(deadlines, row["created_at"]),
        beat_at=row["beat_at"],
        details=row["details"] or b"",
        detached=detached,
    )
