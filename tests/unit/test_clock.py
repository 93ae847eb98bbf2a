"""The store's clock never goes backwards, never stands still, and catches up."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.engine.clock import ClockState, advance

pytestmark = pytest.mark.unit

START = 1_700_000_000_000
HOUR = 3_600_000

walls = st.lists(st.integers(START - 24 * HOUR, START + 24 * HOUR), max_size=40)


def read(*readings: int, start: int = START) -> list[int]:
    """What the clock gives out for these readings of the wall."""
    state, given_out = ClockState(start, start), []
    for wall in readings:
        state = advance(state, wall)
        given_out.append(state.now)
    return given_out


def test_it_is_the_wall_as_long_as_the_wall_goes_forward() -> None:
    assert read(START, START + 1, START + HOUR) == [START, START + 1, START + HOUR]


def test_a_jump_forward_is_followed_at_once() -> None:
    assert read(START + 30 * 24 * HOUR) == [START + 30 * 24 * HOUR]


def test_after_a_backward_step_it_runs_at_half_speed_until_the_wall_caught_up() -> None:
    back = START - 1000
    given_out = read(back, back + 500, back + 1000, back + 1999, back + 2001)
    assert given_out == [START, START + 250, START + 500, START + 999, START + 1001]


def test_a_second_backward_step_is_measured_from_itself() -> None:
    assert read(START - 1000, START - 500, START - 9000, START - 8000) == [
        START,
        START + 250,
        START + 250,
        START + 750,
    ]


def test_readings_every_millisecond_add_up() -> None:
    readings = range(START - 1000, START)
    assert read(*readings)[-1] == START + 499


@given(walls)
def test_it_never_goes_backwards(readings: list[int]) -> None:
    given_out = read(*readings)
    assert given_out == sorted(given_out)
    assert all(now >= START for now in given_out)


@given(walls)
def test_it_is_never_ahead_of_every_wall_that_was_read(readings: list[int]) -> None:
    highest = START
    for wall, now in zip(readings, read(*readings), strict=True):
        gained = sum(  # what it may have gained while the wall was behind
            max(after - before, 0)
            for before, after in zip([START, *readings], readings, strict=False)
        )
        highest = max(highest, wall)
        assert now <= highest + gained / 2 + 1


@given(st.integers(0, HOUR), st.lists(st.integers(0, 10_000), min_size=1))
def test_it_never_stands_still_while_the_wall_moves(
    back: int, steps: list[int]
) -> None:
    readings = list(accumulate(steps, initial=START - back))
    now = read(*readings)[-1]
    assert now >= START + sum(steps) // 2
    assert now >= readings[-1]


@given(st.integers(0, HOUR), st.lists(st.integers(0, 10_000), min_size=1))
def test_it_does_not_matter_how_often_it_is_read(back: int, steps: list[int]) -> None:
    readings = list(accumulate(steps, initial=START - back))
    seldom = read(readings[0], readings[-1])[-1]
    assert abs(read(*readings)[-1] - seldom) <= 1


@given(st.integers(1, 24 * HOUR), st.integers(1, 1000))
def test_it_catches_up_with_the_wall_after_twice_the_step_at_most(
    back: int, step: int
) -> None:
    state = advance(ClockState(START, START), START - back)
    wall = START - back + 2 * back + step
    state = advance(state, START - back + back)  # half of the way
    assert START <= state.now <= START + back
    assert advance(state, wall) == ClockState(wall, wall)


@given(walls)
def test_a_reading_that_is_repeated_changes_nothing(readings: list[int]) -> None:
    state = ClockState(START, START)
    for wall in readings:
        state = advance(state, wall)
        assert advance(state, wall) == state
