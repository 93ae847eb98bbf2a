"""How often an activity's heartbeats go to the store."""

import pytest

from workflows.runtime.heartbeats import Throttle
from workflows.runtime.lease import MS


@pytest.mark.parametrize(
    ("throttle", "timeout_ms", "rest_ms"),
    [
        (Throttle(), 10_000, 8_000),
        (Throttle(), 100_000, 60_000),
        (Throttle(), None, 30_000),
        (Throttle(most_ms=100), 10_000, 100),
        (Throttle(most_ms=100), None, 100),
        (Throttle(default_ms=5), None, 5),
        (Throttle(default_ms=5), 10, 8),
    ],
)
def test_heartbeats_rest_for_most_of_their_timeout_and_never_longer_than_the_most(
    throttle: Throttle, timeout_ms: int | None, rest_ms: int
) -> None:
    assert throttle.rest_ns(timeout_ms) == rest_ms * MS
