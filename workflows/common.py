"""Values that authors share between jobs, workflows and activities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from math import inf
from typing import Any, ClassVar, NoReturn

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

    def to_json(self) -> dict[str, Any]:
        """Return it in the JSON form of histories; defaults are spelled out."""
        form: dict[str, Any] = {
            "initialInterval": span_to_json(self.initial_interval),
            "backoffCoefficient": self.backoff_coefficient,
        }
        if self.maximum_interval is not None:
            form["maximumInterval"] = span_to_json(self.maximum_interval)
        if self.maximum_attempts:
            form["maximumAttempts"] = self.maximum_attempts
        if self.non_retryable_error_types:
            form["nonRetryableErrorTypes"] = list(self.non_retryable_error_types)
        return form

    @staticmethod
    def from_json(form: Mapping[str, Any]) -> "RetryPolicy":
        """Read what `to_json` wrote."""
        longest = form.get("maximumInterval")
        return RetryPolicy(
            initial_interval=span_from_json(form.get("initialInterval", "1s")),
            backoff_coefficient=form.get("backoffCoefficient", 2.0),
            maximum_interval=span_from_json(longest) if longest else None,
            maximum_attempts=form.get("maximumAttempts", 0),
            non_retryable_error_types=form.get("nonRetryableErrorTypes"),
        )


def span_to_json(span: timedelta) -> str:
    """Return a span as histories write it: decimal seconds and an `s`."""
    micros = span // timedelta(microseconds=1)
    if micros % 1_000_000 == 0:
        return f"{micros // 1_000_000}s"
    digits = 3 if micros % 1000 == 0 else 6  # Protobuf's JSON knows 0, 3, 6 and 9
    return f"{span.total_seconds():.{digits}f}s"


def span_from_json(text: str) -> timedelta:
    """Read what `span_to_json` wrote."""
    return timedelta(seconds=float(text.removesuffix("s")))


class WorkflowIDReusePolicy(IntEnum):
    """Whether a workflow id may be used again after its run closed."""

    ALLOW_DUPLICATE = 1
    ALLOW_DUPLICATE_FAILED_ONLY = 2
    REJECT_DUPLICATE = 3
    TERMINATE_IF_RUNNING = 4  # deprecated by Temporal: ALLOW_DUPLICATE, and terminate


class WorkflowIDConflictPolicy(IntEnum):
    """What a start does while a run of the workflow id is open."""

    UNSPECIFIED = 0  # FAIL; for signal-with-start USE_EXISTING
    FAIL = 1
    USE_EXISTING = 2
    TERMINATE_EXISTING = 3


class QueryRejectCondition(IntEnum):
    """Which runs refuse queries."""

    NONE = 1
    NOT_OPEN = 2
    NOT_COMPLETED_CLEANLY = 3


@dataclass(frozen=True)
class Priority:
    """Order of tasks in a queue: `priority_key` 1 is the most urgent, 3 the default.

    Zero, None and empty inherit from the calling workflow.
    """

    priority_key: int | None = None
    fairness_key: str | None = None
    fairness_weight: float | None = None
    default: ClassVar["Priority"]


Priority.default = Priority()


@dataclass(frozen=True, slots=True)
class RawValue:
    """A value that is passed through as its `workflows.converter.Payload`."""

    payload: Any


def _require_span(field: str, value: object) -> None:
    if not isinstance(value, timedelta):
        _refuse(f"{field} is not a timedelta")
    if value <= timedelta(0):
        _refuse(f"{field} is not positive")


def _refuse(problem: str) -> NoReturn:
    msg = f"retry policy: {problem}"
    raise InvalidArgumentError(msg)
