"""Retries: every policy becomes one decision, and nothing here ever sleeps.

tenacity's `stop`, `wait` and `retry` strategies are used as arithmetic: they are
called on a call state whose attempt, elapsed time and error are set by us, in
tenacity's own order (retry, wait, stop). Waits that draw jitter (`wait_random…`)
draw it inside tenacity; the caller writes the due time down, so that each
decision is drawn once. `RetryAfter` and `Snooze` are the runtime's business.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from inspect import iscoroutinefunction
from math import isfinite
from typing import Any, NoReturn, Protocol

from tenacity import BaseRetrying as Tenacity
from tenacity import (
    RetryCallState,
    Retrying,
    TryAgain,
    retry_if_not_result,
    retry_if_result,
    wait_random,
)
from tenacity.asyncio import retry as async_strategies
from tenacity.retry import retry_base
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from workflows.common import RetryPolicy
from workflows.engine.states import DeadReason
from workflows.exceptions import InvalidArgumentError, JobTimeout, NonRetryableError

MAX_DELAY = timedelta(days=365)  # no retry waits longer, whatever the arithmetic says
MAX_ATTEMPTS = 2**31 - 1
TEMPORAL_CAP = 100  # x initial_interval, if a RetryPolicy names no maximum_interval

Draw = Callable[[], float]


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Run again after `delay`, or (`delay` is None) it is dead for `reason`.

    `note` says why if the policy itself went wrong; "" otherwise.
    """

    delay: timedelta | None
    reason: DeadReason | None = None
    note: str = ""


class RetryRule(Protocol):
    """What all policies become."""

    def decide(
        self, *, attempt: int, elapsed: timedelta, error: BaseException
    ) -> RetryDecision:
        """Decide after failed attempt number `attempt` (from 1).

        `elapsed`: since the first attempt began. Never raises.
        """


@dataclass(frozen=True, slots=True)
class BackoffRule:
    """At most `attempts` (None: no end), `delay` x `coefficient`^(n-1) apart.

    `jitter` (0 to 1): that part of each delay is random, as in BullMQ.
    """

    attempts: int | None = 1
    delay: timedelta = timedelta(0)
    coefficient: float = 1.0
    maximum: timedelta = MAX_DELAY
    jitter: float = 0.0
    fatal: frozenset[str] = frozenset()  # class names of errors not to retry
    draw: Draw | None = None

    def decide(
        self,
        *,
        attempt: int,
        elapsed: timedelta,  # noqa: ARG002 - part of the protocol
        error: BaseException,
    ) -> RetryDecision:
        """See `RetryRule.decide`."""
        if _is_fatal(error, self.fatal):
            return RetryDecision(None, DeadReason.NON_RETRYABLE)
        if self.attempts is not None and attempt >= self.attempts:
            return RetryDecision(None, _exhausted(error))
        return RetryDecision(self._delay(attempt))

    def _delay(self, attempt: int) -> timedelta:
        try:
            factor = float(self.coefficient) ** (attempt - 1)
        except OverflowError:
            return self.maximum if self.delay else self.delay
        seconds = min(self.delay.total_seconds() * factor, self.maximum.total_seconds())
        if self.jitter:
            draw = self.draw or _tenacity_draw
            seconds *= 1 - self.jitter * draw()
        return timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class TenacityRule:
    """A tenacity object as a pure policy: its stop, wait and retry strategies."""

    policy: Tenacity

    def decide(
        self, *, attempt: int, elapsed: timedelta, error: BaseException
    ) -> RetryDecision:
        """See `RetryRule.decide`. Strategies see a JobTimeout as a TimeoutError."""
        if _is_fatal(error):
            return RetryDecision(None, DeadReason.NON_RETRYABLE)
        if not self.policy.enabled:
            return RetryDecision(None, _exhausted(error))
        state = _call_state(self.policy, attempt, elapsed, error)
        try:
            if not isinstance(error, TryAgain) and not self.policy.retry(state):
                return RetryDecision(None, DeadReason.NON_RETRYABLE)
            state.upcoming_sleep = self.policy.wait(state)
            if self.policy.stop(state):
                return RetryDecision(None, _exhausted(error))
            return RetryDecision(_capped(state.upcoming_sleep))
        except Exception as fault:  # noqa: BLE001 - a user's strategy may raise anything
            note = f"the retry policy raised {type(fault).__name__}"
            return RetryDecision(None, DeadReason.NON_RETRYABLE, note)


