"""Leases in time: renewal by their owner, and the sweep of those that ran out."""

from collections.abc import Sequence

from workflows.engine.states import JobState
from workflows.store import Renewed, Swept
from workflows.stores.sqlite.ending import HELD_COLUMNS, Endings, Held, free_values
from workflows.stores.sqlite.kinds import ACTIVITY, FOREVER
from workflows.stores.sqlite.memory import FORGET_STEP, forget
from workflows.stores.sqlite.transaction import Transaction
from workflows.stores.sqlite.values import drop_expired_values

_RENEW = f"""
UPDATE jobs SET lease_until = ?, lease_ms = ?, extended = 0
WHERE id = ? AND token = ? AND state = 'active' AND lease_until != {FOREVER}
RETURNING cancel_requested
"""  # noqa: S608 - a number
_RENEW_LINGERING = """
UPDATE lingering SET lease_until = ?, lease_ms = ?, extended = 0
WHERE job_id = ? AND token = ?
"""
_UNEXTENDED = """
SELECT * FROM (
    SELECT lease_until, id, queue, type, n, token FROM jobs
    WHERE state = 'active' AND lease_until < ?1 AND extended = 0
    ORDER BY lease_until, id LIMIT 0 + ?2)
UNION ALL SELECT * FROM (
    SELECT lease_until, job_id, queue, '', 0, token FROM lingering
    WHERE lease_until < ?1 AND extended = 0
    ORDER BY lease_until, job_id LIMIT 0 + ?2)
ORDER BY 1, 2 LIMIT 0 + ?2
"""
_EXTEND = "UPDATE jobs SET lease_until = ? + lease_ms, extended = 1 WHERE n = ?"
_EXTEND_LINGERING = """
UPDATE lingering SET lease_until = ? + lease_ms, extended = 1
WHERE job_id = ? AND token = ?
"""
_RUN_OUT = f"""
SELECT {HELD_COLUMNS}, type FROM jobs
WHERE state = 'active' AND lease_until <= ? ORDER BY lease_until, id LIMIT 0 + ?
"""  # noqa: S608 - columns of a module
_LINGERING_OUT = """
SELECT lease_until, job_id, token FROM lingering
WHERE lease_until <= ? ORDER BY lease_until, job_id LIMIT 0 + ?
"""


def renew(tx: Transaction, leases: Sequence[tuple[str, str]], lease_ms: int) -> Renewed:
    """Extend the leases that still hold; see `Store.renew`."""
    until = tx.now + lease_ms
    lost, asked = [], []
    for pair in leases:
        row = tx.execute(_RENEW, (until, lease_ms, *pair)).fetchone()
        if row is None:
            lingers = tx.execute(_RENEW_LINGERING, (until, lease_ms, *pair)).rowcount
            if not lingers:
                lost.append(pair[0])
        elif row[0]:
            asked.append(pair[0])
    return Renewed(tuple(lost), tuple(asked), tx.now)


def sweep(tx: Transaction, interval_ms: int, limit: int) -> list[Swept]:
    """Extend leases after a gap, then take back those that ran out."""
    forget(tx, FORGET_STEP)
    drop_expired_values(tx)
    (swept_at,) = tx.execute("SELECT swept_at FROM store").fetchone()
    swept: list[Swept] = []
    if swept_at is None or tx.now - swept_at > 2 * interval_ms:
        swept, all_extended = _extend(tx, interval_ms, limit)
        if not all_extended:
            return swept  # the gap lasts
    tx.execute("UPDATE store SET swept_at = ?", (tx.now,))
    return swept + _take_back(tx, limit)


def _extend(tx: Transaction, interval_ms: int, limit: int) -> tuple[list[Swept], bool]:
    """Extend each lease once; return the jobs, and whether all have been."""
    rows = tx.execute(_UNEXTENDED, (tx.now + interval_ms, limit + 1)).fetchall()
    swept = []
    for _, job_id, queue, type_name, n, token in rows[:limit]:
        if n:
            tx.execute(_EXTEND, (tx.now, n))
            swept.append(Swept(job_id, queue, type_name, "extended"))
        else:
            tx.execute(_EXTEND_LINGERING, (tx.now, job_id, token))
    return swept, len(rows) <= limit


def _take_back(tx: Transaction, limit: int) -> list[Swept]:
    """Take back up to `limit` leases that ran out, lingering ones among them."""
    active = [
        (Held(*row[:-1]), row[-1]) for row in tx.execute(_RUN_OUT, (tx.now, limit))
    ]
    lingering = tx.execute(_LINGERING_OUT, (tx.now, limit)).fetchall()
    order = [
        *((held.lease_until, held.id, True) for held, _ in active),
        *((until, job_id, False) for until, job_id, _ in lingering),
    ]
    jobs = sum(is_job for _, _, is_job in sorted(order)[:limit])
    _drop_lingering(tx, [row[1:] for row in lingering[: limit - jobs]])
    endings = Endings(tx)
    swept = [_end(endings, held, name) for held, name in active[:jobs]]
    endings.flush()
    return swept


def _drop_lingering(tx: Transaction, leases: list[tuple[str, str]]) -> None:
    if leases:
        tx.executemany("DELETE FROM lingering WHERE job_id = ? AND token = ?", leases)
        free_values(tx, leases)


def _end(endings: Endings, held: Held, type_name: str) -> Swept:
    if held.kind == ACTIVITY:
        return Swept(held.id, held.queue, type_name, "lost", held.token)
    endings.free(held)
    if held.cancel_requested:
        endings.cancel(held)
        return Swept(held.id, held.queue, type_name, "cancelled")
    died = endings.stall(held) is JobState.FAILED
    return Swept(held.id, held.queue, type_name, "dead" if died else "stalled")
