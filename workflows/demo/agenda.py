"""What is to be done and when, by several hands at once."""

import heapq
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count

from workflows.exceptions import StoreFullError, StoreUnavailableError
from workflows.marketplace.errors import PermanentError, TransientError

log = logging.getLogger(__name__)

Action = Callable[[], None]
HANDS = 4
AGAIN = timedelta(seconds=30)


class Agenda:
    """Actions by the marketplace's clock. Thread-safe.

    An action that meets a store which is not available is done again: people try
    again too. Whatever else it raises is told to `refused` or to `failed`.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        refused: Callable[[PermanentError], None],
        failed: Callable[[str], None],
    ) -> None:
        self._clock, self._refused, self._failed = clock, refused, failed
        self._heap: list[tuple[datetime, int, Action]] = []
        self._lock = threading.Lock()
        self._numbers = count()
        self._busy = 0
        self._hands = ThreadPoolExecutor(HANDS, "hand")

    def at(self, moment: datetime, action: Action) -> None:
        """Have something done at a time; at once if that has passed."""
        with self._lock:
            heapq.heappush(self._heap, (moment, next(self._numbers), action))

    def after(self, span: timedelta, action: Action) -> None:
        """Have something done in a while."""
        self.at(self._clock() + span, action)

    def do_due(self) -> None:
        """Begin all that is due."""
        now = self._clock()
        while True:
            with self._lock:
                if not self._heap or self._heap[0][0] > now:
                    return
                _, _, action = heapq.heappop(self._heap)
                self._busy += 1
            self._hands.submit(self._do, action)

    @property
    def left(self) -> int:
        """How many actions are not done yet."""
        with self._lock:
            return len(self._heap) + self._busy

    def close(self) -> None:
        """Begin nothing more, and wait for what is begun."""
        self._hands.shutdown(cancel_futures=True)

    def _do(self, action: Action) -> None:
        try:
            action()
        except (StoreUnavailableError, StoreFullError, TransientError) as error:
            log.info("again in a moment: %s", error)
            self.after(AGAIN, action)
        except PermanentError as error:
            self._refused(error)
        except Exception as error:
            log.exception("an action of the demo failed")
            self._failed(f"{type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._busy -= 1
