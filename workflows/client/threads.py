"""Threads on which the async client makes its blocking calls."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
B = TypeVar("B")
CALLS = 16
WAITS = 128
LONG_S, SHORT_S = 1.0, 0.05  # one look of a wait; the short one when threads are few


class Threads:
    """Two pools, so that waits never keep a short call from being made."""

    def __init__(self) -> None:
        self._calls = ThreadPoolExecutor(CALLS, "workflows-client")
        self._waits = ThreadPoolExecutor(WAITS, "workflows-client-wait")
        self._waiting = 0

    async def call(self, work: Callable[[], T]) -> T:
        """Do something short."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._calls, work)

    async def wait(self, work: Callable[[], T]) -> T:
        """Do something that waits for at most some seconds (a query)."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._waits, work)

    async def poll(self, look: Callable[[float], T | None]) -> T:
        """Look, for some time each, until something was found. May be cancelled."""
        self._waiting += 1
        try:
            while True:
                span = LONG_S if self._waiting <= WAITS else SHORT_S
                found = await self.wait(partial(look, span))
                if found is not None:
                    return found
        finally:
            self._waiting -= 1


def on_thread(
    method: Callable[Concatenate[B, P], T], *, waits: bool = False
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """Return the async twin of a blocking method, for a class that wraps `_blocking`.

    It has the same parameters and the same docstring.
    """

    @wraps(method)
    async def call(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        threads: Threads = self._threads
        work = partial(method, self._blocking, *args, **kwargs)
        return await (threads.wait(work) if waits else threads.call(work))

    return call
