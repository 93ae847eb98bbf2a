"""The connections of one process to one file.

They are opened at first use and given back by `close`, after which the next use
opens them anew. SQLite must not be carried over a fork: its locks would be held by
the parent only. So all connections are closed before a fork, in a short pause.
"""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pysqlite3 as driver

from workflows.exceptions import StoreRefusedError, StoreUnavailableError
from workflows.store import StoreOptions
from workflows.stores.sqlite.errors import is_busy, store_error
from workflows.stores.sqlite.location import Location
from workflows.stores.sqlite.opening import READ_BUSY_MS, Connection, connect, open_file

MAX_IDLE_READERS = 8


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
        self._gate = threading.Condition()
        self._users = 0
        self._closing = False
        self._opened = False
        self._file: tuple[int, int] | None = None  # which one is open
        self._writer: Connection = None
        self._watcher: Connection = None
        self._readers: list[Connection] = []

    # -- use --

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Lend the writer; the caller sees to it that it is used by one at a time."""
        self._enter()
        try:
            if self._writer is None:
                # BEGIN IMMEDIATE waits in Python, with finer steps than SQLite's.
                self._writer = connect(self._location, timeout_ms=0, read_only=False)
            yield self._writer
        except driver.Error as error:
            if not is_busy(error):
                _close(self._writer)
                self._writer = None
            raise
        finally:
            self._leave()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Lend a reader in one snapshot; raises the store's errors."""
        reader: Connection = None
        self._enter()
        try:
            reader = self._take_reader()
            reader.execute("BEGIN")
            yield reader
            reader.execute("COMMIT")
            self._give_reader(reader)
        except driver.Error as error:
            _close(reader)
            raise store_error(error, str(self._location.path)) from error
        except BaseException:
            _close(reader)
            raise
        finally:
            self._leave()

    def data_version(self) -> int:
        """Return a number that changes when any other connection has committed."""
        self._enter()
        try:
            if self._watcher is None:
                self._watcher = connect(
                    self._location, timeout_ms=READ_BUSY_MS, read_only=True
                )
            version: int = self._watcher.execute("PRAGMA data_version").fetchone()[0]
            return version
        except driver.Error as error:
            _close(self._watcher)
            self._watcher = None
            raise store_error(error, str(self._location.path)) from error
        finally:
            self._leave()

    def _take_reader(self) -> Connection:
        with self._gate:
            if self._readers:
                return self._readers.pop()
        return connect(self._location, timeout_ms=READ_BUSY_MS, read_only=True)

    def _give_reader(self, reader: Connection) -> None:
        with self._gate:
            if len(self._readers) < MAX_IDLE_READERS:
                self._readers.append(reader)
                return
        reader.close()

    # -- opening, closing, forking --

    def _enter(self) -> None:
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
        with self._gate:
            while self._closing:
                self._gate.wait()
            if not self._opened:
                self._open()
            self._users += 1

    def _open(self) -> None:
        path = str(self._location.path)
        try:
            open_file(self._location, self._options)
        except driver.Error as error:
            raise store_error(error, path) from error
        except OSError as error:
            raise store_error(driver.OperationalError(str(error)), path) from error
        self._file = _file_id(self._location)
        self._opened = True

    def _leave(self) -> None:
        with self._gate:
            self._users -= 1
            if self._closing and self._users == 0:
                self._gate.notify_all()

    def close(self) -> None:
        """Close all connections as soon as nobody uses them."""
        self._pause()
        self._go_on()

    def _pause(self) -> None:
        with self._gate:
            while self._closing:
                self._gate.wait()
            self._closing = True
            while self._users:
                self._gate.wait()
            for connection in (self._writer, self._watcher, *self._readers):
                _close(connection)
            self._writer = self._watcher = None
            self._readers.clear()
            self._opened = False

    def _start_anew(self) -> None:
        """In a forked child: no connection, and none of the parent's threads."""
        self._reset()
        self._after_fork()

    def _go_on(self) -> None:
        with self._gate:
            self._closing = False
            self._gate.notify_all()


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


def _before_fork() -> None:
    for connections in [*_instances]:
        connections._pause()  # noqa: SLF001 - same module
        _paused.append(connections)


def _each_paused(action: Callable[[Connections], None]) -> None:
    while _paused:
        action(_paused.pop())


os.register_at_fork(
    before=_before_fork,
    after_in_parent=lambda: _each_paused(Connections._go_on),  # noqa: SLF001
    after_in_child=lambda: _each_paused(Connections._start_anew),  # noqa: SLF001
)
