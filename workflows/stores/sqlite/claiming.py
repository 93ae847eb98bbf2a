"""Claims: grants the heads of the wanted queues and types, within the limits."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import cache
from heapq import merge
from typing import Any, NamedTuple

import msgspec

from workflows.engine.states import JobState
from workflows.store import MAX_STEP, Claim, LeasedJob, QueueClaim
from workflows.stores.sqlite.memory import as_json, recall_claim, remember
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.pending import expire_due, promote
from workflows.stores.sqlite.queues import (
    QueueState,
    lingering,
    read_queue,
    save_window,
)
from workflows.stores.sqlite.transaction import Transaction

MAX_ARMS = 100  # index ranges that one statement merges

_ARM = """
SELECT priority, seq, n, suspect, expires_at FROM jobs
WHERE state = 'waiting' AND queue = ? AND type = ? AND suspect = ?
"""
_LEASED = """
n, id, queue, type, token, attempts + 1, stalls, priority, created_at, ready_at,
first_started_at, started_at, expires_at, lease_until, trace
"""
_GRANT = f"""
UPDATE jobs SET state = 'active', owner = :owner, token = :token, extended = 0,
    lease_until = :now + :lease_ms, lease_ms = :lease_ms, started_at = :now,
    first_started_at = coalesce(first_started_at, :now)
WHERE n IN (SELECT value FROM json_each(:numbers))
RETURNING {_LEASED}
"""  # noqa: S608 - columns of this module
_MESSAGES = """
SELECT n, payload, headers FROM messages WHERE n IN (SELECT value FROM json_each(?))
"""
_HELD = f"""
SELECT {_LEASED} FROM jobs
WHERE n IN (SELECT value FROM json_each(?)) AND state = 'active' AND token = ?
"""  # noqa: S608 - columns of this module
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
            held = lingering(tx, queue.name) + tx.counter(queue.name, "state:active")
        self.left = queue.room(tx.now, held)
        self.granted = 0

    def take(self) -> None:
        """One more starts."""
        self.left -= 1
        self.granted += 1


class _Pick:
    """The part of a claim that is about one queue."""

    def __init__(self, tx: Transaction, wanted: QueueClaim, claim: Claim) -> None:
        self._now = tx.now
        self._claim = claim
        self._share = wanted.share
        self._heads = Heads(
            tx,
            wanted.queue,
            wanted.types,
            suspects=claim.suspects > 0 and claim.slots > 0,
        )

    def take(self, granted: list[Head], room: _Room, most: int) -> None:
        """Add up to `most` jobs to what is granted, the most urgent first."""
        whole = self._claim.slots + self._claim.prefetch
        most = min(most, whole - len(granted))
        while most > 0 and room.left > 0:
            head = next(self._heads, None)
            if head is None:
                return
            if self._may_start(head, granted):
                granted.append(head)
                room.take()
                most -= 1

    def _may_start(self, head: Head, granted: list[Head]) -> bool:
        if head.expires_at is not None and head.expires_at <= self._now:
            return False  # more expired at once than one step ends
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
    if granted is None:
        promote(tx, MAX_STEP)
        expire_due(tx, MAX_STEP)
    rooms = _rooms(tx, wanted)
    if granted is None:
        jobs = _grant(tx, wanted, _choose(tx, wanted, rooms))
        _use_windows(tx, rooms)
    else:
        jobs = _held(tx, wanted.id, granted)
    asked = wanted.slots + wanted.prefetch
    again = None if len(jobs) >= asked else _look_again(tx, wanted, rooms)
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
    numbers = as_json(head.n for head in heads)
    parameters = {
        "owner": wanted.owner,
        "token": wanted.id,
        "now": tx.now,
        "lease_ms": wanted.lease_ms,
        "numbers": numbers,
    }
    jobs = _leased(tx, numbers, tx.execute(_GRANT, parameters).fetchall())
    for queue, number in Counter(job.queue for job in jobs.values()).items():
        tx.moved(queue, JobState.WAITING, JobState.ACTIVE, number)
    remember(tx, "claim", wanted.id, numbers)
    return tuple(jobs[head.n] for head in heads)


def _held(tx: Transaction, token: str, numbers: str) -> tuple[LeasedJob, ...]:
    """Return what an earlier grant still holds, in its order."""
    jobs = _leased(tx, numbers, tx.execute(_HELD, (numbers, token)).fetchall())
    order = msgspec.json.decode(numbers, type=list[int])
    return tuple(jobs[n] for n in order if n in jobs)


def _leased(
    tx: Transaction, numbers: str, rows: list[tuple[Any, ...]]
) -> dict[int, LeasedJob]:
    """Return granted jobs with their messages, by number."""
    messages = {row[0]: row for row in tx.execute(_MESSAGES, (numbers,))}
    return {row[0]: _leased_job(row, messages[row[0]]) for row in rows}


def _leased_job(row: tuple[Any, ...], message: tuple[int, bytes, bytes]) -> LeasedJob:
    return LeasedJob(
        id=row[1],
        queue=row[2],
        type=row[3],
        payload=message[1],
        headers=message[2],
        token=row[4],
        attempt=row[5],
        stalls=row[6],
        priority=row[7],
        created_at=row[8],
        ready_at=row[9],
        first_started_at=row[10],
        started_at=row[11],
        expires_at=row[12],
        lease_until=row[13],
        trace=row[14],
    )


def _use_windows(tx: Transaction, rooms: dict[str, _Room]) -> None:
    """Count the grants of queues that have a rate limit."""
    for room in rooms.values():
        if room.granted and room.queue.rate_max is not None:
            room.queue.use_window(tx.now, room.granted)
            save_window(tx, room.queue)


def _look_again(tx: Transaction, wanted: Claim, rooms: dict[str, _Room]) -> int | None:
    """Return in how many ms time alone may make more of it claimable."""
    times = []
    for each in wanted.queues:
        room = rooms.get(each.queue)
        if room is None or room.queue.paused:
            continue
        due_at = next_due(tx, each.queue, each.types)
        window_end = room.queue.window_end(tx.now)
        times.append(due_at)
        times.append(None if room.left else window_end)
    known = [time for time in times if time is not None]
    return max(0, min(known) - tx.now) if known else None
