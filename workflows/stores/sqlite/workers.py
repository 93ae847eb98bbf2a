"""Worker processes: who lives."""

from dataclasses import replace

import msgspec

from workflows.store import WorkerInfo
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.transaction import Transaction

DAY_MS = 24 * 60 * 60 * 1000


def heartbeat(tx: Transaction, worker: WorkerInfo) -> None:
    """Keep one record per owner; drop those that were not seen for a day."""
    info = msgspec.json.encode(replace(worker, seen_at=tx.now)).decode()
    tx.execute(
        "INSERT INTO workers (owner, seen_at, info) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at, info = excluded.info",
        (worker.owner, tx.now, info),
    )
    tx.execute("DELETE FROM workers WHERE seen_at < ?", (tx.now - DAY_MS,))


def retire(tx: Transaction, owner: str) -> None:
    """Forget a process."""
    tx.execute("DELETE FROM workers WHERE owner = ?", (owner,))


def list_workers(connection: Connection, now: int) -> list[WorkerInfo]:
    """Return the processes seen in the last day, by owner."""
    rows = connection.execute(
        "SELECT info FROM workers WHERE seen_at >= ? ORDER BY owner", (now - DAY_MS,)
    )
    return [msgspec.json.decode(info, type=WorkerInfo) for (info,) in rows]
