"""Three messages to a user at once, then one per six seconds."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from workflows.marketplace.pair_limit import PairLimit

NOW = datetime(2026, 11, 24, 4, 15, tzinfo=UTC)
LIMIT = PairLimit()
SECOND = timedelta(seconds=1)


def slots(arrivals: list[float]) -> list[float]:
    """Return when each arrival may go out, in seconds."""
    tat, given_out = None, []
    for at in arrivals:
        slot, tat = LIMIT.reserve(tat, NOW + at * SECOND)
        given_out.append((slot - NOW) / SECOND)
    return given_out


def test_a_burst_goes_at_once_and_the_rest_gets_slots_of_its_own() -> None:
    assert slots([0] * 6) == [0, 0, 0, 6, 12, 18]


def test_the_burst_comes_back_with_time() -> None:
    assert slots([0, 0, 0, 6, 12.5]) == [0, 0, 0, 6, 12.5]
    assert slots([0, 0, 0, 60, 60, 60, 60]) == [0, 0, 0, 60, 60, 60, 66]


@given(st.lists(st.floats(0, 20), max_size=30))
def test_no_period_holds_more_than_the_burst_and_one(gaps: list[float]) -> None:
    arrivals = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    given_out = slots(arrivals)
    for arrival, slot in zip(arrivals, given_out, strict=True):
        assert slot >= arrival - 1e-5
    for first in given_out:
        inside = [slot for slot in given_out if first <= slot < first + 6 - 1e-5]
        assert len(inside) <= LIMIT.burst


def test_a_slot_holds_for_one_period_and_not_before() -> None:
    assert not LIMIT.holds(NOW, NOW - SECOND)
    assert LIMIT.holds(NOW, NOW)
    assert LIMIT.holds(NOW, NOW + 5.9 * SECOND)
    assert not LIMIT.holds(NOW, NOW + 6 * SECOND)
