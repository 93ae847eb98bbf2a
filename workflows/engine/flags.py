"""Logic flags: rules of this engine that the meaning of a history depends on.

A run's first workflow task writes the flags of the program that ran it into the
history, and the run keeps them: a replay follows the rules of its history, not those
of the newest program. To change a rule that replays depend on (the order in which
things happen, how ids are made), add a flag, and branch on `Activation.flags` or
`Replay.flags`: without the flag the old rule holds. Numbers are never used again.
"""

from enum import IntEnum


class Flag(IntEnum):
    """The flags that this program knows."""

    FIRST_RULES = 1  # those of the first release: nothing depends on it


CURRENT: frozenset[int] = frozenset(Flag)  # what a new run gets


def unknown(flags: frozenset[int]) -> list[int]:
    """Return those that this program does not know: a newer one wrote them."""
    return sorted(flags - CURRENT)
