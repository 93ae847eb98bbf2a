"""Waiting for conditions and for several things at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

from workflows.engine.instance.context import current

T = TypeVar("T")
ALL_COMPLETED = asyncio.ALL_COMPLETED


async def wait_condition(
    fn: Callable[[], bool],
    *,
    timeout: timedelta | float | None = None,  # noqa: ASYNC109 - Temporal's
    timeout_summary: str | None = None,
) -> None:
    """Wait until `fn` returns True. It is asked after everything that could change it.

    Args:
        fn: looks and changes nothing.
        timeout: how long at most, in seconds or a span; a durable timer.
        timeout_summary: one line for people.

    Raises:
        TimeoutError: asyncio's; it fails the workflow if nobody catches it.
    """
    core = current().core
    core.require_writable("wait condition")
    waiter = core.loop.create_future()
    core.loop.conditions.append((fn, waiter))
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
    if seconds is not None and seconds > 0:
        core.loop.next_summary = timeout_summary  # wait_for makes its timer at once
    await asyncio.wait_for(waiter, seconds)


async def wait(
    fs: Iterable[Any],
    *,
    timeout: float | None = None,  # noqa: ASYNC109 - asyncio's
    return_when: str = ALL_COMPLETED,
) -> tuple[list[Any], list[Any]]:
    """As `asyncio.wait`, but returns lists in the order of `fs`."""
    tasks = list(dict.fromkeys(fs))
    done, pending = await asyncio.wait(tasks, timeout=timeout, return_when=return_when)
    return (
        [task for task in tasks if task in done],
        [task for task in tasks if task in pending],
    )


def as_completed(
    fs: Iterable[Awaitable[T]], *, timeout: float | None = None
) -> Iterator[Awaitable[T]]:
    """As `asyncio.as_completed`, but coroutines start in the order of `fs`."""
    loop = current().core.loop
    tasks = [asyncio.ensure_future(each, loop=loop) for each in fs]
    return asyncio.as_completed(tasks, timeout=timeout)
