"""What is read of runs: one, its events, what it waits for, pages, counts."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_STEP,
    LoadedRun,
    Overdue,
    PendingWork,
    RunPage,
    RunRecord,
    RunRef,
    RunStatus,
    task_job_id,
)
from workflows.stores.sqlite.inbox import read as read_inbox
from workflows.stores.sqlite.listing import read_jobs
from workflows.stores.sqlite.memory import as_json
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.runs import (
    MAX_IN_RUN,
    SELECT_RUNS,
    Run,
    matches,
    record,
)

_CURRENT = """
WHERE n = (SELECT max(n) FROM runs WHERE workflow_id = ?)
"""
_EVENTS = "SELECT data FROM events WHERE n BETWEEN ? AND ? ORDER BY n LIMIT 0 + ?"
_WORK = "SELECT n FROM jobs WHERE run = ? AND kind = 'activity' ORDER BY n"
_TOKENS = """
SELECT id, token FROM jobs
WHERE run = ? AND kind = 'activity' AND state = 'active' AND token IS NOT NULL
"""
_TIMERS = "SELECT key, due_at FROM timers WHERE run_id = ? ORDER BY due_at, key"
_CHILDREN = "WHERE parent_run_id = ? AND closed_at IS NULL ORDER BY n"
_PAGE = """
WHERE (started_at, run_id) < (?, ?) {filters}
ORDER BY started_at DESC, run_id DESC LIMIT 0 + ?
"""
_OVERDUE_RUNS = """
WHERE deadline_at <= ? AND deadline_at IS NOT NULL AND closed_at IS NULL
ORDER BY deadline_at, run_id LIMIT 0 + ?
"""
_OVERDUE_JOBS = """
SELECT deadline_at, id, n, token FROM jobs
WHERE deadline_at <= ? AND deadline_at IS NOT NULL
ORDER BY deadline_at, id LIMIT 0 + ?
"""
_ENDED = """
SELECT value FROM json_each(?) WHERE NOT EXISTS (
    SELECT 1 FROM runs WHERE run_id = value AND closed_at IS NULL)
