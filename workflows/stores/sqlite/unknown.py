"""Jobs that nobody can run: of types that no living worker knows."""

from heapq import merge
from itertools import islice

import msgspec

from workflows.engine.states import DeadReason, JobState
from workflows.store import MAX_STEP
from workflows.stores.sqlite.claiming import Head, Heads, kind_of
from workflows.stores.sqlite.kinds import ACTIVITY, TASK
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.transaction import Transaction

Pair = tuple[str, str]  # queue, type

_NEXT_PAIR = """
SELECT queue, type FROM jobs WHERE state = 'waiting' AND (queue, type) > (?, ?)
ORDER BY queue, type LIMIT 1
"""
_UNKNOWN = "SELECT queue, type FROM unknown_types WHERE since <= ? ORDER BY 1, 2"
_BURY = """
UPDATE jobs SET state = 'failed', reason = 'unknown_type', finished_at = ? WHERE n = ?
RETURNING id, queue
"""


def waiting_pairs(connection: Connection | Transaction) -> list[Pair]:
    """Return which types wait in which queues, by one index probe each."""
    pairs: list[Pair] = []
    last: Pair | None = ("", "")
    while last is not None:
        last = connection.execute(_NEXT_PAIR, last).fetchone()
        if last is not None:
            pairs.append(last)
    return pairs


def bury_unknown(
    tx: Transaction, grace_ms: int, interval_ms: int, limit: int
) -> list[str]:
    """See `Store.bury_unknown`."""
    (looked_at,) = tx.execute("SELECT unknown_at FROM store").fetchone()
    if looked_at is None or tx.now - looked_at > 2 * interval_ms:
        tx.execute("DELETE FROM unknown_types")
    tx.execute("UPDATE store SET unknown_at = ?", (tx.now,))
    unknown = set(waiting_pairs(tx)) - _known(tx, 3 * interval_ms)
    since = {
        (queue, name): at
        for queue, name, at in tx.execute(
            "SELECT queue, type, since FROM unknown_types"
        )
    }
    gone = [pair for pair in since if pair not in unknown]
    tx.executemany("DELETE FROM unknown_types WHERE queue = ? AND type = ?", gone)
    tx.executemany(
        "INSERT INTO unknown_types (queue, type, since) VALUES (?, ?, ?)",
        [(*pair, tx.now) for pair in unknown if pair not in since],
    )
    over = [pair for pair in unknown if tx.now - since.get(pair, tx.now) >= grace_ms]
    return _bury(tx, sorted(over), limit)


def list_unknown(connection: Connection, now: int, grace_ms: int) -> list[Pair]:
    """See `Store.list_unknown`."""
    rows = connection.execute(_UNKNOWN, (now - grace_ms,)).fetchall()
    failing = [pair for pair in rows if kind_of(connection, *pair) in {ACTIVITY, TASK}]
    return failing[:MAX_STEP]


def _known(tx: Transaction, alive_ms: int) -> set[Pair]:
    """Return what living workers know."""
    rows = tx.execute(
        "SELECT info FROM workers WHERE seen_at >= ?", (tx.now - alive_ms,)
    )
    infos = [msgspec.json.decode(info) for (info,) in rows]
    return {
        (queue, name)
        for info in infos
        for queue, names in info["queues"].items()
        for name in names
    }


def _bury(tx: Transaction, pairs: list[Pair], limit: int) -> list[str]:
    plain = [pair for pair in pairs if kind_of(tx, *pair) is None]
    walks = [Heads(tx, queue, (name,)) for queue, name in plain]
    doomed: list[Head] = list(islice(merge(*walks), limit))
    for walk in walks:
        walk.close()
    buried = []
    for head in doomed:
        job_id, queue = tx.execute(_BURY, (tx.now, head.n)).fetchone()
        buried.append(job_id)
        tx.moved(queue, JobState.WAITING, JobState.FAILED)
        tx.total(queue, f"dead:{DeadReason.UNKNOWN_TYPE.value}", "dead")
    return buried
