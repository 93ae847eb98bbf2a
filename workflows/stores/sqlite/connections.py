"""The connections of one process to one file.

They are opened at first use and given back by `close`, after which the next use
opens them anew. SQLite must not be carried over a fork: its locks would be held by
the parent only. So all connections are closed before a fork, in a short pause.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import TypeVar

import pysqlite3 as driver

from workflows.exceptions import StoreRefusedError, StoreUnavailableError
from workflows.store import StoreOptions
from workflows.stores.sqlite.errors import is_busy, store_error
from workflows.stores.sqlite.location import Location
from workflows.stores.sqlite.opening import READ_BUSY_MS, Connection, connect, open_file

T = TypeVar("T")
MAX_IDLE_READERS = 8
PAUSE_S = 0.0005  # between two looks, while connections are being closed


class Connections:
    """One writer, some readers, and one that only watches. Thread-safe."""

    def __init__(
        self,
        location: Location,
        options: StoreOptions,
        after_fork: Callable[[], None],
    ) -> None:
        self._location = location
        self._options = options
        self._after_fork = after_fork
        self._reset()
        _instances.add(self)

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._uses: set[object] = set()  # one token per use that goes on
        self._pauses: set[object] = set()  # one token per closing that goes on
        self._opened = False
        self._file: tuple[int, int] | None = None  # which one is open
        self._writer: Connection = None
        self._watcher: Connection = None
        self._readers: list[Connection] = []

    # -- use --

    # Work is handed in instead of a `with` block: an interrupt may strike anywhere in
    # here, and these frames leave, twice, what they may have entered.

    def _using(self, work: Callable[[], T]) -> T:
        """Keep the connections open meanwhile."""
        token = object()
        try:
            self._enter(token)
            return work()
        finally:
            try:
                self._uses.discard(token)
            finally:
                self._uses.discard(token)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Lend the writer; the caller sees to it that it is used by one at a time."""
        return self._using(lambda: self._write(work))

    def _write(self, work: Callable[[Connection], T]) -> T:
        try:
            if self._writer is None:
                # BEGIN waits in Python, in finer steps than SQLite's own.
                self._writer = connect(self._location, timeout_ms=0, read_only=False)
            return work(self._writer)
        except driver.Error as error:
            if not is_busy(error):
                self._drop_writer()
            raise
        finally:
            if self._writer is not None and self._writer.in_transaction:
                self._drop_writer()  # interrupted before it could roll back

    def _drop_writer(self) -> None:
        _close(self._writer)
        self._writer = None

    def read(self, work: Callable[[Connection], T]) -> T:
        """Lend a reader in one snapshot; raises the store's errors."""
        return self._using(lambda: self._read(work))

    def _read(self, work: Callable[[Connection], T]) -> T:
        reader: Connection = None
        try:
            reader = self._take_reader()
            reader.execute("BEGIN")
            answer = work(reader)
            reader.execute("COMMIT")
            self._give_reader(reader)
        except driver.Error as error:
            _close(reader)
            raise store_error(error, str(self._location.path)) from error
        except BaseException:
            _close(reader)
            raise
        return answer

    def data_version(self) -> int:
        """Return a number that changes when any other connection has committed."""
        return self._watch("PRAGMA data_version")

    def commits(self) -> int:
        """Return how many transactions have changed the file."""
        return self._watch("SELECT commits FROM store")

    def _watch(self, question: str) -> int:
        return self._using(lambda: self._look(question))

    def _look(self, question: str) -> int:
        try:
            if self._watcher is None:
                self._watcher = connect(
                    self._location, timeout_ms=READ_BUSY_MS, read_only=True
                )
            row = self._watcher.execute(question).fetchone()
            return int(row[0])
        except driver.Error as error:
            _close(self._watcher)
            self._watcher = None
            raise store_error(error, str(self._location.path)) from error

    def _take_reader(self) -> Connection:
        with self._lock:
            if self._readers:
                return self._readers.pop()
        return connect(self._location, timeout_ms=READ_BUSY_MS, read_only=True)

    def _give_reader(self, reader: Connection) -> None:
        with self._lock:
            if len(self._readers) < MAX_IDLE_READERS:
                self._readers.append(reader)
                return
        reader.close()

    # -- opening, closing, forking --

    def _enter(self, token: object) -> None:
        if self._pid != os.getpid():
            msg = (
                f"SQLite file {self._location.path}: this process was forked by other "
                "means than os.fork(); make the store after the fork"
            )
            raise StoreRefusedError(msg)
        if self._opened and _file_id(self._location) != self._file:
            self.close()
            msg = (
                f"SQLite file {self._location.path} was replaced or removed while it "
                "was open; the next call opens what is there now"
            )
            raise StoreUnavailableError(msg)
        while token not in self._uses:
            with self._lock:
                if not self._pauses:
                    self._open()
                    self._uses.add(token)
                    return
            time.sleep(PAUSE_S)

    def _open(self) -> None:
        if self._opened:
            return
        path = str(self._location.path)
        try:
            open_file(self._location, self._options)
        except driver.Error as error:
            raise store_error(error, path) from error
        except OSError as error:
            msg = (
                f"SQLite file {path}: {error.strerror}; it cannot be made: check its "
                "folder, who owns that and what its mode is"
            )
            raise StoreUnavailableError(msg) from error
        self._file = _file_id(self._location)
        self._opened = True

    def close(self) -> None:
        """Close all connections as soon as nobody uses them."""
        token = object()
        try:
            self._pause(token)
        finally:
            self._go_on(token)

    def _pause(self, token: object) -> None:
        """Close all connections once nobody uses them; keep all others waiting."""
        self._pauses.add(token)
        while True:
            with self._lock:
                if not self._uses:
                    for connection in (self._writer, self._watcher, *self._readers):
                        _close(connection)
                    self._writer = self._watcher = None
                    self._readers.clear()
                    self._opened = False
                    return
            time.sleep(PAUSE_S)

    def _go_on(self, token: object) -> None:
        self._pauses.discard(token)

    def _start_anew(self) -> None:
        """In a forked child: no connection, and none of the parent's threads."""
        self._reset()
        self._after_fork()


def _file_id(location: Location) -> tuple[int, int] | None:
    """Return which file the path names now; None: no file."""
    try:
        found = os.stat(location.path)  # noqa: PTH116 - called for every operation
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _close(connection: Connection) -> None:
    """Close a connection, whatever its state."""
    if connection is None:
        return
    try:
        connection.close()
    except driver.Error:
        pass  # it is broken already; the file has what was committed


_instances: "weakref.WeakSet[Connections]" = weakref.WeakSet()
_paused: list[Connections] = []
_FORK = object()


def _before_fork() -> None:
    for connections in [*_instances]:
        connections._pause(_FORK)  # noqa: SLF001 - same module
        _paused.append(connections)


def _in_parent() -> None:
    while _paused:
        _paused.pop()._go_on(_FORK)  # noqa: SLF001 - same module


def _in_child() -> None:
    while _paused:
        _paused.pop()._start_anew()  # noqa: SLF001 - same module


os.register_at_fork(
    before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child
)
