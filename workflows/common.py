"""Values that authors share between jobs, workflows and activities."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import NoReturn

from workflows.exceptions import InvalidArgumentError


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how fast to retry: Temporal's policy, with its defaults.

    The n-th retry waits `initial_interval` x `backoff_coefficient`^(n-1), at most
    `maximum_interval` (None: 100 times the initial one). `maximum_attempts` counts
    the first attempt; 0 means without end. `non_retryable_error_types` are class
    names of errors after which no retry helps.

    Raises:
        InvalidArgumentError: a field is out of range; the text names it.
    """

    initial_interval: timedelta = timedelta(seconds=1)
    backoff_coefficient: float = 2.0
    maximum_interval: timedelta | None = None
    maximum_attempts: int = 0
    non_retryable_error_types: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Refuse a policy that could not be followed."""
        _require_span("initial_interval", self.initial_interval)
        if self.maximum_interval is not None:
            _require_span("maximum_interval", self.maximum_interval)
            if self.maximum_interval < self.initial_interval:
                _refuse("maximum_interval is less than initial_interval")
        coefficient = self.backoff_coefficient
        if isinstance(coefficient, bool) or not isinstance(coefficient, (int, float)):
            _refuse("backoff_coefficient is not a number")
        if not 1 <= coefficient < inf:  # NaN included
            _refuse("backoff_coefficient is less than 1 or not finite")
        attempts = self.maximum_attempts
        if isinstance(attempts, bool) or not isinstance(attempts, int):
            _refuse("maximum_attempts is not an integer")
        if attempts < 0:
            _refuse("maximum_attempts is negative")
        names = self.non_retryable_error_types
        if isinstance(names, str) or not all(isinstance(n, str) for n in names or ()):
            _refuse("non_retryable_error_types is not a list of class names")


def _require_span(field: str, value: object) -> None:
    if not isinstance(value, timedelta):
        _refuse(f"{field} is not a timedelta")
    if value <= timedelta(0):
        _refuse(f"{field} is not positive")


def _refuse(problem: str) -> NoReturn:
    msg = f"retry policy: {problem}"
    raise InvalidArgumentError(msg)
