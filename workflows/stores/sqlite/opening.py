"""Opens the file: checks the library, creates it, and migrates it.

Nothing here opens the file by other means while a connection may exist in this
process: closing any descriptor of a file drops all of SQLite's locks on it.
"""

import os
import threading
import time
from importlib import resources
from typing import Any

import pysqlite3 as driver

from workflows.exceptions import StoreRefusedError
from workflows.store import StoreOptions
from workflows.stores.sqlite.errors import NOTADB, is_busy, primary_code
from workflows.stores.sqlite.location import Location

Connection = Any  # the driver has no types

APPLICATION_ID = 0x57464C57  # "WFLW", in the file's header
BUSY_MS = 5_000  # how long the opening of a file waits for other processes
WRITE_BUSY_MS = 1_500  # a write; so that an API can say so within two seconds
READ_BUSY_MS = 1_500
OVERRIDE = "sqlite-wal-reset"
_creating = threading.Lock()


def check_library(version: tuple[int, ...], overrides: frozenset[str]) -> None:
    """Refuse an SQLite that may lose commits when several processes write.

    Raises:
        StoreRefusedError: it has the WAL-reset bug and the risk is not accepted.
    """
    fixed = (
        version >= (3, 51, 3)
        or version < (3, 7, 0)
        or ((3, 50, 7) <= version < (3, 51, 0))
        or ((3, 44, 6) <= version < (3, 45, 0))
    )
    if fixed or OVERRIDE in overrides:
        return
    name = ".".join(map(str, version))
    msg = (
        f"SQLite {name} may lose commits when several processes write (WAL-reset bug, "
        "fixed in 3.51.3, 3.50.7 and 3.44.6): install a newer pysqlite3, or accept "
        f"the risk with the override {OVERRIDE!r}"
    )
    raise StoreRefusedError(msg)


def open_file(location: Location, options: StoreOptions) -> None:
    """Make sure that the file exists, is ours, and has the newest schema.

    Raises:
        StoreRefusedError: foreign, newer, of another namespace or mode.
    """
    check_library(driver.sqlite_version_info, options.overrides)
    _create(location)
    connection = driver.connect(
        os.fspath(location.path), timeout=BUSY_MS / 1000, isolation_level=None
    )
    try:
        _check_ours(connection, location)
        _enter_wal(connection)
        _migrate(connection, location, options)
        _check_namespace(connection, location, options)
    except driver.DatabaseError as error:
        if primary_code(error) != NOTADB:
            raise
        raise _foreign(location, "it is not an SQLite database") from error
    finally:
        connection.close()


def connect(location: Location, *, timeout_ms: int, read_only: bool) -> Connection:
    """Return a connection that any thread may use, one at a time.

    `timeout_ms` holds from then on: the opening itself waits for a process that is
    just recovering or removing the write-ahead log.
    """
    connection = driver.connect(
        os.fspath(location.path),
        timeout=READ_BUSY_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    pragmas = (
        f"PRAGMA synchronous = {location.synchronous}",
        "PRAGMA cache_size = -16384",
        "PRAGMA cell_size_check = ON",
        "PRAGMA trusted_schema = OFF",
        "PRAGMA journal_size_limit = 67108864",
        f"PRAGMA query_only = {'ON' if read_only else 'OFF'}",
        f"PRAGMA busy_timeout = {timeout_ms}",
    )
    for pragma in pragmas:
        connection.execute(pragma)
    return connection


def _create(location: Location) -> None:
    """Create an empty file that only its owner can read; do nothing if it exists."""
    location.path.parent.mkdir(parents=True, exist_ok=True)
    with _creating:
        if location.path.exists():
            return
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
        try:
            os.close(os.open(location.path, flags, 0o600))
        except FileExistsError:
            return  # another process was faster
    folder = os.open(location.path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _foreign(location: Location, why: str) -> StoreRefusedError:
    return StoreRefusedError(
        f"{location.path} is not a store of this project: {why}. Nothing was "
        "changed; name another file"
    )


def _pragma(connection: Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _marks(connection: Connection) -> tuple[int, int, int]:
    """Return application id, schema version and number of objects, of one moment.

    Read one by one they would show a file of strangers to whoever looks while
    another process makes the schema: tables, but no application id.
    """
    alone = not connection.in_transaction
    if alone:
        connection.execute("BEGIN")
    try:
        application = _pragma(connection, "application_id")
        version = _pragma(connection, "user_version")
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    finally:
        if alone:
            connection.execute("ROLLBACK")
    return application, version, tables


def _check_ours(connection: Connection, location: Location) -> None:
    application, version, tables = _marks(connection)
    if application != APPLICATION_ID and (application or version or tables):
        raise _foreign(location, f"application id {application}, {tables} objects")
    newest = len(migrations())
    if version > newest:
        msg = (
            f"{location.path} has schema {version}, this program knows up to {newest}: "
            "run the newer program that wrote it. Nothing was changed"
        )
        raise StoreRefusedError(msg)


def _enter_wal(connection: Connection) -> None:
    """Switch to WAL; of several processes that create the file, all but one wait."""
    deadline = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except driver.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def migrations() -> list[str]:
    """Return the scripts, in order; number n is the n-th."""
    folder = resources.files(__package__) / "migrations"
    scripts = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    return [script.read_text(encoding="utf-8") for script in scripts]


def _migrate(connection: Connection, location: Location, options: StoreOptions) -> None:
    scripts = migrations()
    if _pragma(connection, "user_version") == len(scripts):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _check_ours(connection, location)  # somebody else may have been faster
        version = _pragma(connection, "user_version")
        for script in scripts[version:]:
            for statement in statements(script):
                connection.execute(statement)
        if version == 0:
            connection.execute(
                "INSERT INTO store (id, namespace, test_mode, now, wall, seq) "
                "VALUES (1, ?, ?, 0, 0, 0)",
                (options.namespace, options.clock is not None),
            )
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(scripts)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def statements(script: str) -> list[str]:
    """Split a script into its statements (`executescript` would commit first)."""
    found, lines = [], list[str]()
    for line in script.splitlines():
        lines.append(line)
        if driver.complete_statement("\n".join(lines)):
            found.append("\n".join(lines))
            lines.clear()
    return found


def _check_namespace(
    connection: Connection, location: Location, options: StoreOptions
) -> None:
    namespace, test_mode = connection.execute(
        "SELECT namespace, test_mode FROM store"
    ).fetchone()
    if namespace != options.namespace:
        msg = (
            f"{location.path} holds the namespace {namespace!r}, not "
            f"{options.namespace!r}: use one file per namespace"
        )
        raise StoreRefusedError(msg)
    if bool(test_mode) != (options.clock is not None):
        made = "with" if test_mode else "without"
        msg = (
            f"{location.path} was made {made} a test clock; test mode and real time "
            "never share a store"
        )
        raise StoreRefusedError(msg)
