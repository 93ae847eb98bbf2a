"""Every policy becomes one decision, and nothing sleeps."""

import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from workflows.common import RetryPolicy
from workflows.engine.retry import MAX_DELAY, RetryDecision, RetryRule, retry_rule
from workflows.engine.states import DeadReason
from workflows.exceptions import (
    InvalidArgumentError,
    JobTimeout,
    NonRetryableError,
)

pytestmark = pytest.mark.unit

EXPONENTIAL = {"attempts": 3, "backoff": {"type": "exponential", "delay": 2000}}
FIXED = {"attempts": 2, "backoff": {"type": "fixed", "delay": 5000}}


def decide(
    rule: RetryRule,
    attempt: int,
    error: BaseException | None = None,
    elapsed: float = 0,
) -> RetryDecision:
    return rule.decide(
        attempt=attempt,
        elapsed=timedelta(seconds=elapsed),
        error=error or ConnectionError("down"),
    )


def delays(policy: object, *attempts: int) -> list[float | None]:
    rule = retry_rule(policy)
    found = [decide(rule, attempt).delay for attempt in attempts]
    return [None if delay is None else delay.total_seconds() for delay in found]


# -- the forms -------------------------------------------------------------------------


def test_no_policy_means_one_attempt() -> None:
    decision = decide(retry_rule(None), 1)
    assert decision == RetryDecision(None, DeadReason.EXHAUSTED)


def test_an_int_counts_attempts_and_waits_nothing() -> None:
    assert delays(3, 1, 2, 3, 4) == [0, 0, None, None]


def test_the_exponential_form_of_the_guide_waits_2_then_4_seconds() -> None:
    assert delays(EXPONENTIAL, 1, 2, 3) == [2, 4, None]


def test_the_fixed_form_of_the_guide_waits_the_same_each_time() -> None:
    assert delays(FIXED, 1, 2) == [5, None]


def test_a_bare_number_as_backoff_is_a_fixed_delay_in_ms() -> None:
    assert delays({"attempts": 3, "backoff": 1500}, 1, 2, 3) == [1.5, 1.5, None]


def test_attempts_without_backoff_wait_nothing() -> None:
    assert delays({"attempts": 2}, 1, 2) == [0, None]


def test_max_delay_caps_the_exponential_form() -> None:
    backoff = {"type": "exponential", "delay": 1000, "maxDelay": 3000}
    assert delays({"attempts": 9, "backoff": backoff}, 1, 2, 3, 8) == [1, 2, 3, 3]


def test_a_retry_policy_waits_as_temporal_does() -> None:
    assert delays(RetryPolicy(), 1, 2, 3, 7, 8, 500) == [1, 2, 4, 64, 100, 100]


def test_a_retry_policy_stops_at_its_maximum_attempts() -> None:
    policy = RetryPolicy(maximum_attempts=2, backoff_coefficient=1)
    assert delays(policy, 1, 2) == [1, None]


def test_a_rule_is_a_policy_too() -> None:
    rule = retry_rule(EXPONENTIAL)
    assert retry_rule(rule) is rule


@given(st.floats(0, 1), st.floats(0, 1, exclude_max=True), st.integers(1, 40))
def test_jitter_takes_away_at_most_its_part(
    jitter: float, drawn: float, attempt: int
) -> None:
    backoff = {"type": "exponential", "delay": 1000, "jitter": jitter}
    rule = retry_rule({"attempts": 100, "backoff": backoff}, draw=lambda: drawn)
    delay = decide(rule, attempt).delay
    full = min(timedelta(seconds=2 ** (attempt - 1)), MAX_DELAY)
    assert delay is not None
    assert full * (1 - jitter) <= delay + timedelta(microseconds=1)
    assert delay <= full


def test_without_an_injected_draw_jitter_is_random_and_within_bounds() -> None:
    backoff = {"type": "fixed", "delay": 1000, "jitter": 0.5}
    rule = retry_rule({"attempts": 9, "backoff": backoff})
    seen = {decide(rule, 1).delay for _ in range(20)}
    assert len(seen) > 1
    assert all(d and 0.5 <= d.total_seconds() <= 1 for d in seen)


# -- errors ----------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [5, EXPONENTIAL, RetryPolicy(), tenacity.Retrying()])
def test_a_non_retryable_error_is_dead_at_once(policy: object) -> None:
    decision = decide(retry_rule(policy), 1, NonRetryableError("no such number"))
    assert decision == RetryDecision(None, DeadReason.NON_RETRYABLE)


