"""Queues: settings, limits, and how much room they leave."""

from dataclasses import dataclass

from workflows.exceptions import NotFoundError
from workflows.store import QueueLimits
from workflows.stores.sqlite.news import queue_topic
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.transaction import Transaction

_SELECT = """
SELECT name, paused, paused_by, overridden,
       iif(overridden, own_concurrency, concurrency),
       iif(overridden, own_rate_max, rate_max),
       iif(overridden, own_rate_ms, rate_ms),
       window_at, window_used
FROM queues
"""
SELECT_ONE = _SELECT + "WHERE name = ?"
SELECT_ALL = _SELECT + "ORDER BY name"


@dataclass(slots=True)
class QueueState:
    """A queue's row, with the limits that hold."""

    name: str
    paused: bool
    paused_by: str
    overridden: bool
    concurrency: int | None
    rate_max: int | None
    rate_ms: int | None
    window_at: int | None
    window_used: int

    def window_end(self, now: int) -> int | None:
        """Return when the open rate window ends; None if none is open."""
        if self.rate_ms is None or self.window_at is None:
            return None
        end = self.window_at + self.rate_ms
        return end if now < end else None

    def room(self, now: int, held: int) -> float:
        """Return how many jobs may start, when `held` places are taken."""
        if self.paused:
            return 0
        room = float("inf")
        if self.concurrency is not None:
            room = max(0, self.concurrency - held)
        if self.rate_max is not None:
            used = self.window_used if self.window_end(now) is not None else 0
            room = min(room, max(0, self.rate_max - used))
        return room

    def use_window(self, now: int, number: int) -> None:
        """Count claims; the first one opens a window."""
        if self.window_end(now) is None:
            self.window_at, self.window_used = now, 0
        self.window_used += number


def read_queue(connection: Connection | Transaction, name: str) -> QueueState | None:
    """Return a queue that is known."""
    known = connection.queues if isinstance(connection, Transaction) else {}
    found: QueueState | None = known.get(name)
    if found is None:
        row = connection.execute(SELECT_ONE, (name,)).fetchone()
        if row is not None:
            known[name] = found = QueueState(*row)
    return found


def lingering(connection: Connection | Transaction, queue: str) -> int:
    """Return how many places are held by jobs that were settled already."""
    (places,) = connection.execute(
        "SELECT count(*) FROM lingering WHERE queue = ?", (queue,)
    ).fetchone()
    return int(places)


def declare(tx: Transaction, queue: str, limits: QueueLimits) -> None:
    """Make a queue known; an unchanged declaration writes nothing."""
    tx.queues.pop(queue, None)
    tx.execute(
        "INSERT INTO queues (name, concurrency, rate_max, rate_ms) VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET concurrency = excluded.concurrency, "
        "rate_max = excluded.rate_max, rate_ms = excluded.rate_ms "
        "WHERE (concurrency, rate_max, rate_ms) IS NOT "
        "(excluded.concurrency, excluded.rate_max, excluded.rate_ms)",
        (queue, limits.concurrency, limits.rate_max, limits.rate_ms),
    )


def set_limits(tx: Transaction, queue: str, limits: QueueLimits | None) -> None:
    """Override the declared limits, or go back to them."""
    own = limits or QueueLimits()
    tx.queues.pop(queue, None)
    cursor = tx.execute(
        "UPDATE queues SET overridden = ?, own_concurrency = ?, own_rate_max = ?, "
        "own_rate_ms = ? WHERE name = ?",
        (limits is not None, own.concurrency, own.rate_max, own.rate_ms, queue),
    )
    _check_found(cursor.rowcount, queue)


def set_paused(tx: Transaction, queue: str, *, paused: bool, by: str) -> None:
    """Pause or resume."""
    tx.queues.pop(queue, None)
    cursor = tx.execute(
        "UPDATE queues SET paused = ?, paused_by = ? WHERE name = ?",
        (paused, by, queue),
    )
    _check_found(cursor.rowcount, queue)


def save_window(tx: Transaction, queue: QueueState) -> None:
    """Write how much of the rate window is used."""
    tx.execute(
        "UPDATE queues SET window_at = ?, window_used = ? WHERE name = ?",
        (queue.window_at, queue.window_used, queue.name),
    )


def refund(tx: Transaction, name: str, started_at: int) -> None:
    """Give a rate slot back, if the window of that claim is still open."""
    queue = read_queue(tx, name)
    if queue is None or queue.window_at is None or started_at < queue.window_at:
        return
    if queue.window_end(tx.now) is not None and queue.window_used:
        queue.window_used -= 1
        save_window(tx, queue)
        tx.told.tell(queue_topic(name))


def _check_found(rows: int, queue: str) -> None:
    if not rows:
        msg = f"no queue {queue!r}"
        raise NotFoundError(msg)
