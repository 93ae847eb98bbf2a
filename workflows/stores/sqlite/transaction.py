"""One write transaction: the time it happens at, the places and counts it gives out."""

from collections.abc import Callable
from typing import Any, TypeVar

from workflows.engine.clock import ClockState, advance
from workflows.engine.states import PENDING, JobState
from workflows.stores.sqlite.news import Gathering, News, queue_topic
from workflows.stores.sqlite.opening import Connection

MINUTE_MS = 60_000
_ACTIVE, _EXEMPT = "state:active", "exempt:active"
T = TypeVar("T")
Execute = Callable[..., Any]
ExecuteMany = Callable[..., Any]

_ADD_COUNTER = (
    "INSERT INTO counters (queue, key, n) VALUES (?, ?, ?) "
    "ON CONFLICT DO UPDATE SET n = n + excluded.n"
)
_LIMITED = (
    "SELECT 1 FROM queues WHERE name = ? "
    "AND iif(overridden, own_concurrency, concurrency) IS NOT NULL"
)
_ADD_MINUTE = (
    "INSERT INTO minutes (queue, minute, key, n) VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET n = n + excluded.n"
)


class Clock:
    """The store's time as one process knows it: what it read last, and the wall.

    The truth is in the file, written by every transaction that writes; the copy here
    only keeps time from going back between two reads.
    """

    def __init__(self, wall: Any, *, test_mode: bool) -> None:
        self._wall = wall
        self._test_mode = test_mode
        self._last = ClockState(0, 0)

    def read(self, stored: ClockState) -> ClockState:
        """Return the clock now."""
        last = stored if stored.now > self._last.now else self._last
        wall = self._wall()
        if self._test_mode:
            state = ClockState(max(last.now, wall), wall)
        else:
            state = advance(last, wall)
        if state.now >= self._last.now:  # else another thread read later
            self._last = state
        return state

    def forget(self) -> None:
        """Trust the file alone (it was wiped)."""
        self._last = ClockState(0, 0)


