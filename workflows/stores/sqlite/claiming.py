"""Claims: grants the heads of the wanted queues and types, within the limits."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import cache
from heapq import merge
from typing import NamedTuple

import msgspec

from workflows.store import MAX_DUE, MAX_STEP, Claim, LeasedJob, QueueClaim
from workflows.stores.sqlite.granting import held, lease
from workflows.stores.sqlite.kinds import EXEMPT
from workflows.stores.sqlite.memory import as_json, recall_claim, remember
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.pending import expire_due, promote
from workflows.stores.sqlite.queues import (
    QueueState,
    lingering,
    read_queue,
    save_window,
)
from workflows.stores.sqlite.timers import fire
from workflows.stores.sqlite.transaction import Transaction

MAX_ARMS = 100  # index ranges that one statement merges

_ARM = """
SELECT priority, seq, n, suspect, expires_at, kind FROM jobs
WHERE state = 'waiting' AND queue = ? AND type = ? AND suspect = ?
"""
_KIND = """
SELECT kind FROM jobs WHERE state = 'waiting' AND queue = ? AND type = ? LIMIT 1
"""
_NEXT_DUE = """
SELECT min((SELECT run_at FROM jobs WHERE state = 'delayed' AND queue = ?
            AND type = types.value ORDER BY run_at LIMIT 1))
