"""The marketplace's tables on a PostgreSQL server.

Transactions follow one another, as they do in a SQLite file: each takes one lock of
the database before it reads. So what is proven of the rules there holds here too; the
rules' own guards (conditional updates, unique keys) stand behind it.
"""

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as NoConnectionError

from workflows.exceptions import StoreRefusedError
from workflows.marketplace.tables import APPLICATION_ID, SCHEMA_VERSION

CONNECT_SECONDS = 5
WAIT_SECONDS = 5  # for the lock, or for a connection of the pool
STATEMENT_SECONDS = 30
IDLE_SECONDS = 60  # a process that hangs does not keep the lock for ever
READ_ONLY = "25006"  # a standby, after a failover


def make_engine(url: URL, pool_size: int) -> Engine:
    """Return an engine on a server; it connects on first use."""
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=WAIT_SECONDS,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",  # a snapshot from before the lock is stale
        hide_parameters=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "prepare_threshold": None,  # poolers between do not know them
            "application_name": "workflows-marketplace",
        },
    )
    event.listen(engine, "begin", _take_turns)
    return engine


def is_passing(error: SQLAlchemyError) -> bool:
    """Whether the same may work later."""
    if isinstance(error, OperationalError | InterfaceError | NoConnectionError):
        return True
    state = getattr(error.orig, "sqlstate", "") if isinstance(error, DBAPIError) else ""
    return bool(state == READ_ONLY)


def make_tables(connection: Connection) -> None:
    """Bring the tables up to date, in the schema that the connection sees first.

    Raises:
        StoreRefusedError: the tables are another program's, or of a newer one.
    """
    found = set(inspect(connection).get_table_names())
    version = None
    if "alembic_version" in found:
        query = "SELECT version_num FROM alembic_version"
        version = connection.exec_driver_sql(query).scalar()
    ours = "messages" in found and (version or "").isdecimal()
    if ours and int(version or 0) == SCHEMA_VERSION:
        return
    if ours and int(version or 0) > SCHEMA_VERSION:
        msg = (
            f"the marketplace database has schema {version}; this program knows "
            f"{SCHEMA_VERSION}: use the newer program"
        )
        raise StoreRefusedError(msg)
    if found and not ours:
        msg = (
            "the database has tables of another program; give the marketplace a "
            "database of its own"
        )
        raise StoreRefusedError(msg)
    from workflows.marketplace.migrations.upgrade import upgrade  # noqa: PLC0415

    upgrade(connection)


def _take_turns(connection: Connection) -> None:
    connection.exec_driver_sql(
        f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s';"
        f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s';"
        f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s';"
        f"SELECT pg_advisory_xact_lock({APPLICATION_ID})"
    )
