"""Deleting everything."""

from workflows.stores.sqlite.transaction import Transaction

_TABLES = (
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'store' "
    "AND name NOT LIKE 'sqlite_%'"
)


def wipe(tx: Transaction) -> None:
    """Empty all tables; the file stays ours."""
    for (table,) in tx.execute(_TABLES).fetchall():
        tx.execute(f"DELETE FROM {table}")  # noqa: S608 - a name of the schema
    tx.execute("UPDATE store SET swept_at = NULL, unknown_at = NULL")
    tx.forget_counts()