def retry_rule(policy: object, *, draw: Draw | None = None) -> RetryRule:
    """Make any accepted policy a rule.

    Accepted: None (one attempt), an int (attempts, no delay), a `RetryPolicy`, a
    tenacity `Retrying` or `AsyncRetrying`, a function decorated by `tenacity.retry`,
    one tenacity strategy, a mapping of tenacity's `stop` / `wait` / `retry`, or the
    JSON form `{"attempts": 3, "backoff": {"type": "exponential", "delay": 2000}}`
    (ms; type `fixed` or `exponential`; also `maxDelay`, `jitter` 0 to 1; a bare
    number is a fixed delay). `draw` gives the JSON form's jitter in [0, 1).

    Raises:
        InvalidArgumentError: not a policy, or a field is wrong; the text names it.
    """
    if policy is None:
        return BackoffRule()
    if isinstance(policy, RetryPolicy):
        return _from_policy(policy)
    if isinstance(policy, int):
        return BackoffRule(attempts=_attempts("retry", policy))
    if isinstance(policy, Mapping):
        if policy.keys() & {"stop", "wait", "retry"}:
            return _from_strategies(policy)
        return _from_json(policy, draw)
    if isinstance(policy, (BackoffRule, TenacityRule)):
        return policy
    return TenacityRule(_tenacity(policy))


def _from_policy(policy: RetryPolicy) -> RetryRule:
    cap = policy.maximum_interval
    if cap is None:
        cap = min(policy.initial_interval, MAX_DELAY / TEMPORAL_CAP) * TEMPORAL_CAP
    return BackoffRule(
        attempts=policy.maximum_attempts or None,
        delay=min(policy.initial_interval, MAX_DELAY),
        coefficient=policy.backoff_coefficient,
        maximum=min(cap, MAX_DELAY),
        fatal=frozenset(policy.non_retryable_error_types or ()),
    )


# -- the JSON form ---------------------------------------------------------------------


def _from_json(policy: Mapping[Any, Any], draw: Draw | None) -> RetryRule:
    _known("retry", policy, {"attempts", "backoff"})
    if "attempts" not in policy:
        _refuse("retry.attempts", "is missing")
    attempts = _attempts("retry.attempts", policy["attempts"])
    backoff = policy.get("backoff")
    if backoff is None:
        return BackoffRule(attempts=attempts)
    if not isinstance(backoff, Mapping):
        return BackoffRule(attempts=attempts, delay=_span("retry.backoff", backoff))
    _known("retry.backoff", backoff, {"type", "delay", "maxDelay", "jitter"})
    kind = backoff.get("type")
    if kind not in ("fixed", "exponential"):
        _refuse("retry.backoff.type", "is not 'fixed' or 'exponential'")
    if "delay" not in backoff:
        _refuse("retry.backoff.delay", "is missing")
    delay = _span("retry.backoff.delay", backoff["delay"])
    maximum = MAX_DELAY
    if backoff.get("maxDelay") is not None:
        maximum = _span("retry.backoff.maxDelay", backoff["maxDelay"])
        if maximum < delay:
            _refuse("retry.backoff.maxDelay", "is less than delay")
    jitter = _number("retry.backoff.jitter", backoff.get("jitter", 0))
    if jitter > 1:
        _refuse("retry.backoff.jitter", "is more than 1")
    coefficient = 2.0 if kind == "exponential" else 1.0
    return BackoffRule(attempts, delay, coefficient, maximum, jitter, draw=draw)


def _known(field: str, given: Mapping[Any, Any], known: set[str]) -> None:
    unknown = sorted(str(key) for key in given.keys() - known)
    if unknown:
        _refuse(f"{field}.{unknown[0]:.40}", "is not a known key")


