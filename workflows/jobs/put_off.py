"""What a job does while its database or the queue is out of reach."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from workflows.exceptions import RetryAfter, StoreFullError, StoreUnavailableError

DELAY = timedelta(seconds=5)


@contextmanager
def put_off_while_unavailable() -> Iterator[None]:
    """Turn an unreachable store into a delay, which spends no attempt.

    Without this, a job with one attempt would be a dead letter for a busy database.
    """
    try:
        yield
    except (StoreUnavailableError, StoreFullError) as error:
        raise RetryAfter(DELAY, str(error)) from error
