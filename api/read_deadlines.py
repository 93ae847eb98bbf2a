"""Sockets that are being read, and until when they may be."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class ReadDeadlines:
    """Ends reads that take too long, however many small pieces arrive meanwhile.

    A socket's own timeout starts anew with every byte; here the whole read has one
    deadline (monotonic seconds). `end_overdue` is called about once a second by the
    worker's main loop; the reader then sees the end of the stream.
    """

    def __init__(self) -> None:
        self._reading: dict[socket.socket, float] = {}

    @contextmanager
    def watch(
        self, connection: socket.socket | None, deadline: float
    ) -> Iterator[None]:
        """Watch a socket while it is read (None: nothing to watch)."""
        if connection is None:
            yield
            return
        self._reading[connection] = deadline
        try:
            yield
        finally:
            self.forget(connection)

    def forget(self, connection: socket.socket) -> None:
        """Stop watching a socket."""
        self._reading.pop(connection, None)

    def end_overdue(self) -> None:
        """Half-close the sockets whose deadline has passed; they can still answer."""
        now = time.monotonic()
        for connection, deadline in list(self._reading.items()):
            if now >= deadline:
                self._reading.pop(connection, None)
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RD)


READ_DEADLINES = ReadDeadlines()  # one per process, as there is one main loop
