"""What was said before: so that a caller whose answer was lost can ask again.

Kept in buckets of REQUEST_MEMORY_MS: for at least so long, and at most twice.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from workflows.store import REQUEST_MEMORY_MS
from workflows.stores.sqlite.transaction import Transaction

BUCKET_MS = REQUEST_MEMORY_MS
FORGET_STEP = 5000  # memories that one sweep drops at most

Kind = Literal["request", "claim", "settled", "start", "send", "close"]

# Not `bucket IN (?1, ?2)`: for that SQLite fills a table first, in twice the time.
_RECALL = """
SELECT value FROM memories WHERE bucket = ?1 AND kind = ?3 AND key = ?4
UNION ALL SELECT value FROM memories WHERE bucket = ?2 AND kind = ?3 AND key = ?4
"""
_REMEMBER = """
INSERT INTO memories (bucket, kind, key, value) VALUES (?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
_REMEMBER_SETTLED = """
INSERT INTO memories (bucket, kind, key, value)
SELECT :bucket, 'settled', length(id) || ':' || id || settled_token, '' FROM jobs
WHERE n IN (SELECT value FROM json_each(:numbers)) AND settled_token IS NOT NULL
    AND coalesce(finished_at, :now) > :since
ON CONFLICT DO NOTHING
"""
_OVER = """
SELECT bucket, kind, key, value FROM memories WHERE bucket < ?
ORDER BY bucket, kind, key LIMIT 0 + ?
"""
_FORGET = "DELETE FROM memories WHERE bucket = ? AND kind = ? AND key = ?"
_HELD = """
SELECT 1 FROM jobs WHERE n IN (SELECT value FROM json_each(?)) AND token = ?
"""


def as_json(values: Iterable[str | int]) -> str:
    """Return a list that SQL can read with json_each."""
    return msgspec.json.encode([*values]).decode()


def recall(tx: Transaction, kind: Kind, key: str) -> str | None:
    """Return what is remembered under a key."""
    bucket = tx.now // BUCKET_MS
    row = tx.execute(_RECALL, (bucket, bucket - 1, kind, key)).fetchone()
    return row[0] if row else None


def recall_claim(tx: Transaction, token: str) -> str | None:
    """Return the grant of a claim; known as long as one of its leases holds."""
    granted = recall(tx, "claim", token)
    bucket, over = -1, tx.now // BUCKET_MS - 1
    while granted is None:  # look at what is over, but not forgotten yet
        (bucket,) = tx.execute(
            "SELECT min(bucket) FROM memories WHERE bucket > ? AND bucket < ?",
            (bucket, over),
        ).fetchone()
        if bucket is None:
            return None
        row = tx.execute(_RECALL, (bucket, bucket, "claim", token)).fetchone()
        granted = row[0] if row else None
    return granted


def remember(tx: Transaction, kind: Kind, key: str, value: str) -> None:
    """Keep a memory, and drop two that are over, so that they never pile up."""
    tx.execute(_REMEMBER, (tx.now // BUCKET_MS, kind, key, value))
    forget(tx, 2)


def remember_settled(tx: Transaction, pairs: Iterable[tuple[str, str]]) -> None:
    """Keep settlements (job id, token) that the job will show no more."""
    bucket = tx.now // BUCKET_MS
    rows = [(bucket, "settled", settled_key(*pair), "") for pair in pairs]
    tx.executemany(_REMEMBER, rows)
    forget(tx, 2 * len(rows))


def remember_settled_of(tx: Transaction, numbers: str) -> None:
    """Keep the newest settlements of jobs that are about to be deleted."""
    added = tx.execute(
        _REMEMBER_SETTLED,
        {
            "bucket": tx.now // BUCKET_MS,
            "numbers": numbers,
            "now": tx.now,
            "since": tx.now - REQUEST_MEMORY_MS,
        },
    ).rowcount
    if added > 0:
        forget(tx, 2 * added)


def settled_key(job_id: str, token: str) -> str:
    """Return the key of a settlement; the length keeps the two parts apart."""
    return f"{len(job_id)}:{job_id}{token}"


def forget(tx: Transaction, limit: int) -> None:
    """Drop up to `limit` memories whose time is over; a claim that holds stays."""
    if tx.nothing_to_forget:
        return
    bucket = tx.now // BUCKET_MS
    over = tx.execute(_OVER, (bucket - 1, limit)).fetchall()
    tx.nothing_to_forget = not over
    if over:
        tx.executemany(_FORGET, [row[:3] for row in over])
        held = [
            (bucket, kind, key, value)
            for _, kind, key, value in over
            if kind == "claim" and tx.execute(_HELD, (value, key)).fetchone()
        ]
        tx.executemany(_REMEMBER, held)
