"""The marketplace's database: a SQLite file, or PostgreSQL, through SQLAlchemy."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from workflows.exceptions import SettingsError, StoreUnavailableError
from workflows.marketplace import on_postgresql, on_sqlite
from workflows.marketplace.repositories import CreditPort, OrderRepository
from workflows.marketplace.sql.credit import NativeCredit
from workflows.marketplace.sql.orders import SqlOrders
from workflows.marketplace.sql.work import SqlWork

POOL_SIZE = 5
TURN_SECONDS = 5  # that a thread waits for the others of its process
KINDS: dict[str, ModuleType] = {
    "sqlite": on_sqlite,
    "postgresql": on_postgresql,
    "postgresql+psycopg": on_postgresql,
}


class Database:
    """A `Storage` whose tables are made on first use. Thread-safe, not fork-safe.

    Raises:
        SettingsError: the URL is not understood.
        StoreRefusedError: the database is another program's, or of a newer one.
        StoreUnavailableError: it cannot be reached; make another one later.
    """

    def __init__(
        self,
        url: str,
        orders: Callable[[Connection], OrderRepository] = SqlOrders,
        credit: Callable[[Connection], CreditPort] = NativeCredit,
        pool_size: int = POOL_SIZE,
    ) -> None:
        self._adapters = (orders, credit)
        self._turn = threading.Lock()
        parsed = database_url(url)
        self._kind = KINDS[parsed.drivername]
        self._engine = self._kind.make_engine(parsed, pool_size)
        try:
            with self._transaction() as connection:
                self._kind.make_tables(connection)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def begin(self) -> Iterator[SqlWork]:
        """See `Storage.begin`. Transactions wait for each other, at most 5 s."""
        # SQLite lets those who wait look again now and then, and whoever looks at the
        # right moment goes first; threads of one process take turns instead.
        if not self._turn.acquire(timeout=TURN_SECONDS):
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
        except SQLAlchemyError as error:
            if self._kind.is_passing(error):
                cause = getattr(error, "orig", None) or error
                msg = f"the marketplace database is not available: {cause}"
                raise StoreUnavailableError(msg) from error
            raise


def database_url(url: str) -> URL:
    """Parse `sqlite:///relative`, `sqlite:////absolute` or `postgresql://…`.

    Raises:
        SettingsError: it is none of these; the URL is not repeated.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number
        parsed = None
    if parsed is None or parsed.drivername not in KINDS:
        msg = (
            "is no URL of a database; write sqlite:///./var/marketplace.db or "
            "postgresql://user:password@host/database"
        )
        raise SettingsError(msg)
    if parsed.drivername == "sqlite" and parsed.database in {None, "", ":memory:"}:
        msg = "names no SQLite file; write sqlite:///./var/marketplace.db"
        raise SettingsError(msg)
    if KINDS[parsed.drivername] is on_postgresql and not parsed.database:
        msg = "names no database; write postgresql://user:password@host/database"
        raise SettingsError(msg)
    if KINDS[parsed.drivername] is on_postgresql and find_spec("psycopg") is None:
        msg = "needs psycopg; install huey-workflows[postgresql]"
        raise SettingsError(msg)
    return parsed
