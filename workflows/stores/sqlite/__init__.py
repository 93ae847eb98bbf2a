"""The store in one SQLite file."""

from workflows.stores.sqlite.adapter import SqliteStore

__all__ = ["SqliteStore"]
