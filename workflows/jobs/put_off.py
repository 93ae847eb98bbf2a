"""How a job puts itself off, also while its database or the queue is out of reach."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from workflows.exceptions import (
    RetryAfter,
    Snooze,
    StoreFullError,
    StoreUnavailableError,
)
from workflows.marketplace.services import services

DELAY = timedelta(seconds=5)


@contextmanager
def put_off_while_unavailable() -> Iterator[None]:
    """Turn an unreachable store into a delay, which spends no attempt.

    Without this, a job with one attempt would be a dead letter for a busy database.
    A job that snoozes does so by the marketplace's clock, the queue by the real one.
    """
    try:
        yield
    except Snooze as later:
        raise Snooze(services().real(later.delay), str(later)) from None
    except (StoreUnavailableError, StoreFullError) as error:
        raise RetryAfter(DELAY, str(error)) from error
