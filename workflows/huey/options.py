"""Reads the settings of `@huey.job` that come in more than one form."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from workflows.exceptions import InvalidArgumentError
from workflows.job_type import KEEP_ALL, Retention
from workflows.store import QueueLimits

QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:@-]{0,254}")  # as in the API's paths


def check_queue(name: object) -> None:
    """Refuse a queue that the API could not name."""
    if not isinstance(name, str) or not QUEUE_NAME.fullmatch(name):
        msg = (
            f"queue {name!r} is not a name: 1 to 255 letters, digits and ._~:@- "
            "that begin with a letter or a digit"
        )
        raise InvalidArgumentError(msg)


def stalls_of(value: object) -> int:
    """Return how many stalls are allowed."""
    return _whole("max_stalls", value, least=0)


def delay_of(value: object) -> timedelta:
    """Return a delay from seconds; a negative one means at once."""
    try:
        if isinstance(value, timedelta):
            return value
        return timedelta(seconds=value)  # type: ignore[arg-type] # refused below
    except (TypeError, ValueError, OverflowError):
        msg = f"a delay is a number of seconds or a timedelta, not {value!r}"
        raise InvalidArgumentError(msg) from None


def limits_of(concurrency: int | None, limiter: object) -> QueueLimits:
    """Return the limits of a queue; `limiter` is BullMQ's {max, duration in ms}."""
    rate_max = rate_ms = None
    if limiter is not None:
        if not (
            isinstance(limiter, Mapping)
            and "max" in limiter
            and set(limiter) <= {"max", "duration"}
        ):
            msg = "limiter takes exactly {'max': jobs, 'duration': ms}"
            raise InvalidArgumentError(msg)
        rate_max = _whole("limiter max", limiter["max"])
        rate_ms = _whole("limiter duration", limiter.get("duration", 1000))
    if concurrency is not None:
        concurrency = _whole("concurrency", concurrency)
    return QueueLimits(concurrency=concurrency, rate_max=rate_max, rate_ms=rate_ms)


def retention_of(value: object) -> Retention:
    """Return a retention from True (keep nothing), False (keep all), a count, or
    `{"age": seconds, "count": n}`, as BullMQ's removeOnComplete takes it.
    """
    match value:
        case Retention():
            return value
        case True:
            return Retention(count=0)
        case False | None:
            return KEEP_ALL
        case int():
            return Retention(count=_whole("retention count", value, least=0))
        case Mapping() if value and set(value) <= {"age", "count"}:
            return _aged(value)
        case _:
            msg = "retention is True, False, a count, or {'age': seconds, 'count': n}"
            raise InvalidArgumentError(msg)


def _aged(value: Mapping[str, Any]) -> Retention:
    age, count = value.get("age"), value.get("count")
    return Retention(
        age=None if age is None else timeout_of(age),
        count=None if count is None else _whole("retention count", count, least=0),
    )


def timeout_of(value: float | timedelta | None) -> timedelta | None:
    """Return a span from seconds; it must be positive."""
    if value is None:
        return None
    try:
        span = value if isinstance(value, timedelta) else timedelta(seconds=value)
    except (ValueError, OverflowError, TypeError):
        span = timedelta(0)
    if span <= timedelta(0):
        msg = f"a time span must be a positive number of seconds, not {value!r}"
        raise InvalidArgumentError(msg)
    return span


def _whole(name: str, value: object, *, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        msg = f"{name} must be a whole number of at least {least}"
        raise InvalidArgumentError(msg)
    return value
