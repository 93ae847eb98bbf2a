"""The marketplace's database: a SQLite file of its own, through SQLAlchemy.

The engine of the jobs has another file. Never open either by other means in the same
process: SQLite's locks belong to the process, and a second library breaks them.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pysqlite3
from sqlalchemy import Connection, create_engine, event, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from workflows.exceptions import (
    SettingsError,
    StoreRefusedError,
    StoreUnavailableError,
)
from workflows.marketplace.repositories import CreditPort, OrderRepository
from workflows.marketplace.sql.credit import NativeCredit
from workflows.marketplace.sql.orders import SqlOrders
from workflows.marketplace.sql.work import SqlWork
from workflows.marketplace.tables import APPLICATION_ID, SCHEMA_VERSION

BUSY_TIMEOUT_MS = 5000
PASSING = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR"})


class Database:
    """A `Storage` on a SQLite file, made on first use. Thread-safe, not fork-safe."""

    def __init__(
        self,
        url: str,
        orders: Callable[[Connection], OrderRepository] = SqlOrders,
        credit: Callable[[Connection], CreditPort] = NativeCredit,
    ) -> None:
        self._adapters = (orders, credit)
        self._turn = threading.Lock()
        parsed = sqlite_url(url)
        path = Path(str(parsed.database))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # messages and phone numbers are nobody else's business
        self._engine = create_engine(parsed, module=pysqlite3, max_overflow=-1)
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin_immediate)
        self._create_tables(str(path))

    @contextmanager
    def begin(self) -> Iterator[SqlWork]:
        """See `Storage.begin`. Writers wait for each other, at most 5 s."""
        # SQLite lets those who wait look again now and then, and whoever looks at the
        # right moment goes first; threads of one process take turns instead.
        if not self._turn.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            msg = "the marketplace database is not available: others write"
            raise StoreUnavailableError(msg)
        try:
            with self._transaction() as connection:
                yield SqlWork(connection, *self._adapters)
        finally:
            self._turn.release()

    def close(self) -> None:
        """Close all connections; the next use opens new ones."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            name = str(getattr(error.orig, "sqlite_errorname", ""))
            if any(name.startswith(passing) for passing in PASSING):
                msg = f"the marketplace database is not available: {error.orig}"
                raise StoreUnavailableError(msg) from error
            raise

    def _create_tables(self, path: str) -> None:
        with self._transaction() as connection:
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
            from workflows.marketplace.migrations.upgrade import (  # noqa: PLC0415
                upgrade,
            )

            upgrade(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")


def sqlite_url(url: str) -> URL:
    """Parse a database URL; `sqlite:///relative` or `sqlite:////absolute`.

    Raises:
        SettingsError: not the URL of a SQLite file.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if (
        parsed is None
        or parsed.get_backend_name() != "sqlite"
        or parsed.database in {None, "", ":memory:"}
    ):
        msg = "names no SQLite file; write sqlite:///./var/marketplace.db"
        raise SettingsError(msg)
    return parsed


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
