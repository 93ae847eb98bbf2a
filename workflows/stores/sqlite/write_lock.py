"""The write lock of the file, shared by processes in a fair way.

SQLite gives the lock to whoever asks first after it is free, and its own waiting asks
ever more rarely: under load one process would starve. Here who has waited longer asks
more often, and a process that met another one lets it go first for a moment.
"""

import random
from time import monotonic, sleep

import pysqlite3 as driver

from workflows.stores.sqlite.errors import is_busy
from workflows.stores.sqlite.opening import WRITE_BUSY_MS, Connection

FIRST_STEP_S = 0.003  # between two tries of one that has just come
LAST_STEP_S = 0.0003  # of one that has waited for AGE_S
AGE_S = 0.09
YIELD_S = 0.0003
MEMORY_S = 0.25  # how long a meeting is remembered


class WriteLock:
    """Begins write transactions of one process; used by one thread at a time."""

    def __init__(self) -> None:
        self._yields_until = 0.0

    def begin(self, connection: Connection, since: float) -> None:
        """Begin a write transaction.

        The wait counts from `since`, when the oldest operation was submitted: nobody
        waits for a lock that an earlier group has waited for in vain.

        Raises:
            OperationalError: others held the lock for WRITE_BUSY_MS.
        """
        began = now = monotonic()
        if began < self._yields_until:
            sleep(YIELD_S)
        while not self._try(connection, last=now > since + WRITE_BUSY_MS / 1000):
            age = min(1.0, (now - began) / AGE_S)
            step = FIRST_STEP_S + (LAST_STEP_S - FIRST_STEP_S) * age
            sleep(random.uniform(step / 4, step))
            now = monotonic()
            self._yields_until = now + MEMORY_S

    def _try(self, connection: Connection, *, last: bool) -> bool:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except driver.OperationalError as error:
            if last or not is_busy(error):
                raise
            return False
        return True