def test_an_error_type_named_by_the_policy_is_not_retried() -> None:
    rule = retry_rule(RetryPolicy(non_retryable_error_types=["ValueError"]))
    assert decide(rule, 1, ValueError()).reason is DeadReason.NON_RETRYABLE
    assert decide(rule, 1, KeyError()).delay is not None


@pytest.mark.parametrize(
    "policy", [2, tenacity.Retrying(stop=tenacity.stop_after_attempt(2))]
)
def test_a_timeout_is_retried_and_the_last_one_is_dead_as_timeout(
    policy: object,
) -> None:
    rule = retry_rule(policy)
    assert decide(rule, 1, JobTimeout("5 s")).delay == timedelta(0)
    decision = decide(rule, 2, JobTimeout("5 s"))
    assert decision == RetryDecision(None, DeadReason.TIMEOUT)


# -- tenacity --------------------------------------------------------------------------


def test_tenacity_strategies_stop_wait_and_choose() -> None:
    policy = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(4),
        wait=tenacity.wait_exponential(multiplier=1, max=100),
        retry=tenacity.retry_if_exception_type(OSError),
    )
    assert delays(policy, 1, 2, 3, 4) == [1, 2, 4, None]
    refused = decide(retry_rule(policy), 1, ValueError("not an OSError"))
    assert refused == RetryDecision(None, DeadReason.NON_RETRYABLE)


def test_an_async_retrying_is_read_like_a_plain_one() -> None:
    policy = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(2), wait=tenacity.wait_fixed(7)
    )
    assert delays(policy, 1, 2) == [7, None]


def test_a_decorated_function_gives_its_policy() -> None:
    @tenacity.retry(stop=tenacity.stop_after_attempt(2), wait=tenacity.wait_fixed(3))
    def function() -> None: ...

    assert delays(function, 1, 2) == [3, None]


def test_settings_as_given_to_the_decorator_are_a_policy() -> None:
    settings = {"stop": tenacity.stop_after_attempt(2), "wait": tenacity.wait_fixed(3)}
    assert delays(settings, 1, 2) == [3, None]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (tenacity.stop_after_attempt(2), [0, None]),
        (tenacity.wait_fixed(3), [3, 3]),
        (tenacity.retry_if_exception_type(ValueError), [None, None]),
    ],
)
def test_one_strategy_alone_is_a_policy(
    strategy: object, expected: list[float | None]
) -> None:
    assert delays(strategy, 1, 2) == expected


@pytest.mark.parametrize(
    ("stop", "elapsed", "stops"),
    [
        (tenacity.stop_after_delay(5), 4.9, False),
        (tenacity.stop_after_delay(5), 5, True),
        (tenacity.stop_before_delay(5), 1.9, False),
        (tenacity.stop_before_delay(5), 2, True),  # 2 + a wait of 3 reaches 5
        (tenacity.stop_after_delay(5) & tenacity.stop_after_attempt(2), 9, False),
        (tenacity.stop_after_delay(5) | tenacity.stop_after_attempt(1), 0, True),
        (tenacity.stop_never, 1e9, False),
    ],
)
def test_time_based_stops_use_the_elapsed_time(
    stop: Any, elapsed: float, stops: bool
) -> None:
    policy = tenacity.Retrying(stop=stop, wait=tenacity.wait_fixed(3))
    decision = decide(retry_rule(policy), 1, elapsed=elapsed)
    assert (decision.delay is None) is stops


def test_stop_when_event_set_reads_the_event() -> None:
    event = threading.Event()
    rule = retry_rule(tenacity.Retrying(stop=tenacity.stop_when_event_set(event)))
    assert decide(rule, 1).delay is not None
    event.set()
    assert decide(rule, 1).reason is DeadReason.EXHAUSTED


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        (tenacity.wait_none(), [0, 0, 0]),
        (tenacity.wait_fixed(timedelta(minutes=1)), [60, 60, 60]),
        (tenacity.wait_incrementing(start=1, increment=2), [1, 3, 5]),
        (tenacity.wait_exponential(multiplier=3, max=10), [3, 6, 10]),
        (tenacity.wait_fixed(1) + tenacity.wait_fixed(2), [3, 3, 3]),
        (
            tenacity.wait_chain(tenacity.wait_fixed(1), tenacity.wait_fixed(9)),
            [1, 9, 9],
        ),
        (tenacity.wait_exception(lambda e: 42.0), [42, 42, 42]),
    ],
)
def test_every_plain_wait_strategy_gives_its_arithmetic(
    wait: Any, expected: list[float]
) -> None:
    assert delays(tenacity.Retrying(wait=wait), 1, 2, 3) == expected


