"""Time and chance, the same in each replay."""

import uuid
from datetime import datetime, timedelta
from random import Random

from workflows.engine.instance.context import current
from workflows.engine.instance.spans import moment


def now() -> datetime:
    """Return workflow time: when the current workflow task started. Aware, UTC."""
    return moment(current().core.loop.now_ms)


def time() -> float:
    """Return workflow time in seconds since the epoch."""
    return current().core.loop.time()


def time_ns() -> int:
    """Return workflow time in ns since the epoch; its grain is 1 ms."""
    return current().core.loop.now_ms * 1_000_000


async def sleep(duration: float | timedelta, *, summary: str | None = None) -> None:
    """Sleep durably: a timer, for seconds or years (also for 0).

    Args:
        duration: in seconds, or a span.
        summary: one line for people.
    """
    loop = current().core.loop
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    done = loop.create_future()
    loop.next_summary = summary
    timer = loop.call_later(
        seconds, lambda: None if done.done() else done.set_result(None)
    )
    try:
        await done
    finally:
        timer.cancel()


def random() -> Random:
    """Return the run's own random stream."""
    core = current().core
    core.require_writable("random")
    return current().streams.random


def new_random(name: str | None = None) -> Random:
    """Return a random stream of its own, which no other use of randomness shifts.

    Args:
        name: the same name gives the same stream; without it each is new.
    """
    current().core.require_writable("random")
    return current().streams.new(name)


def random_seed() -> int:
    """Return the number that the run's streams come from."""
    return current().streams.seed


def uuid4() -> uuid.UUID:
    """Return a random UUID, from a stream of its own."""
    current().core.require_writable("uuid4")
    return current().streams.uuid4()


def uuid7() -> uuid.UUID:
    """Return a UUID that sorts by workflow time, from a stream of its own."""
    core = current().core
    core.require_writable("uuid7")
    return current().streams.uuid7(core.loop.now_ms)
