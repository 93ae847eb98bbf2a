"""Group commit: what many threads write at one time becomes one transaction.

Each thread brings an operation and waits for its answer. The first one leads: it runs
all operations that wait in one transaction, commits once, and answers. Whoever came
meanwhile forms the next group, and one of them leads it. So a lone writer pays
nothing, and under load one fsync carries many operations.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import pysqlite3 as driver

from workflows.exceptions import StoreError, StoreUnavailableError
from workflows.stores.sqlite.connections import Connections
from workflows.stores.sqlite.errors import is_busy, store_error
from workflows.stores.sqlite.opening import WRITE_BUSY_MS, Connection
from workflows.stores.sqlite.transaction import Clock, Transaction

MAX_GROUP = 64  # operations in one transaction

T = TypeVar("T")
Operation = Callable[[Transaction], T]


class _Waiting(Generic[T]):
    """One operation, from its submission to its answer."""

    __slots__ = ("answer", "error", "leads", "operation", "since", "turn")

    def __init__(self, operation: Operation[T]) -> None:
        self.operation = operation
        self.answer: T | None = None
        self.error: BaseException | None = None
        self.leads = False
        self.since = time.monotonic()
        self.turn = threading.Lock()  # released when it is answered, or is to lead
        self.turn.acquire()


class _Spoiled(Exception):  # noqa: N818 - a signal to the group
    """An operation failed after it had written: the group has to be undone."""


class GroupCommit:
    """Runs operations in transactions. Thread-safe.

    Args:
        connections: where the writer comes from.
        clock: the store's time.
        path: the file's name, for errors.
        on_commit: called after each commit that changed something.
    """

    def __init__(
        self,
        connections: Connections,
        clock: Clock,
        path: str,
        on_commit: Callable[[], None],
    ) -> None:
        self._connections = connections
        self._clock = clock
        self._path = path
        self._on_commit = on_commit
        self.reset()

    def reset(self) -> None:
        """Forget all waiters (they are threads of the process before the fork)."""
        self._mutex = threading.Lock()
        self._queue: deque[_Waiting[Any]] = deque()
        self._led = False
        self.commits = 0  # transactions that wrote; for people and tests

    def run(self, operation: Operation[T]) -> T:
        """Run an operation and return its answer, once it is committed.

        An operation that raises before its first write leaves the others alone; it
        must be repeatable, for if another one spoils the group all run again.

        Raises:
            StoreUnavailableError: the outcome is unknown; send the same ids again.
            StoreFullError: nothing was written.
        """
        mine = _Waiting(operation)
        with self._mutex:
            self._queue.append(mine)
            if not self._led:
                self._led = mine.leads = True
        try:
            if not mine.leads:
                mine.turn.acquire()
        finally:  # an interrupt may strike while waiting; the next must still be led
            if mine.leads:
                self._lead(mine)
        if mine.error is not None:
            raise mine.error
        return cast("T", mine.answer)

    def _lead(self, mine: _Waiting[Any]) -> None:
        with self._mutex:
            group = [
                self._queue.popleft() for _ in range(min(MAX_GROUP, len(self._queue)))
            ]
        unknown = StoreUnavailableError(
            f"SQLite file {self._path}: the writing thread was interrupted"
        )
        for waiting in group:
            waiting.error = unknown
        try:
            self._run_group(group)
        finally:
            with self._mutex:
                following = self._queue[0] if self._queue else None
                self._led = following is not None
                if following is not None:
                    following.leads = True
            for waiting in group:
                if waiting is not mine:
                    waiting.turn.release()
            if following is not None:
                following.turn.release()

    def _run_group(self, group: list[_Waiting[Any]]) -> None:
        """Run a group in one transaction; if one spoils it, each in its own."""
        try:
            self._transact(group)
        except _Spoiled as spoiled:
            if len(group) == 1:
                group[0].error = self._said(spoiled.__cause__)
                return
            for waiting in group:
                self._run_group([waiting])
        except (driver.Error, StoreError) as error:
            for waiting in group:
                waiting.error = self._said(error)

    def _said(self, error: BaseException | None) -> BaseException | None:
        return (
            store_error(error, self._path) if isinstance(error, driver.Error) else error
        )

    def _transact(self, group: list[_Waiting[Any]]) -> None:
        with self._connections.writing() as connection:
            _begin(connection, group[0].since)
            try:
                changed = self._run_operations(connection, group)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        if changed:
            self.commits += 1
            self._on_commit()

    def _run_operations(
        self, connection: Connection, group: list[_Waiting[Any]]
    ) -> bool:
        """Run all operations; return whether they wrote anything."""
        start = connection.total_changes
        transaction = Transaction(connection, self._clock)
        for waiting in group:
            before = connection.total_changes
            try:
                waiting.answer = waiting.operation(transaction)
            except Exception as error:
                waiting.error = error
                if connection.total_changes != before or isinstance(
                    error, driver.Error
                ):
                    raise _Spoiled from error
                transaction.drop_counts()
            else:
                waiting.error = None
                transaction.keep_counts()
        if connection.total_changes == start:
            return False
        transaction.write_shared()
        return True


def _begin(connection: Connection, since: float) -> None:
    """Take the write lock; wait for other processes in small, random steps.

    The wait counts from `since`, when the oldest of the group was submitted: nobody
    waits for a lock that an earlier group has waited for in vain.
    """
    deadline = since + WRITE_BUSY_MS / 1000
    step = 0.0005
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            return
        except driver.OperationalError as error:
            if not is_busy(error) or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(step / 4, step))
        step = min(step * 1.5, 0.005)
