"""The deadline of an activity: the earliest of its four timeouts in its state."""

from collections.abc import Iterable

import msgspec

from workflows.engine.states import JobState
from workflows.store import Deadlines
from workflows.stores.sqlite.memory import as_json
from workflows.stores.sqlite.transaction import Transaction

_READ = """
SELECT n, state, created_at, ready_at, started_at, beat_at, deadlines FROM jobs
WHERE n IN (SELECT value FROM json_each(?))
"""
_ARM = "UPDATE jobs SET deadline_at = ?, beat_at = ? WHERE n = ?"


def encode(deadlines: Deadlines | None) -> str | None:
    """Return the four timeouts as the column keeps them."""
    if deadlines is None:
        return None
    return msgspec.json.encode(
        (
            deadlines.schedule_to_start_ms,
            deadlines.start_to_close_ms,
            deadlines.schedule_to_close_ms,
            deadlines.heartbeat_ms,
        )
    ).decode()


def decode(column: str | None) -> Deadlines | None:
    """Return the four timeouts of a column."""
    if column is None:
        return None
    to_start, to_close, whole, beat = msgspec.json.decode(column)
    return Deadlines(
        schedule_to_start_ms=to_start,
        start_to_close_ms=to_close,
        schedule_to_close_ms=whole,
        heartbeat_ms=beat,
    )


def close_at(deadlines: Deadlines | None, created_at: int) -> int | None:
    """Return the end of schedule-to-close."""
    if deadlines is None or deadlines.schedule_to_close_ms is None:
        return None
    return created_at + deadlines.schedule_to_close_ms


def pending_deadline(
    deadlines: Deadlines | None, created_at: int, ready_at: int
) -> int | None:
    """Return the deadline of an activity that nobody runs."""
    if deadlines is None:
        return None
    return _earliest(
        close_at(deadlines, created_at),
        _after(ready_at, deadlines.schedule_to_start_ms),
    )


def active_deadline(
    deadlines: Deadlines | None, created_at: int, started_at: int, beat_at: int | None
) -> int | None:
    """Return the deadline of an activity that runs, or is detached."""
    if deadlines is None:
        return None
    return _earliest(
        close_at(deadlines, created_at),
        _after(started_at, deadlines.start_to_close_ms),
        _after(beat_at or started_at, deadlines.heartbeat_ms),
    )


def arm(tx: Transaction, numbers: Iterable[int]) -> None:
    """Set the deadlines of activities that have just begun to wait or to run."""
    rows = tx.execute(_READ, (as_json(numbers),)).fetchall()
    armed = []
    for n, state, created_at, ready_at, started_at, beat_at, column in rows:
        deadlines = decode(column)
        if state == JobState.ACTIVE:
            at = active_deadline(deadlines, created_at, started_at, beat_at)
            armed.append((at, beat_at, n))
        else:
            armed.append((pending_deadline(deadlines, created_at, ready_at), None, n))
    tx.executemany(_ARM, armed)


def _after(at: int, ms: int | None) -> int | None:
    return None if ms is None else at + ms


def _earliest(*times: int | None) -> int | None:
    return min((time for time in times if time is not None), default=None)