def _attempts(field: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        _refuse(field, "is not an integer")
    if not 1 <= value <= MAX_ATTEMPTS:
        _refuse(field, f"is not between 1 and {MAX_ATTEMPTS}")
    return value


def _number(field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        _refuse(field, "is not a number")
    if isinstance(value, float) and not isfinite(value):
        _refuse(field, "is not finite")
    if value < 0:
        _refuse(field, "is negative")
    return value


def _span(field: str, ms: object) -> timedelta:
    value = _number(field, ms)
    if value > MAX_DELAY / timedelta(milliseconds=1):
        _refuse(field, f"is longer than {MAX_DELAY.days} days")
    return timedelta(milliseconds=value)


def _refuse(field: str, problem: str) -> NoReturn:
    msg = f"{field} {problem}"
    raise InvalidArgumentError(msg)


# -- tenacity --------------------------------------------------------------------------


def _from_strategies(settings: Mapping[Any, Any]) -> RetryRule:
    _known("retry", settings, {"stop", "wait", "retry"})
    for name, strategy in settings.items():
        if not callable(strategy):
            _refuse(f"retry.{name}", "is not a tenacity strategy")
    return TenacityRule(_tenacity(Retrying(**settings)))


def _tenacity(policy: object) -> Tenacity:
    decorated = getattr(policy, "retry", None)  # a function under @tenacity.retry
    if isinstance(policy, Tenacity):
        found = policy
    elif isinstance(decorated, Tenacity):
        found = decorated
    elif isinstance(policy, stop_base):
        found = Retrying(stop=policy)
    elif isinstance(policy, wait_base):
        found = Retrying(wait=policy)
    elif isinstance(policy, retry_base):
        found = Retrying(retry=policy)
    else:
        _refuse("retry", f"is not a retry policy: {type(policy).__name__}")
    for name in ("stop", "wait", "retry"):
        if iscoroutinefunction(getattr(found, name)):
            _refuse(f"retry.{name}", "is an async function; use a plain one")
    _check_strategy(found.retry)
    return found


def _check_strategy(strategy: object) -> None:
    """Refuse what cannot be decided from an error alone."""
    if isinstance(strategy, (retry_if_result, retry_if_not_result)):
        name = type(strategy).__name__
        problem = f"uses {name}: a job that returns is complete; raise an error instead"
        _refuse("retry.retry", problem)
    if isinstance(strategy, async_strategies.async_retry_base):
        _refuse("retry.retry", "is an async strategy; use a plain one")
    for part in getattr(strategy, "retries", ()):
        _check_strategy(part)


def _call_state(
    policy: Tenacity, attempt: int, elapsed: timedelta, error: BaseException
) -> RetryCallState:
    seen = error
    if isinstance(error, JobTimeout):  # tenacity's default retries Exceptions only
        seen = TimeoutError(*error.args)
        seen.__cause__ = error
    state = RetryCallState(policy, None, (), {})
    state.attempt_number = attempt
    state.set_exception((type(seen), seen, seen.__traceback__))
    state.start_time = 0.0
    state.outcome_timestamp = elapsed.total_seconds()
    return state


def _capped(seconds: float) -> timedelta:
    if not seconds >= 0:  # NaN included
        msg = f"a wait of {seconds} s"
        raise ValueError(msg)
    return timedelta(seconds=min(seconds, MAX_DELAY.total_seconds()))


def _tenacity_draw() -> float:
    """Draw from [0, 1): the engine has no randomness of its own."""
    return wait_random(0, 1)(RetryCallState(Retrying(), None, (), {}))


# -- errors ----------------------------------------------------------------------------


def _is_fatal(error: BaseException, names: frozenset[str] = frozenset()) -> bool:
    return isinstance(error, NonRetryableError) or type(error).__name__ in names


def _exhausted(error: BaseException) -> DeadReason:
    timed_out = isinstance(error, JobTimeout)
    return DeadReason.TIMEOUT if timed_out else DeadReason.EXHAUSTED
