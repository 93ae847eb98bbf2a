"""Small values beside the jobs. One whose time is over does not exist."""

from collections.abc import Sequence

from workflows.exceptions import InvalidArgumentError
from workflows.store import MAX_STEP
from workflows.stores.sqlite.memory import as_json
from workflows.stores.sqlite.news import value_topic
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.transaction import Transaction

_PUT = """
INSERT INTO kv (space, key, value, expires_at) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at,
    job_id = NULL, token = NULL
"""
_PUT_IF_ABSENT = """
INSERT INTO kv (space, key, value, expires_at, job_id, token) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
"""
_HOLDS = """
SELECT 1 FROM jobs WHERE id = :id AND token = :token
UNION ALL SELECT 1 FROM lingering WHERE job_id = :id AND token = :token
"""
_ALIVE = "(expires_at IS NULL OR expires_at > ?)"
_GET = f"""
SELECT key, value FROM kv
WHERE space = ? AND key IN (SELECT value FROM json_each(?)) AND {_ALIVE}
"""  # noqa: S608 - text of this module
_LIST = f"SELECT key, value FROM kv WHERE space = ? AND {_ALIVE} ORDER BY key"  # noqa: S608
_ANY = f"SELECT 1 FROM kv WHERE space = ? AND {_ALIVE} LIMIT 1"  # noqa: S608
_DROP_ONE = "DELETE FROM kv WHERE space = ? AND key = ? AND expires_at <= ?"
_DROP = """
DELETE FROM kv WHERE (space, key) IN (
    SELECT space, key FROM kv WHERE expires_at <= ? ORDER BY expires_at LIMIT 0 + ?
)
"""


def put_value(
    tx: Transaction, space: str, key: str, value: bytes, ttl_ms: int | None
) -> None:
    """Set a value, replacing any."""
    tx.spaces.pop(space, None)
    tx.execute(_PUT, (space, key, value, _until(tx, ttl_ms)))
    tx.told.tell(value_topic(space, key))


def hold_value(tx: Transaction, space: str, key: str, value: bytes, until: int) -> None:
    """Set a value that is gone at a time."""
    tx.spaces.pop(space, None)
    tx.execute(_PUT, (space, key, value, until))


def put_value_if_absent(  # noqa: PLR0917 - a row and its lease
    tx: Transaction,
    space: str,
    key: str,
    value: bytes,
    ttl_ms: int | None,
    lease: tuple[str, str] | None,
) -> bool:
    """Set a value unless one exists, and only while its lease holds."""
    if lease is not None:
        holds = {"id": lease[0], "token": lease[1]}
        if tx.execute(_HOLDS, holds).fetchone() is None:
            return False
        tx.leased_values = True
    _drop_over(tx, space, key)
    row = (space, key, value, _until(tx, ttl_ms), *(lease or (None, None)))
    tx.told.tell(value_topic(space, key))
    return bool(tx.execute(_PUT_IF_ABSENT, row).rowcount)


def pop_value(tx: Transaction, space: str, key: str) -> bytes | None:
    """Remove a value and return it."""
    _drop_over(tx, space, key)
    row = tx.execute(
        "DELETE FROM kv WHERE space = ? AND key = ? RETURNING value", (space, key)
    ).fetchone()
    return row[0] if row else None


def flush_values(tx: Transaction, space: str) -> None:
    """Remove all values of a space."""
    tx.spaces.pop(space, None)
    tx.execute("DELETE FROM kv WHERE space = ?", (space,))


def increment(tx: Transaction, space: str, key: str, amount: int) -> int:
    """Add to a counter, which keeps its end and its lease."""
    _drop_over(tx, space, key)
    row = tx.execute(
        "SELECT value FROM kv WHERE space = ? AND key = ?", (space, key)
    ).fetchone()
    try:
        number = int(row[0] if row else b"0") + amount
    except ValueError:
        msg = f"value {key!r} of space {space!r} is not a counter"
        raise InvalidArgumentError(msg) from None
    tx.execute(
        "INSERT INTO kv (space, key, value) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET value = excluded.value",
        (space, key, b"%d" % number),
    )
    return number


def drop_expired_values(tx: Transaction, limit: int = MAX_STEP) -> None:
    """Delete values whose time is over."""
    tx.leased_values = None
    tx.execute(_DROP, (tx.now, limit))


def get_values(
    connection: Connection, now: int, space: str, keys: Sequence[str]
) -> dict[str, bytes]:
    """Return those of the values that exist."""
    return dict(connection.execute(_GET, (space, as_json(keys), now)))


def list_values(connection: Connection, now: int, space: str) -> dict[str, bytes]:
    """Return all values of a space."""
    return dict(connection.execute(_LIST, (space, now)))


def has_values(tx: Transaction, space: str) -> bool:
    """Return whether a space holds any value."""
    found = tx.spaces.get(space)
    if found is None:
        found = tx.execute(_ANY, (space, tx.now)).fetchone() is not None
        tx.spaces[space] = found
    return found


def _until(tx: Transaction, ttl_ms: int | None) -> int | None:
    return None if ttl_ms is None else tx.now + ttl_ms


def _drop_over(tx: Transaction, space: str, key: str) -> None:
    """Before any change of one value: drop it if its time is over."""
    tx.spaces.pop(space, None)
    tx.execute(_DROP_ONE, (space, key, tx.now))
