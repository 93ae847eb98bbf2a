"""Spans of time: the author's timedelta, the engine's ms."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def to_ms(span: timedelta | float | None) -> int | None:
    """Return whole ms, rounded up (a number is in seconds); None and 0: no span."""
    if not span:
        return None
    if not isinstance(span, timedelta):
        span = timedelta(seconds=span)
    return -(-span // MILLISECOND)


def moment(at_ms: int) -> datetime:
    """Return an instant as an aware datetime."""
    return EPOCH + timedelta(milliseconds=at_ms)
