"""RetryPolicy: Temporal's fields and defaults, validated."""

from datetime import timedelta
from typing import Any

import pytest

from workflows.common import RetryPolicy
from workflows.exceptions import InvalidArgumentError

pytestmark = pytest.mark.unit


def test_the_defaults_are_those_of_temporal() -> None:
    policy = RetryPolicy()
    assert policy.initial_interval == timedelta(seconds=1)
    assert policy.backoff_coefficient == 2.0
    assert policy.maximum_interval is None
    assert policy.maximum_attempts == 0
    assert policy.non_retryable_error_types is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("initial_interval", timedelta(0)),
        ("initial_interval", timedelta(seconds=-1)),
        ("initial_interval", 5),
        ("maximum_interval", timedelta(milliseconds=1)),  # below the initial one
        ("maximum_interval", timedelta(seconds=-1)),
        ("maximum_interval", "1h"),
        ("backoff_coefficient", 0.99),
        ("backoff_coefficient", 0),
        ("backoff_coefficient", float("nan")),
        ("backoff_coefficient", float("inf")),
        ("backoff_coefficient", True),
        ("backoff_coefficient", "2"),
        ("maximum_attempts", -1),
        ("maximum_attempts", 1.5),
        ("maximum_attempts", True),
        ("non_retryable_error_types", "ValueError"),
        ("non_retryable_error_types", [ValueError]),
    ],
)
def test_a_wrong_field_is_refused_and_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=field):
        RetryPolicy(**{field: value})
