"""Waiting for work: a blocking pop of the lists that say "look again"."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from workflows.exceptions import StoreError
from workflows.store import UNTIL_CLOSED
from workflows.stores.redis.connection import BLOCK_SECONDS, Connections
from workflows.stores.redis.scripts import Scripts
from workflows.stores.redis.wire import raw

_T = TypeVar("_T")

CALL_MS = 5_000  # how long a call to wake stays, unheard
SHORTEST_SECONDS = 0.001  # zero would block for ever


class Waiting:
    """`wait` and `wake`; waits for one run or one value.

    Scripts push one token to the wake list of a (queue, type) when work may be
    claimable and the list is empty. Each wait also listens to a list of its own, to
    which `wake` pushes.
    """

    _scripts: Scripts
    _connections: Connections
    _waits: set[bytes]  # the own lists of waits that are under way

    def wait(self, queues: Mapping[str, Sequence[str]], timeout_s: float) -> bool:
        """See `workflows.store.Store.wait`."""
        deadline = time.monotonic() + timeout_s
        prefix = self._scripts.prefix
        keys = [_wake_key(prefix, q, t) for q, types in queues.items() for t in types]
        with self._listening() as own:
            while True:
                left = deadline - time.monotonic()
                seconds = min(max(left, SHORTEST_SECONDS), BLOCK_SECONDS)
                if self._connections.block("BLPOP", *keys, own, f"{seconds:.3f}"):
                    return True
                if left <= seconds:
                    return False

    def wait_run(self, run_id: str, *, length: int, timeout_s: float) -> bool:
        """See `workflows.store.run_operations.Runs.wait_run`."""
        run = run_id.encode()
        until_closed = length >= UNTIL_CLOSED
        name = (b"end:" if until_closed else b"run:") + run

        def look(own: bytes | None) -> bool | None:
            if own is None:
                status, events = self._extent(run)
            else:
                status, events = self._scripts.run("watch", raw(name), raw(own), run_id)
            return True if status != b"running" or events > length else None

        told = True if until_closed else None
        return self._wait_for(look, timeout_s, told=told) or False

    def _extent(self, run: bytes) -> tuple[bytes | None, int]:
        """Return the status of a run, and how many events it has."""
        prefix = self._scripts.prefix
        status, events = self._connections.pipeline(
            [
                ("HGET", prefix + b"run:" + run, "status"),
                ("LLEN", prefix + b"events:" + run),
            ]
        )
        return status, events

    def wait_value(self, space: str, key: str, *, timeout_s: float) -> bytes | None:
        """See `workflows.store.run_operations.Runs.wait_value`."""
        size = len(space.encode())
        name = b"value:%d:%b:%b" % (size, space.encode(), key.encode())

        def look(own: bytes | None) -> bytes | None:
            if own is not None:
                self._scripts.run("watch", raw(name), raw(own))
            value: bytes | None = self._scripts.run_once("delete_value", space, key)
            return value

        return self._wait_for(look, timeout_s)

    def _wait_for(
        self,
        look: Callable[[bytes | None], _T | None],
        timeout_s: float,
        *,
        told: _T | None = None,
    ) -> _T | None:
        """Look until there is something, again each time that scripts tell of it.

        `look` watches before it looks, so that nothing is missed: it gets the list in
        which scripts tell. `told`: the answer when they do; none: it looks again.
        """
        deadline = time.monotonic() + timeout_s
        with self._listening() as own:
            while True:
                left = deadline - time.monotonic()
                found = look(own if left > 0 else None)
                if found is not None or left <= 0:
                    return found
                seconds = min(max(left, SHORTEST_SECONDS), BLOCK_SECONDS)
                woken = self._connections.block("BLPOP", own, f"{seconds:.3f}")
                if woken and told is not None:
                    return told

    def wake(self) -> None:
        """See `workflows.store.Store.wake`."""
        for own in list(self._waits):
            call = [("RPUSH", own, 1), ("PEXPIRE", own, CALL_MS)]
            try:
                self._connections.pipeline(call)
            except StoreError:
                return  # a wait on a store that is away ends by itself

    @contextmanager
    def _listening(self) -> Iterator[bytes]:
        own = self._scripts.prefix + b"call:" + uuid.uuid4().hex.encode()
        self._waits.add(own)
        try:
            yield own
        finally:
            self._waits.discard(own)


def _wake_key(prefix: bytes, queue: str, type: str) -> bytes:
    """Return the key that scripts/lib/batch.lua pushes to."""
    name = queue.encode()
    return b"%swake:%d:%s:%s" % (prefix, len(name), name, type.encode())
