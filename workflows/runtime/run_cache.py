"""Live workflow instances kept between tasks: only a hint, never the truth."""

import threading
from collections import OrderedDict
from itertools import islice
from types import TracebackType

from workflows.engine.replay import Replay


class Slot:
    """The place of one run in the cache; `replay` is None until somebody fills it."""

    __slots__ = ("borrowed", "lock", "replay")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.replay: Replay | None = None
        self.borrowed = 0

    def drop(self) -> None:
        """Tear the instance down (by whoever has borrowed the slot)."""
        replay, self.replay = self.replay, None
        if replay is not None:
            replay.evict()


class RunCache:
    """The most recently used runs of a process. One thread at a time has a run.

    `size` 0 keeps nothing: every task then replays its run from the first event.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._slots: OrderedDict[str, Slot] = OrderedDict()

    def borrow(self, run_id: str) -> "Borrowed":
        """Have a run's slot alone inside a `with`; waits for whoever has it."""
        return Borrowed(self, run_id)

    def _lend(self, run_id: str) -> Slot:
        with self._lock:
            slot = self._slots.get(run_id)
            if slot is None:
                slot = self._slots[run_id] = Slot()
            self._slots.move_to_end(run_id)
            slot.borrowed += 1
        slot.lock.acquire()
        return slot

    def _take_back(self, run_id: str, slot: Slot) -> None:
        slot.lock.release()
        with self._lock:
            slot.borrowed -= 1
            if slot.replay is None and not slot.borrowed:
                self._slots.pop(run_id, None)
            dropped = self._over()
        for each in dropped:
            each.drop()

    def _over(self) -> list[Slot]:
        """Take out the least recently used runs that are too many."""
        over = len(self._slots) - self._size
        if over <= 0:
            return []
        free = (key for key, slot in self._slots.items() if not slot.borrowed)
        return [self._slots.pop(key) for key in [*islice(free, over)]]

    def clear(self) -> None:
        """Evict every run that nobody has borrowed."""
        with self._lock:
            slots = [slot for slot in self._slots.values() if not slot.borrowed]
            self._slots = OrderedDict(
                (run_id, slot) for run_id, slot in self._slots.items() if slot.borrowed
            )
        for slot in slots:
            slot.drop()


class Borrowed:
    """A run's slot, had alone from the beginning of a `with` to its end."""

    __slots__ = ("_cache", "_run_id", "_slot")

    def __init__(self, cache: RunCache, run_id: str) -> None:
        self._cache, self._run_id = cache, run_id

    def __enter__(self) -> Slot:
        """Wait for the slot, and have it."""
        self._slot = self._cache._lend(self._run_id)  # noqa: SLF001 - same module
        return self._slot

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give it back; what is too much then goes."""
        self._cache._take_back(self._run_id, self._slot)  # noqa: SLF001 - same module
