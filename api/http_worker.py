"""gunicorn's threaded worker, with an end to every wait for a client.

gunicorn bounds neither the arrival of a request's head, nor a response that nobody
reads, and it lingers over each connection it closes in its one main loop. A few idle
clients could so hold every thread.
"""

import socket
import time
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from api.read_deadlines import READ_DEADLINES

WRITE_SECONDS = 30.0  # for a client to take one piece of a response
DRAIN_SECONDS = 2.0  # for the rest of a body that nobody read
LINGER_SECONDS = 2.0  # between our end of a connection and the client's
LINGER_BYTES = 64 * 1024


class HttpWorker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """A `gthread` worker whose threads no client can hold for long.

    `head_seconds`: what the request line and all headers may take to arrive.
    """

    head_seconds = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lingering: deque[TConn] = deque()

    # -- in a thread --

    def handle(self, conn: TConn) -> Any:
        """Serve a connection that has something to say."""
        with READ_DEADLINES.watch(conn.sock, time.monotonic() + self.head_seconds):
            return super().handle(conn)

    def handle_request(self, req: Any, conn: TConn) -> bool:
        """Serve a request whose head is complete; `api.body` watches its body."""
        READ_DEADLINES.forget(conn.sock)
        conn.sock.settimeout(WRITE_SECONDS)
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            self.log.debug("a client did not take its response")
            return False

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        with READ_DEADLINES.watch(conn.sock, time.monotonic() + DRAIN_SECONDS):
            return bool(super()._keepalive_after(conn, keepalive))

    # -- in the main loop --

    def finish_request(self, conn: TConn, fs: "Future[Any]") -> None:
        """Keep, poll or close a connection after its thread is done with it."""
        ended = not fs.cancelled() and not fs.exception() and fs.result() is False
        if not ended:
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            read_on = partial(self._read_on, conn)
            self.poller.register(conn.sock, EVENT_READ, read_on)
        except (OSError, ValueError, KeyError):  # the client is gone already
            self._close(conn)
            return
        conn.timeout = time.monotonic() + LINGER_SECONDS
        conn.discarded = 0
        self._lingering.append(conn)

    def _read_on(self, conn: TConn, sock: socket.socket) -> None:
        """Discard what still comes, so that closing does not cut off our answer."""
        try:
            data = sock.recv(LINGER_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        conn.discarded += len(data)
        if not data or conn.discarded > LINGER_BYTES:
            self._lingering.remove(conn)
            self._stop_polling(conn)
            self._close(conn)

    def murder_pending(self) -> None:
        """Close what is overdue. gunicorn calls this about once a second."""
        super().murder_pending()
        READ_DEADLINES.end_overdue()
        now = time.monotonic()
        while self._lingering and self._lingering[0].timeout <= now:
            conn = self._lingering.popleft()
            self._stop_polling(conn)
            self._close(conn)

    def _stop_polling(self, conn: TConn) -> None:
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)

    def _close(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()