@pytest.mark.parametrize(
    ("wait", "low", "high"),
    [
        (tenacity.wait_random(2, 5), 2, 5),
        (tenacity.wait_random_exponential(multiplier=1, max=60), 0, 4),
        (tenacity.wait_exponential_jitter(max=60, jitter=1), 4, 5),
    ],
)
def test_random_waits_stay_within_their_bounds(
    wait: Any, low: float, high: float
) -> None:
    random.seed(7)
    found = delays(tenacity.Retrying(wait=wait), *[3] * 50)
    assert all(value is not None and low <= value <= high for value in found)


def cause_of(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("retry", "error", "again"),
    [
        (tenacity.retry_always, ValueError(), True),
        (tenacity.retry_never, ValueError(), False),
        (tenacity.retry_if_exception(lambda e: "x" in str(e)), ValueError("x"), True),
        (tenacity.retry_if_exception(lambda e: "x" in str(e)), ValueError("y"), False),
        (tenacity.retry_if_not_exception_type(ValueError), ValueError(), False),
        (tenacity.retry_unless_exception_type(ValueError), KeyError(), True),
        (tenacity.retry_if_exception_message(match="5.."), ValueError("503"), True),
        (
            tenacity.retry_if_not_exception_message(match="5.."),
            ValueError("503"),
            False,
        ),
        (
            tenacity.retry_if_exception_cause_type(OSError),
            cause_of(ValueError(), OSError()),
            True,
        ),
        (
            tenacity.retry_if_exception_type(OSError)
            & tenacity.retry_if_exception_message(match="a"),
            OSError("b"),
            False,
        ),
        (
            tenacity.retry_if_exception_type(OSError)
            | tenacity.retry_if_exception_message(match="a"),
            OSError("b"),
            True,
        ),
        (tenacity.retry_never, tenacity.TryAgain(), True),  # an explicit wish
    ],
)
def test_every_retry_strategy_sees_the_error(
    retry: Any, error: BaseException, again: bool
) -> None:
    decision = decide(retry_rule(tenacity.Retrying(retry=retry)), 1, error)
    assert (decision.delay is not None) is again
    assert again or decision.reason is DeadReason.NON_RETRYABLE


def test_a_disabled_tenacity_object_means_one_attempt() -> None:
    policy = tenacity.Retrying(enabled=False)
    assert decide(retry_rule(policy), 1).reason is DeadReason.EXHAUSTED


def test_nothing_sleeps() -> None:
    slept: list[float] = []
    policy = tenacity.Retrying(wait=tenacity.wait_fixed(3600), sleep=slept.append)
    began = time.monotonic()
    assert delays(policy, 1, 2, 3) == [3600, 3600, 3600]
    assert slept == []
    assert time.monotonic() - began < 60


def raiser(state: tenacity.RetryCallState) -> Any:
    raise KeyError(state.attempt_number)


@pytest.mark.parametrize(
    "settings",
    [
        {"wait": raiser},
        {"stop": raiser},
        {"retry": raiser},
        {"wait": lambda state: float("nan")},
        {"wait": lambda state: -1},
        {"wait": lambda state: "soon"},
        {"wait": lambda state: None},
    ],
)
def test_a_policy_that_goes_wrong_makes_the_job_dead_and_says_so(
    settings: dict[str, Callable[..., Any]],
) -> None:
    decision = decide(retry_rule(settings), 1)
    assert decision.reason is DeadReason.NON_RETRYABLE
    assert decision.note.startswith("the retry policy raised ")


# -- bad policies ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "strategy",
    [
        tenacity.retry_if_result(lambda r: r is None),
        tenacity.retry_if_not_result(lambda r: r is None),
        tenacity.retry_if_exception_type() | tenacity.retry_if_result(bool),
        (tenacity.retry_if_result(bool) | tenacity.retry_always)
        & tenacity.retry_if_exception_type(),
    ],
)
def test_retrying_on_a_result_is_refused(strategy: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="result"):
        retry_rule(tenacity.Retrying(retry=strategy))


def test_an_async_strategy_is_refused() -> None:
    async def predicate(error: BaseException) -> bool:
        return True

    strategy = tenacity.asyncio.retry.retry_if_exception(predicate)
    with pytest.raises(InvalidArgumentError, match="async"):
        retry_rule(tenacity.AsyncRetrying(retry=strategy))


def test_an_async_function_as_strategy_never_decides() -> None:
    async def forever(state: tenacity.RetryCallState) -> bool:
        return True

    for name in ("stop", "wait", "retry"):
        with pytest.raises(InvalidArgumentError, match=f"{name}.*async"):
            retry_rule({name: forever})


