"""A TCP link to a server that can be slow, or lose replies, when told to."""

import selectors
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self


class FaultyLink:
    """Forwards connections to a port of this machine; meant for few of them.

    `lose_replies`: what the server answers is dropped and the connection cut, after
    the request has reached it; `lose_next`: so for that many answers. `delay`: seconds
    that each answer is held back.
    """

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.lose_replies = False
        self.lose_next = 0
        self.lost = 0
        self.delay = 0.0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with (
            client,
            suppress(OSError),
            socket.create_connection(self._server) as server,
            selectors.DefaultSelector() as ready,
        ):
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    source, target = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is server:
                        if self.lose_replies or self.lose_next:
                            self.lose_next = max(self.lose_next - 1, 0)
                            self.lost += 1
                            return
                        time.sleep(self.delay)
                    target.sendall(data)
