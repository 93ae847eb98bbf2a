"""How often an activity's heartbeats go to the store."""

import threading
from typing import Any

import pytest

from workflows.runtime.heartbeats import Heart, Hearts, Throttle
from workflows.runtime.lease import MS
from workflows.store import Beat


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


class Answers:
    """A store that wants every activity to end."""

    def beat(self, *_: Any) -> Beat:
        """Ask for a cancellation."""
        return Beat(held=True, cancel_requested=True)


def test_an_activity_that_cannot_be_told_to_end_stops_no_other_heart() -> None:
    store: Any = Answers()
    refused, told = threading.Event(), threading.Event()

    def refuse(_: object) -> None:
        refused.set()
        raise RuntimeError

    hearts = Hearts()
    bad = Heart(store, "bad", "t", rest_ns=0, on_cancel=refuse)
    good = Heart(store, "good", "t", rest_ns=0, on_cancel=lambda _: told.set())
    hearts.start()
    try:
        for heart, heard in ((bad, refused), (good, told)):
            hearts.add(heart)
            heart.record(b"")
            assert heard.wait(10)
    finally:
        hearts.stop()
