"""The marketplace's tables in a SQLite file of their own.

The engine of the jobs has another file. Never open either by other means in the same
process: SQLite's locks belong to the process, and a second library breaks them.
"""

from pathlib import Path

import pysqlite3
from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from workflows.exceptions import StoreRefusedError
from workflows.marketplace.tables import APPLICATION_ID, SCHEMA_VERSION

BUSY_TIMEOUT_MS = 5000
PASSING = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR"})


def make_engine(url: URL, _pool_size: int) -> Engine:
    """Return an engine on a file, made if it is not there; one writer at a time."""
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # messages and phone numbers are nobody else's business
    engine = create_engine(url, module=pysqlite3, max_overflow=-1, hide_parameters=True)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def is_passing(error: SQLAlchemyError) -> bool:
    """Whether the same may work later."""
    if not isinstance(error, OperationalError):
        return False
    name = str(getattr(error.orig, "sqlite_errorname", ""))
    return any(name.startswith(passing) for passing in PASSING)


def make_tables(connection: Connection) -> None:
    """Bring the tables up to date.

    Raises:
        StoreRefusedError: the file is another program's, or of a newer one.
    """
    path = connection.engine.url.database
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    owner = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    if owner == APPLICATION_ID and version == SCHEMA_VERSION:
        return
    if owner == APPLICATION_ID and version > SCHEMA_VERSION:
        msg = (
            f"{path} has schema {version}; this program knows "
            f"{SCHEMA_VERSION}: use the newer program"
        )
        raise StoreRefusedError(msg)
    foreign = version or inspect(connection).get_table_names()
    if owner != APPLICATION_ID and (owner or foreign):
        msg = f"{path} is a database of another program"
        raise StoreRefusedError(msg)
    # Alembic takes long to load, and is needed once in a file's life.
    from workflows.marketplace.migrations.upgrade import upgrade  # noqa: PLC0415

    upgrade(connection)
    connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")


def _configure(
    connection: DBAPIConnection,
    record: ConnectionPoolEntry,  # noqa: ARG001 - the event's signature
) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "trusted_schema = OFF",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # A transaction that read first could not become a writer after another one's
    # commit; taking the write lock at once leaves only waiting.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
