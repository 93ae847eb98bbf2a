"""Answers that many may share for a moment."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Cached(Generic[Value]):
    """Reads at most once per `seconds`, however many ask; errors are shared too.

    While one caller reads, the others wait for its answer, so that a slow store holds
    them no longer than it holds one.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._until = float("-inf")
        self._answer: Callable[[], Value] | None = None

    def get(self, read: Callable[[], Value]) -> Value:
        """Return the shared answer, reading anew if it is too old."""
        with self._lock:
            if self._answer is None or self._clock() >= self._until:
                self._answer = _outcome(read)
                self._until = self._clock() + self._seconds
            answer = self._answer
        return answer()


def _outcome(read: Callable[[], Value]) -> Callable[[], Value]:
    """Call `read`, and return a function that returns or raises what it did."""
    try:
        value = read()
    except Exception as error:  # noqa: BLE001 - raised again for each caller
        failure = error

        def fail() -> Value:
            raise failure.with_traceback(None)

        return fail
    return lambda: value