class Transaction:
    """What the operations of one transaction share.

    Counts are collected and written once, before the commit. They are kept apart per
    operation until it has succeeded, so that a refused one leaves no count.
    """

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self.connection = connection
        self.execute: Execute = connection.execute  # one statement; its cursor
        self.executemany: ExecuteMany = connection.executemany  # one per row
        now, wall, seq, commits = connection.execute(
            "SELECT now, wall, seq, commits FROM store"
        ).fetchone()
        self._seq: int = seq
        self._commits: int = commits
        self._clock = clock.read(ClockState(now, wall))
        self.now = self._clock.now
        self._counters: dict[tuple[str, str], int] = {}
        self._minutes: dict[tuple[str, int, str], int] = {}
        self._op_counters: dict[tuple[str, str], int] = {}
        self._op_minutes: dict[tuple[str, str], int] = {}
        self.told = Gathering()
        # What operations have found out, for those after them; who changes it says so.
        self.nothing_to_forget = False
        self.leased_values: bool | None = None  # whether any value belongs to a lease
        self.spaces: dict[str, bool] = {}  # whether a space of values holds any
        self.queues: dict[str, Any] = {}  # the rows of queues

    # -- times, places, counts --

    def due(self, delay_ms: int, run_at: int | None) -> int:
        """Return the time that a delay or a due time means."""
        return self.now + delay_ms if run_at is None else run_at

    def next_seq(self) -> int:
        """Return a place that nobody else has."""
        self._seq += 1
        return self._seq

    def counter(self, queue: str, key: str) -> int:
        """Return a counter as it is in this transaction."""
        row = self.execute(
            "SELECT n FROM counters WHERE queue = ? AND key = ?", (queue, key)
        ).fetchone()
        pair = (queue, key)
        own = self._counters.get(pair, 0) + self._op_counters.get(pair, 0)
        return own + (int(row[0]) if row else 0)

    def moved(
        self,
        queue: str,
        old: JobState | None,
        new: JobState | None,
        number: int = 1,
        type_name: str = "",
    ) -> None:
        """Count that jobs went from one state to another (None: no record).

        Whoever waits for jobs of this type (none given: of any) hears of new ones.
        """
        if new in PENDING:
            self.told.tell(queue_topic(queue, type_name))
        if old is not None:
            self._add(queue, _STATE_KEYS[old], -number)
        if new is not None:
            self._add(queue, _STATE_KEYS[new], number)

    def exempt(self, queue: str, number: int) -> None:
        """Count active jobs that take no place in the queue's concurrency."""
        self._add(queue, _EXEMPT, number)

    def places(self, queue: str) -> int:
        """Return how many active jobs take a place in the queue's concurrency."""
        exempt = self.counter(queue, _EXEMPT)
        return self.counter(queue, _ACTIVE) - exempt

    def count_runs(self, status: str, number: int) -> None:
        """Count runs of a status; they are counted under no queue."""
        self._add("", f"run:{status}", number)

    def total(
        self, queue: str, total: str, minute: str | None, number: int = 1
    ) -> None:
        """Add to a total and, if it has one, to its key in the minute."""
        self._add(queue, f"total:{total}", number)
        if minute is not None:
            self.tally(queue, minute, number)

    def tally(self, queue: str, key: str, number: int = 1) -> None:
        """Add to a key of this minute."""
        pair = (queue, f"{key}")
        self._op_minutes[pair] = self._op_minutes.get(pair, 0) + number

    def _add(self, queue: str, key: str, number: int) -> None:
        pair = (queue, key)
        self._op_counters[pair] = self._op_counters.get(pair, 0) + number

    # -- the end of an operation, of the transaction --

    def keep_counts(self, *, wrote: bool) -> None:
        """The operation succeeded: its counts hold, and its news."""
        self.told.keep(wrote=wrote)
        self._keep_counts()

    def _keep_counts(self) -> None:
        for pair, number in self._op_counters.items():
            self._counters[pair] = self._counters.get(pair, 0) + number
        minute = self.now // MINUTE_MS
        for (queue, key), number in self._op_minutes.items():
            place = (queue, minute, key)
            self._minutes[place] = self._minutes.get(place, 0) + number
        self._drop_counts()

    def drop_counts(self) -> None:
        """The operation changed nothing: nor do its counts."""
        self.told.drop()
        self._drop_counts()

    def _drop_counts(self) -> None:
        self._op_counters = {}
        self._op_minutes = {}

    def forget_counts(self) -> None:
        """Everything was deleted, what is being counted too."""
        self.leased_values = None
        self.spaces.clear()
        self.queues.clear()
        self._counters = {}
        self._minutes = {}
        self._drop_counts()

    def write_shared(self) -> News:
        """Write the counts, the clock and the last place; return the news."""
        self._tell_of_places()
        counters = [(*pair, n) for pair, n in self._counters.items() if n]
        if counters:
            self.executemany(_ADD_COUNTER, counters)
        if self._minutes:
            rows = [(*place, n) for place, n in self._minutes.items()]
            self.executemany(_ADD_MINUTE, rows)
        self.execute(
            "UPDATE store SET now = ?, wall = ?, seq = ?, commits = ?",
            (*self._clock, self._seq, self._commits + 1),
        )
        return News(self.told.topics, self._commits, self._commits + 1)

    def _tell_of_places(self) -> None:
        """Places that became free in a queue that has not too many are news."""
        taken: dict[str, int] = {}
        for (queue, key), number in self._counters.items():
            if key == _ACTIVE:
                taken[queue] = taken.get(queue, 0) + number
            elif key == _EXEMPT:
                taken[queue] = taken.get(queue, 0) - number
        for queue, places in taken.items():
            if places < 0 and self.execute(_LIMITED, (queue,)).fetchone():
                self.told.tell(queue_topic(queue))
        self.told.keep(wrote=False)


_STATE_KEYS = {state: f"state:{state.value}" for state in JobState}
