"""What SQLite raises, said in the store's terms: what, where, what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import pysqlite3 as driver

from workflows.exceptions import StoreError, StoreFullError, StoreUnavailableError

BUSY, LOCKED, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, NOTADB = (
    *(5, 6, 8, 10, 11, 13, 14, 26),
)

_ADVICE = {
    BUSY: "another process holds the write lock; find it, or retry later",
    LOCKED: "another connection holds the table; retry later",
    READONLY: "it is read-only; check owner and mode of the file and its folder",
    IOERR: "the disk reports an error; check the disk and the system log",
    CORRUPT: "it is damaged; stop all processes and restore a backup",
    CANTOPEN: "it cannot be opened; check that the folder exists and is writable",
    NOTADB: "it is not an SQLite database; check the path",
}


def primary_code(error: driver.Error) -> int:
    """Return the primary result code, 0 if the error did not come from SQLite."""
    code: int = getattr(error, "sqlite_errorcode", 0) or 0
    return code & 0xFF


def is_busy(error: driver.Error) -> bool:
    """Return whether somebody else holds the lock."""
    return primary_code(error) in {BUSY, LOCKED}


def store_error(error: driver.Error, path: str) -> StoreError:
    """Return the store's error for a driver's error."""
    code = primary_code(error)
    if code == FULL:
        return StoreFullError(
            f"SQLite file {path}: {error}; nothing was written. Free disk space, or "
            "delete old records"
        )
    advice = _ADVICE.get(code, "unexpected; see the error that caused this one")
    return StoreUnavailableError(f"SQLite file {path}: {error}; {advice}")


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Raise the store's errors in place of the driver's."""
    try:
        yield
    except driver.Error as error:
        raise store_error(error, path) from error
