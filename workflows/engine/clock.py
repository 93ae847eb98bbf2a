"""The store's clock: wall time that never goes backwards and never stands still."""

from typing import NamedTuple


class ClockState(NamedTuple):
    """What a store keeps: the last time it gave out, and the wall then, both ms."""

    now: int
    wall: int


def advance(last: ClockState, wall: int) -> ClockState:
    """Return the clock after a reading of `wall` (ms since the epoch).

    While the wall is behind what was given out (it was set back), time runs at
    half the wall's speed until the wall has caught up. `wall` of the state moves
    only with `now`, so that readings closer together than 2 ms still add up.
    """
    if wall < last.wall:  # a (further) backward step: measure from here
        return ClockState(last.now, wall)
    step = (wall - last.wall) // 2
    if wall >= last.now + step:
        return ClockState(wall, wall)
    return ClockState(last.now + step, last.wall + 2 * step)
