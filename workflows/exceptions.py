"""Every error of the project, one tree under `WorkflowsError`.

What a job raises to steer its own retry (`NonRetryableError`, `RetryAfter`,
`Snooze`) stands beside what the machinery raises. Signals that user code must
not swallow derive from `BaseException`.
"""

from datetime import timedelta


class WorkflowsError(Exception):
    """The root of all errors of this project."""


# -- what a job may raise -------------------------------------------------------


class NonRetryableError(WorkflowsError):
    """The job can never succeed as it is: dead at once, reason `non_retryable`."""


class RetryAfter(WorkflowsError):  # noqa: N818 - reads as an instruction
    """Try again after `delay`; the attempt is not spent.

    For the other side's own words: a 429 with Retry-After, a rate window.
    """

    def __init__(self, delay: float | timedelta, message: str = "") -> None:
        self.delay = delay if isinstance(delay, timedelta) else timedelta(seconds=delay)
        super().__init__(message or f"retry after {self.delay}")


class Snooze(RetryAfter):
    """Not now: look again after `delay`; no attempt spent, no failure recorded."""


# -- what stops a running job; never swallowed by `except Exception` ---------------


class JobInterrupt(BaseException):
    """Raised inside a running job by the runtime."""


class JobTimeout(JobInterrupt):
    """The job ran longer than its `timeout`; its lease is already settled."""


class JobCancelled(JobInterrupt):
    """Somebody asked to cancel the job."""


class LeaseLost(JobInterrupt):
    """The job belongs to another process now; what this run does is refused."""


# -- what a caller may meet ----------------------------------------------------------


class InvalidArgumentError(WorkflowsError, ValueError):
    """A value the caller passed is not acceptable; nothing was changed."""


class PayloadError(InvalidArgumentError):
    """A payload cannot be encoded, decoded or validated.

    `path` names the place in the payload, as a JSON pointer ("" is the root).
    """

    def __init__(self, message: str, *, path: str = "") -> None:
        self.path = path
        super().__init__(f"{message} (at {path})" if path else message)


class NotFoundError(WorkflowsError, LookupError):
    """The named job, queue or schedule does not exist."""


class ConflictError(WorkflowsError):
    """The record is not in a state that allows the operation."""


class SettingsError(WorkflowsError):
    """One or more settings are wrong; the text holds one line per problem."""


# -- what a store may raise -----------------------------------------------------------


class StoreError(WorkflowsError):
    """The root of what a store adapter raises."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached or is busy; the outcome of a write is unknown.

    Send the same ids again: every write is safe to repeat.
    """


class StoreFullError(StoreError):
    """The store is at its memory or disk limit; nothing was accepted."""


class StoreRefusedError(StoreError):
    """The store must not be used as it is: foreign, newer, or unsafe settings."""
