"""Requests that wait: never so many that the others find no thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from workflows.client.service import BusyError

DEFAULT_WAITS = 2


class Waits:
    """At most `limit` requests of this process wait at once (long polls, queries)."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._free = threading.BoundedSemaphore(limit)

    @contextmanager
    def hold(self, wait_s: float) -> Iterator[None]:
        """Take a place while the block runs; what does not wait needs none.

        Raises:
            BusyError: all places are taken.
        """
        if wait_s <= 0:
            yield
            return
        if not self._free.acquire(blocking=False):
            msg = f"{self._limit} requests of this process wait already"
            raise BusyError(msg)
        try:
            yield
        finally:
            self._free.release()
