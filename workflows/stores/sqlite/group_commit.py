"""Group commit: what many threads write at one time becomes one transaction.

Each thread brings an operation and waits for its answer. The first one leads: it runs
all operations that wait in one transaction, commits once, and answers. Whoever came
meanwhile forms the next group, and one of them leads it. So a lone writer pays
nothing, and under load one fsync carries many operations.
"""

import threading
from collections import deque
from collections.abc import Callable
from itertools import islice
from time import monotonic
from typing import Any, Generic, TypeVar, cast

import pysqlite3 as driver

from workflows.exceptions import StoreError, StoreUnavailableError
from workflows.stores.sqlite.connections import Connections
from workflows.stores.sqlite.errors import store_error
from workflows.stores.sqlite.news import News
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.transaction import Clock, Transaction
from workflows.stores.sqlite.write_lock import WriteLock

MAX_GROUP = 64  # operations in one transaction

T = TypeVar("T")
Operation = Callable[[Transaction], T]


class _Waiting(Generic[T]):
    """One operation, from its submission to its answer."""

    __slots__ = ("answer", "answered", "error", "gone", "operation", "since", "turn")

    def __init__(self, operation: Operation[T]) -> None:
        self.operation = operation
        self.answer: T | None = None
        self.error: BaseException | None = None
        self.answered = False
        self.gone = False  # its thread waits no longer
        self.since = monotonic()
        self.turn = threading.Lock()  # released when there is something to look at
        self.turn.acquire()

    def end(self, answer: T | None, error: BaseException | None) -> None:
        """Give it its answer."""
        self.answer, self.error, self.answered = answer, error, True

    def wake(self) -> None:
        """Let its thread look; one time too many does no harm."""
        if self.turn.locked():
            self.turn.release()


class _Spoiled(Exception):  # noqa: N818 - a signal to the group
    """An operation failed after it had written: the group has to be undone."""


Outcome = tuple[Any, BaseException | None]


class GroupCommit:
    """Runs operations in transactions. Thread-safe.

    A job may be interrupted at any line (an exception that another thread raises in
    its thread), so also in here. Each step that others depend on is therefore written
    so that it can be done twice, and is done again in a `finally`.

    Args:
        connections: where the writer comes from.
        clock: the store's time.
        path: the file's name, for errors.
        on_commit: hears what each commit that changed something makes possible.
    """

    def __init__(
        self,
        connections: Connections,
        clock: Clock,
        path: str,
        on_commit: Callable[[News], None],
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
        self._leader: _Waiting[Any] | None = None
        self._lock = WriteLock()
        self._committing = False
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
        try:
            self._line_up(mine)
        finally:
            try:
                self._see_through(mine)
            finally:
                self._see_through(mine)
        if mine.error is not None:
            raise mine.error
        return cast("T", mine.answer)

    def _line_up(self, mine: _Waiting[Any]) -> None:
        """Queue up, and wait to be answered or to lead."""
        with self._mutex:
            self._queue.append(mine)
            if self._leader is None:
                self._leader = mine
        while not self._has_turn(mine):
            mine.turn.acquire()

    def _has_turn(self, mine: _Waiting[Any]) -> bool:
        """Return whether it is answered, or leads; never while that is changing."""
        with self._mutex:
            return mine.answered or self._leader is mine

    def _see_through(self, mine: _Waiting[Any]) -> None:
        """Lead if it is one's turn; afterwards nobody waits for the answer."""
        with self._mutex:
            mine.gone = self._leader is not mine
        if not mine.gone:
            self._lead(mine)

    def _lead(self, mine: _Waiting[Any]) -> None:
        try:
            with self._mutex:
                group = list(islice(self._queue, MAX_GROUP))
            self._run_group(group)
        finally:
            try:
                self._hand_over(mine)
            finally:
                self._hand_over(mine)

    def _hand_over(self, mine: _Waiting[Any]) -> None:
        """Wake whoever is answered, and the next leader, who goes on with the rest.

        After an interrupt the rest may be a part of the group that was not written.
        If the interrupt struck while it was being committed, nobody knows.
        """
        with self._mutex:
            if self._leader is not mine:
                return
            if self._committing:
                for waiting in islice(self._queue, MAX_GROUP):
                    if not waiting.answered:
                        waiting.end(None, self._unknown())
                self._committing = False
            for waiting in self._queue:
                if waiting.answered:
                    waiting.wake()
            rest = [each for each in self._queue if not (each.answered or each.gone)]
            rest = [each for each in rest if each is not mine]
            self._queue = deque(rest)
            if rest:
                rest[0].wake()  # it looks again until it is the leader
            self._leader = rest[0] if rest else None

    def _unknown(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"SQLite file {self._path}: the thread that wrote was interrupted; the "
            "outcome is unknown"
        )

    def _run_group(self, group: list[_Waiting[Any]]) -> None:
        """Run a group in one transaction; if one spoils it, each in its own."""
        try:
            self._transact(group)
        except _Spoiled as spoiled:
            if len(group) == 1:
                group[0].end(None, self._said(spoiled.__cause__))
                return
            for waiting in group:
                self._run_group([waiting])
        except (driver.Error, StoreError) as error:
            for waiting in group:
                waiting.end(None, self._said(error))

    def _said(self, error: BaseException | None) -> BaseException | None:
        return (
            store_error(error, self._path) if isinstance(error, driver.Error) else error
        )

    def _transact(self, group: list[_Waiting[Any]]) -> None:
        """Run a group, commit, and only then answer."""
        outcomes, news = self._connections.write(lambda writer: self._do(writer, group))
        for waiting, outcome in zip(group, outcomes, strict=True):
            waiting.end(*outcome)
        self._committing = False
        if news is not None:
            self.commits += 1
            self._on_commit(news)

    def _do(
        self, connection: Connection, group: list[_Waiting[Any]]
    ) -> tuple[list[Outcome], News | None]:
        try:
            self._lock.begin(connection, group[0].since)
            done = self._run_operations(connection, group)
            self._committing = True
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return done

    def _run_operations(
        self, connection: Connection, group: list[_Waiting[Any]]
    ) -> tuple[list[Outcome], News | None]:
        """Run all operations; return their outcomes, and the news if any wrote."""
        start = connection.total_changes
        transaction = Transaction(connection, self._clock)
        outcomes: list[Outcome] = []
        for waiting in group:
            before = connection.total_changes
            try:
                outcomes.append((waiting.operation(transaction), None))
            except Exception as error:
                wrote = connection.total_changes != before
                if wrote or isinstance(error, driver.Error):
                    raise _Spoiled from error
                outcomes.append((None, error))
                transaction.drop_counts()
            else:
                wrote = connection.total_changes != before
                transaction.keep_counts(wrote=wrote)
        if connection.total_changes == start:
            return outcomes, None
        return outcomes, transaction.write_shared()
