"""Named gates: how a driver, an activity and a workflow task wait for each other.

They hold across threads, since an activity may run on another loop than its driver.
"""

import asyncio
import threading
import time

LIMIT_SECONDS = 20.0
_POLL_SECONDS = 0.01

_EVERY = "*"
_opened: set[str] = set()
_lock = threading.Lock()


def reset() -> None:
    """Close every gate: each program starts with none open."""
    with _lock:
        _opened.clear()


def open_all() -> None:
    """Let everyone through everywhere until the next reset: for replays."""
    open_gate(_EVERY)


def open_gate(name: str) -> None:
    """Let everyone through who waits, or will wait, at `name`; again is harmless."""
    with _lock:
        _opened.add(name)


def is_open(name: str) -> bool:
    """Say whether `name` was opened since the last reset."""
    with _lock:
        return name in _opened or _EVERY in _opened


async def passed(name: str) -> None:
    """Wait until `name` is open; TimeoutError after `LIMIT_SECONDS`."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not is_open(name):
        if time.monotonic() > deadline:
            raise TimeoutError(f"gate {name!r} was never opened")
        await asyncio.sleep(_POLL_SECONDS)


def block(name: str, seconds: float = 1.0) -> None:
    """Hold this thread until `name` is open, at most `seconds`: for a workflow task."""
    deadline = time.monotonic() + seconds
    while not is_open(name) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
