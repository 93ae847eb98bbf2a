"""Waiting for work: woken by this process's commits, and by those of others.

Other processes are noticed by a number that SQLite changes with every foreign commit;
while anybody waits, one of the waiters looks at it every millisecond, a little less
often when nothing has happened for seconds.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

POLL_S = 0.001
QUIET_S = 2.0  # after so long without a change
QUIET_POLL_S = 0.003
REST = 4  # times as long as it looked does a waiter sleep before it looks again

Queues = Mapping[str, Sequence[str]]


class Waiters:
    """The threads of one process that wait for work. Thread-safe.

    Args:
        data_version: returns a number that changes when the file was changed.
        claimable_in: returns in how many ms a job of some queues may be claimable.
    """

    def __init__(
        self,
        data_version: Callable[[], int],
        claimable_in: Callable[[Queues], int | None],
    ) -> None:
        self._data_version = data_version
        self._claimable_in = claimable_in
        self.reset()

    def reset(self) -> None:
        """Forget all waiters (they are threads of the process before the fork)."""
        # The plain lock is taken, not the condition: an interrupt cannot leave it held.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._changes = 0  # commits that this process made or noticed
        self._wakes = 0
        self._waiting = 0
        self._polling = False
        self._version: int | None = None
        self._changed_at = 0.0
        self._claimed: dict[frozenset[str], int] = {}

    def change(self) -> None:
        """This process has committed something."""
        with self._lock:
            self._changes += 1
            if self._waiting:
                self._changed.notify_all()

    def claim(self, queues: frozenset[str]) -> None:
        """A claim on these queues begins: it sees all changes up to now.

        So a wait that follows it need not look at them again. Without this, a job that
        may wait but not start here would keep the claimer busy.
        """
        if self._version is None:
            self._version = self._data_version()
        self._claimed[queues] = self._changes

    def wake(self) -> None:
        """End every wait."""
        with self._lock:
            self._wakes += 1
            self._changed.notify_all()

    def wait(self, queues: Queues, timeout_s: float) -> bool:
        """Block until work may be there; see `Store.wait`."""
        deadline = time.monotonic() + timeout_s
        seen = self._claimed.get(frozenset(queues))
        wakes, ready_at = self._wakes, float("inf")
        try:
            while self._wakes == wakes:
                changes = self._changes
                if changes != seen:
                    seen, ready_at = changes, self._ready_at(queues)
                now = time.monotonic()
                if now >= ready_at:
                    return True
                if now >= deadline:
                    return False
                self._sleep(min(ready_at, deadline) - now, changes, wakes)
        finally:
            self._pass_on()
        return True

    def wait_until(self, look: Callable[[], bool], timeout_s: float) -> bool:
        """Block until `look` returns true; false at the timeout, or when woken.

        It looks again after every change of the file, but for most of its time it
        sleeps, however many changes there are.
        """
        deadline = time.monotonic() + timeout_s
        seen: int | None = None
        wakes = self._wakes
        try:
            while self._wakes == wakes:
                changes = self._changes
                began = time.monotonic()
                if changes != seen:
                    if look():
                        return True
                    seen = changes
                now = time.monotonic()
                if now >= deadline:
                    return False
                rest = max(POLL_S, REST * (now - began))
                if self._changes != seen:
                    time.sleep(min(rest, deadline - now))
                else:
                    self._sleep(deadline - now, changes, wakes)
        finally:
            self._pass_on()
        return False

    def _ready_at(self, queues: Queues) -> float:
        claimable_in = self._claimable_in(queues)
        if claimable_in is None:
            return float("inf")
        return time.monotonic() + claimable_in / 1000

    def _sleep(self, seconds: float, changes: int, wakes: int) -> None:
        """Sleep until something changes; the first to sleep looks at the file too."""
        with self._lock:
            if (self._changes, self._wakes) != (changes, wakes):
                return
            polls = not self._polling
            self._polling = True
            self._waiting += 1
            try:
                self._changed.wait(min(seconds, self._step()) if polls else seconds)
            finally:
                self._waiting -= 1
                self._polling = self._polling and not polls
        if polls:
            self._look()

    def _step(self) -> float:
        quiet = time.monotonic() - self._changed_at > QUIET_S
        return QUIET_POLL_S if quiet else POLL_S

    def _look(self) -> None:
        version = self._data_version()
        if version != self._version:
            self._version = version
            self._changed_at = time.monotonic()
            self.change()

    def _pass_on(self) -> None:
        """Let another waiter look at the file, if this one did."""
        with self._lock:
            if self._waiting and not self._polling:
                self._changed.notify()
