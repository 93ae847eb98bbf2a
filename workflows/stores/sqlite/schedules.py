"""Schedules: the slot that fires next moves by compare-and-set."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from workflows.engine.states import LIVE
from workflows.exceptions import NotFoundError
from workflows.store import FireStatus, NewJob, Schedule
from workflows.stores.sqlite.accepting import insert
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.transaction import Transaction

_COLUMNS = [field.name for field in fields(Schedule)]
_KEPT = ("id", "paused", "last_slot", "last_fired_at", "last_job_id")
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM schedules ORDER BY id"  # noqa: S608
_UPSERT = f"""
INSERT INTO schedules ({", ".join(_COLUMNS)})
VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
ON CONFLICT (id) DO UPDATE SET
    next_at = iif(spec = excluded.spec, next_at, excluded.next_at),
    {
    ", ".join(
        f"{name} = excluded.{name}"
        for name in _COLUMNS
        if name not in (*_KEPT, "next_at")
    )
}
"""  # noqa: S608 - fields of a class


def upsert(tx: Transaction, schedule: Schedule) -> None:
    """Create or change a schedule; a new one has not fired."""
    row: dict[str, Any] = {name: getattr(schedule, name) for name in _COLUMNS}
    row |= dict.fromkeys(("last_slot", "last_fired_at", "last_job_id"))
    tx.execute(_UPSERT, row)


def fire(
    tx: Transaction,
    schedule_id: str,
    slot: int,
    next_at: int | None,
    jobs: Sequence[NewJob],
    *,
    skip_overlap: bool,
) -> FireStatus:
    """Move the slot on and enqueue its jobs; see `Store.fire_schedule`."""
    row = tx.execute(
        "UPDATE schedules SET next_at = ?, last_slot = ? "
        "WHERE id = ? AND next_at = ? AND NOT paused RETURNING last_job_id",
        (next_at, slot, schedule_id, slot),
    ).fetchone()
    if row is None:
        return FireStatus.MISSED
    if skip_overlap and _is_live(tx, row[0]):
        return FireStatus.OVERLAP
    if jobs:
        insert(tx, jobs)
        tx.execute(
            "UPDATE schedules SET last_fired_at = ?, last_job_id = ? WHERE id = ?",
            (tx.now, jobs[-1].id, schedule_id),
        )
    return FireStatus.FIRED


def _is_live(tx: Transaction, job_id: str | None) -> bool:
    row = tx.execute("SELECT state FROM jobs WHERE id = ?", (job_id,)).fetchone()
    return row is not None and row[0] in LIVE


def delete(tx: Transaction, schedule_id: str) -> bool:
    """Delete a schedule; its jobs stay."""
    cursor = tx.execute("DELETE FROM schedules WHERE id = ?", (schedule_id,))
    return bool(cursor.rowcount)


def pause(tx: Transaction, schedule_id: str, *, paused: bool) -> None:
    """Pause or resume firing."""
    cursor = tx.execute(
        "UPDATE schedules SET paused = ? WHERE id = ?", (paused, schedule_id)
    )
    if not cursor.rowcount:
        msg = f"no schedule {schedule_id!r}"
        raise NotFoundError(msg)


def list_schedules(connection: Connection) -> list[Schedule]:
    """Return all schedules, by id."""
    schedules = []
    for row in connection.execute(_SELECT):
        values = dict(zip(_COLUMNS, row, strict=True))
        values |= {name: bool(values[name]) for name in ("declared", "paused")}
        schedules.append(Schedule(**values))
    return schedules