def backoff(**changes: Any) -> dict[str, Any]:
    return {"attempts": 3, "backoff": {"type": "fixed", "delay": 1, **changes}}


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        (0, "retry"),
        (-1, "retry"),
        (True, "retry"),
        (2**31, "retry"),
        (1.5, "retry"),
        ("3", "retry"),
        (object(), "retry"),
        ({}, "retry.attempts"),
        ({"attempts": 0}, "retry.attempts"),
        ({"attempts": -1}, "retry.attempts"),
        ({"attempts": 3.0}, "retry.attempts"),
        ({"attempts": "3"}, "retry.attempts"),
        ({"attempts": True}, "retry.attempts"),
        ({"attempts": 10**400}, "retry.attempts"),
        ({"attempts": None}, "retry.attempts"),
        ({"attempts": 3, "attemps": 3}, "retry.attemps"),
        ({"attempts": 3, 5: 3}, "retry.5"),
        ({"attempts": 3, "backoff": -1}, "retry.backoff"),
        ({"attempts": 3, "backoff": "fast"}, "retry.backoff"),
        ({"attempts": 3, "backoff": {}}, "retry.backoff.type"),
        ({"attempts": 3, "backoff": {"type": "fixed"}}, "retry.backoff.delay"),
        (backoff(type="linear"), "retry.backoff.type"),
        (backoff(type=["fixed"]), "retry.backoff.type"),
        (backoff(delay=-1), "retry.backoff.delay"),
        (backoff(delay=float("nan")), "retry.backoff.delay"),
        (backoff(delay=float("inf")), "retry.backoff.delay"),
        (backoff(delay=10**400), "retry.backoff.delay"),
        (backoff(delay=1e300), "retry.backoff.delay"),
        (backoff(delay="1"), "retry.backoff.delay"),
        (backoff(delay=True), "retry.backoff.delay"),
        (backoff(maxDelay=0.5), "retry.backoff.maxDelay"),
        (backoff(maxDelay=-1), "retry.backoff.maxDelay"),
        (backoff(jitter=1.1), "retry.backoff.jitter"),
        (backoff(jitter=-0.1), "retry.backoff.jitter"),
        (backoff(jitter="a"), "retry.backoff.jitter"),
        (backoff(delays=1), "retry.backoff.delays"),
        ({"stop": 3}, "retry.stop"),
        ({"stop": tenacity.stop_never, "sleep": print}, "retry.sleep"),
    ],
)
def test_a_wrong_policy_is_refused_and_the_field_named(
    policy: object, field: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=rf"^{field} "):
        retry_rule(policy)


# -- extremes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "policy",
    [
        {"attempts": 5000, "backoff": {"type": "exponential", "delay": 1}},
        RetryPolicy(maximum_interval=timedelta.max),
        RetryPolicy(initial_interval=timedelta(days=300)),
        RetryPolicy(backoff_coefficient=10**400, maximum_interval=timedelta.max),
        RetryPolicy(backoff_coefficient=10, maximum_interval=timedelta.max),
        tenacity.Retrying(wait=tenacity.wait_exponential()),
        tenacity.Retrying(wait=tenacity.wait_exponential_jitter()),
        tenacity.Retrying(wait=lambda state: float("inf")),
    ],
)
def test_attempt_2000_is_capped_and_does_not_crash(policy: object) -> None:
    assert delays(policy, 2000) == [MAX_DELAY.total_seconds()]


policies = st.one_of(
    st.none(),
    st.integers(1, 2**31 - 1),
    st.builds(
        RetryPolicy,
        initial_interval=st.timedeltas(timedelta(microseconds=1), timedelta.max),
        backoff_coefficient=st.floats(1, 1e300) | st.integers(1, 10**20),
        maximum_attempts=st.integers(0, 10**9),
    ),
    st.fixed_dictionaries(
        {
            "attempts": st.integers(1, 2**31 - 1),
            "backoff": st.fixed_dictionaries(
                {
                    "type": st.sampled_from(["fixed", "exponential"]),
                    "delay": st.integers(0, 10**10) | st.floats(0, 1e10),
                    "jitter": st.floats(0, 1),
                }
            ),
        }
    ),
)


@given(policies, st.integers(1, 10**9))
def test_every_decision_is_a_bounded_delay_or_a_reason(
    policy: object, attempt: int
) -> None:
    decision = decide(retry_rule(policy, draw=lambda: 0.5), attempt)
    if decision.delay is None:
        assert decision.reason is DeadReason.EXHAUSTED
    else:
        assert decision.reason is None
        assert timedelta(0) <= decision.delay <= MAX_DELAY