FROM json_each(?) AS types
"""


class Head(NamedTuple):
    """A waiting job, as the index shows it."""

    priority: float
    seq: int
    n: int
    suspect: int
    expires_at: int | None
    kind: str | None


@cache
def _merged(arms: int) -> str:
    """Return a statement that merges index ranges; it reads only what is fetched."""
    return " UNION ALL ".join([_ARM] * arms) + " ORDER BY priority, seq"


class Heads:
    """The waiting jobs of some types of a queue, in the order of claims, lazily.

    Nothing may write to jobs until it is closed.
    """

    def __init__(
        self,
        connection: Connection | Transaction,
        queue: str,
        types: Iterable[str],
        *,
        suspects: bool = True,
    ) -> None:
        kinds = (0, 1) if suspects else (0,)
        arms = [(queue, name, kind) for name in dict.fromkeys(types) for kind in kinds]
        parts = (
            arms[start : start + MAX_ARMS] for start in range(0, len(arms), MAX_ARMS)
        )
        self._cursors = [
            connection.execute(
                _merged(len(part)), [value for arm in part for value in arm]
            )
            for part in parts
        ]
        whole = self._cursors[0] if len(self._cursors) == 1 else merge(*self._cursors)
        self._rows = map(Head._make, whole)

    def __iter__(self) -> Iterator[Head]:
        return self._rows

    def __next__(self) -> Head:
        return next(self._rows)

    def close(self) -> None:
        """End the reading."""
        for cursor in self._cursors:
            cursor.close()


def exempt_types(
    connection: Connection | Transaction, queue: str, types: Sequence[str]
) -> list[str]:
    """Return those of the types that have waiting jobs which no limit binds.

    A type has jobs of one kind only, so any one tells.
    """
    kinds = {name: kind_of(connection, queue, name) for name in types}
    return [name for name, kind in kinds.items() if kind in EXEMPT]


def kind_of(
    connection: Connection | Transaction, queue: str, type_name: str
) -> str | None:
    """Return the kind of the waiting jobs of a type; None: plain, or there is none."""
    row = connection.execute(_KIND, (queue, type_name)).fetchone()
    return row[0] if row else None


def next_due(
    connection: Connection | Transaction, queue: str, types: Sequence[str]
) -> int | None:
    """Return when the first delayed job of these types is due."""
    row = connection.execute(_NEXT_DUE, (queue, as_json(types))).fetchone()
    due_at: int | None = row[0]
    return due_at


class _Room:
    """A queue during one claim: how many more of it may start."""

    def __init__(self, tx: Transaction, queue: QueueState) -> None:
        self.queue = queue
        held = 0
        if queue.concurrency is not None:
            held = lingering(tx, queue.name) + tx.places(queue.name)
        self.left = queue.room(tx.now, held)
        self.granted = 0

    def take(self) -> None:
        """One more starts."""
        self.left -= 1
        self.granted += 1


class _Pick:
    """The part of a claim that is about one queue."""

    def __init__(self, tx: Transaction, wanted: QueueClaim, claim: Claim) -> None:
        self._tx = tx
        self._wanted = wanted
        self._claim = claim
        self._heads = self._walk(wanted.types)
        self._exempt_only = False

    def _walk(self, types: Sequence[str]) -> Heads:
        suspects = self._claim.suspects > 0 and self._claim.slots > 0
        return Heads(self._tx, self._wanted.queue, types, suspects=suspects)

    def take(self, granted: list[Head], room: _Room, most: int) -> None:
        """Add up to `most` jobs to what is granted, the most urgent first."""
        whole = self._claim.slots + self._claim.prefetch
        most = min(most, whole - len(granted))
        while most > 0 and not room.queue.paused:
            if room.left < 1:
                self._turn_to_exempt()
            head = next(self._heads, None)
            if head is None:
                return
            exempt = head.kind in EXEMPT
            if (exempt or room.left >= 1) and self._may_start(head, granted):
                granted.append(head)
                most -= 1
                if not exempt:
                    room.take()

    def _turn_to_exempt(self) -> None:
        """The limits are reached: go on with the types that they do not bind."""
        if not self._exempt_only:
            self._exempt_only = True
            self._heads.close()
            types = exempt_types(self._tx, self._wanted.queue, self._wanted.types)
            self._heads = self._walk(types)

    def _may_start(self, head: Head, granted: list[Head]) -> bool:
        if head.expires_at is not None and head.expires_at <= self._tx.now:
            return False  # more expired at once than one step ends
        if self._exempt_only and any(head.n == each.n for each in granted):
            return False  # granted before the limits were reached
        if not head.suspect:
            return True
        suspects = sum(each.suspect for each in granted)
        return len(granted) < self._claim.slots and suspects < self._claim.suspects

    def close(self) -> None:
        """End the reading."""
        self._heads.close()


def claim(tx: Transaction, wanted: Claim) -> tuple[tuple[LeasedJob, ...], int | None]:
    """Grant leases; see `Store.exchange`. Returns the jobs and when to look again."""
    granted = recall_claim(tx, wanted.id)
    timer_at = None
    if granted is None:
        promote(tx, MAX_DUE)
        timer_at = fire(tx, MAX_DUE)[1]
        expire_due(tx, MAX_STEP)
    rooms = _rooms(tx, wanted)
    if granted is None:
        jobs = _grant(tx, wanted, _choose(tx, wanted, rooms))
        _use_windows(tx, rooms)
    else:
        jobs = _held(tx, wanted.id, granted)
    asked = wanted.slots + wanted.prefetch
    again = None if len(jobs) >= asked else _look_again(tx, wanted, rooms, timer_at)
    return jobs, again


def _rooms(tx: Transaction, wanted: Claim) -> dict[str, _Room]:
    """Return the room of each wanted queue that is known."""
    queues = (read_queue(tx, name) for name in {each.queue for each in wanted.queues})
    return {queue.name: _Room(tx, queue) for queue in queues if queue}


def _choose(tx: Transaction, wanted: Claim, rooms: dict[str, _Room]) -> list[Head]:
    """Choose what to grant: each queue its share first, then what is left."""
    parts = [each for each in wanted.queues if each.queue in rooms]
    granted: list[Head] = []
    with ExitStack() as stack:
        picks = [stack.enter_context(closing(_Pick(tx, x, wanted))) for x in parts]
        for part, pick in zip(parts, picks, strict=True):
            pick.take(granted, rooms[part.queue], part.share)
        for part, pick in zip(parts, picks, strict=True):
            pick.take(granted, rooms[part.queue], wanted.slots + wanted.prefetch)
    return granted


def _grant(tx: Transaction, wanted: Claim, heads: list[Head]) -> tuple[LeasedJob, ...]:
    """Lease the chosen jobs, and remember the claim."""
    if not heads:
        return ()
    numbers = [head.n for head in heads]
    jobs = lease(tx, numbers, wanted.owner, wanted.id, wanted.lease_ms)
    remember(tx, "claim", wanted.id, as_json(numbers))
    return tuple(jobs[n] for n in numbers)


def _held(tx: Transaction, token: str, numbers: str) -> tuple[LeasedJob, ...]:
    """Return what an earlier grant still holds, in its order."""
    jobs = held(tx, numbers, token)
    order = msgspec.json.decode(numbers, type=list[int])
    return tuple(jobs[n] for n in order if n in jobs)


def _use_windows(tx: Transaction, rooms: dict[str, _Room]) -> None:
    """Count the grants of queues that have a rate limit."""
    for room in rooms.values():
        if room.granted and room.queue.rate_max is not None:
            room.queue.use_window(tx.now, room.granted)
            save_window(tx, room.queue)


def _look_again(
    tx: Transaction, wanted: Claim, rooms: dict[str, _Room], timer_at: int | None
) -> int | None:
    """Return in how many ms time alone may make more of it claimable."""
    times = [timer_at]
    for each in wanted.queues:
        room = rooms.get(each.queue)
        if room is None or room.queue.paused:
            continue
        due_at = next_due(tx, each.queue, each.types)
        window_end = room.queue.window_end(tx.now)
        times.append(due_at)
        times.append(None if room.left >= 1 else window_end)
    known = [time for time in times if time is not None]
    return max(0, min(known) - tx.now) if known else None