"""
_NEWEST = (2**53, "")


def find(connection: Connection, ref: RunRef) -> Run | None:
    """Return the run that is meant."""
    if ref.run_id is None:
        run = _one(connection, _CURRENT, ref.workflow_id)
    else:
        run = _one(connection, "WHERE run_id = ?", ref.run_id)
    return run if run is not None and matches(ref, run) else None


def get_run(connection: Connection, ref: RunRef) -> RunRecord | None:
    """See `Store.get_run`."""
    run = find(connection, ref)
    return None if run is None else record(connection, run)


def load_run(
    connection: Connection, now: int, run_id: str, start: int
) -> LoadedRun | None:
    """See `Store.load_run`."""
    run = _one(connection, "WHERE run_id = ?", run_id)
    if run is None:
        return None
    inbox = read_inbox(connection, run.n)
    return LoadedRun(
        run=record(connection, run, len(inbox)),
        events=_events(connection, run, start, MAX_IN_RUN),
        inbox=inbox,
        now=now,
    )


def read_history(
    connection: Connection, run_id: str, start: int, limit: int
) -> tuple[bytes, ...]:
    """See `Store.read_history`."""
    run = _one(connection, "WHERE run_id = ?", run_id)
    return () if run is None else _events(connection, run, start, limit)


def pending_work(connection: Connection, run_id: str) -> PendingWork | None:
    """See `Store.pending_work`."""
    run = _one(connection, "WHERE run_id = ?", run_id)
    if run is None:
        return None
    task = connection.execute(
        "SELECT n FROM jobs WHERE id = ?", (task_job_id(run_id),)
    ).fetchone()
    work = [n for (n,) in connection.execute(_WORK, (run.n,))]
    children = connection.execute(SELECT_RUNS + _CHILDREN, (run_id,)).fetchall()
    return PendingWork(
        task=read_jobs(connection, task)[0] if task else None,
        activities=tuple(read_jobs(connection, work)),
        timers=dict(connection.execute(_TIMERS, (run_id,))),
        children=tuple(record(connection, Run(*row)) for row in children),
        tokens=dict(connection.execute(_TOKENS, (run.n,))),
    )


def list_runs(
    connection: Connection,
    filters: Mapping[str, str | None],
    limit: int,
    cursor: str | None,
) -> RunPage:
    """Return runs whose columns have these values (None: any); see `Store.list_runs`.

    What an index finds is filtered by it; the rest by looking at MAX_STEP runs a page.
    """
    wanted = {name: value for name, value in filters.items() if value is not None}
    indexed = {"workflow_id", "parent_run_id"} & wanted.keys()
    after = _NEWEST if cursor is None else _read_cursor(cursor)
    chosen = "".join(f"AND {name} = ? " for name in sorted(indexed))
    values = [wanted[name] for name in sorted(indexed)]
    most = MAX_STEP if wanted.keys() - indexed else limit
    query = SELECT_RUNS + _PAGE.format(filters=chosen)
    rows = connection.execute(query, (*after, *values, most + 1)).fetchall()
    found: list[Run] = []
    last: Run | None = None
    for row in rows[:most]:
        last = Run(*row)
        if all(getattr(last, name) == value for name, value in wanted.items()):
            found.append(last)
            if len(found) == limit:
                break
    more = last is not None and (last.n != rows[-1][0])
    return RunPage(
        tuple(record(connection, run) for run in found),
        _write_cursor(last) if more and last is not None else None,
    )


def count_runs(connection: Connection) -> dict[RunStatus, int]:
    """See `Store.count_runs`."""
    rows = connection.execute(
        "SELECT substr(key, 5), n FROM counters WHERE queue = '' AND key LIKE 'run:%'"
    )
    return {RunStatus(status): number for status, number in rows if number}


def list_overdue(connection: Connection, now: int, limit: int) -> list[Overdue]:
    """See `Store.list_overdue`."""
    runs = connection.execute(SELECT_RUNS + _OVERDUE_RUNS, (now, limit)).fetchall()
    jobs = connection.execute(_OVERDUE_JOBS, (now, limit)).fetchall()
    found: list[tuple[int, str, Run | None, Any]] = [
        *((run.deadline_at or 0, run.run_id, run, None) for run in map(_run, runs)),
        *((at, job_id, None, (n, token)) for at, job_id, n, token in jobs),
    ]
    found.sort(key=lambda each: each[:2])
    return [_overdue(connection, run, job) for _, _, run, job in found[:limit]]


def _overdue(
    connection: Connection, run: Run | None, job: tuple[int, str | None] | None
) -> Overdue:
    if job is not None:
        return Overdue(activity=read_jobs(connection, [job[0]])[0], token=job[1] or "")
    return Overdue(run=None if run is None else record(connection, run))


def changed(connection: Connection, run_id: str, length: int) -> bool:
    """Return whether a run has more events, is closed, or does not exist."""
    row = connection.execute(
        "SELECT length, closed_at FROM runs WHERE run_id = ?", (run_id,)
    ).fetchone()
    return row is None or row[0] > length or row[1] is not None


def ended(connection: Connection, run_ids: Sequence[str]) -> list[str]:
    """Return those of the runs that are closed or do not exist."""
    return [row[0] for row in connection.execute(_ENDED, (as_json(run_ids),))]


def _run(row: tuple[Any, ...]) -> Run:
    return Run(*row)


def _one(connection: Connection, where: str, key: str) -> Run | None:
    row = connection.execute(SELECT_RUNS + where, (key,)).fetchone()
    return Run(*row) if row else None


def _events(
    connection: Connection, run: Run, start: int, limit: int
) -> tuple[bytes, ...]:
    bounds = (run.place(max(1, min(start, MAX_IN_RUN))), run.place(MAX_IN_RUN), limit)
    return tuple(data for (data,) in connection.execute(_EVENTS, bounds))


def _write_cursor(run: Run) -> str:
    return msgspec.json.encode((run.started_at, run.run_id)).decode()


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        return msgspec.json.decode(cursor, type=tuple[int, str])
    except (msgspec.MsgspecError, UnicodeEncodeError):
        msg = "not a cursor of this list"
        raise InvalidArgumentError(msg) from None
