"""Weighted fairness: how a claim divides its slots among queues.

Slots are dealt out like cards from an endless deck in which each queue appears as
often as it weighs, evenly spread (stride scheduling). A claim takes the next `slots`
cards; the caller remembers only how many were dealt. So over time every queue gets
its part, even if each claim asks for one job. What empty queues leave goes to the
others in an order drawn anew for each claim, by weight too: no queue profits from
standing behind an idle one.
"""

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from math import log

from workflows.exceptions import InvalidArgumentError

MAX_WEIGHT = 1000


def shares(weights: Mapping[str, int], slots: int, dealt: int) -> list[tuple[str, int]]:
    """Return every queue with its share of `slots`, in the order to ask them.

    A queue may have a share of 0: it only takes what others leave. `dealt`: the slots
    that all claims before asked for (the caller adds `slots` afterwards).

    Raises:
        InvalidArgumentError: a weight is not between 1 and MAX_WEIGHT.
    """
    if not weights:
        return []
    deck = _deck(tuple(sorted(weights.items())))
    rounds, rest = divmod(slots, len(deck))
    start = dealt % len(deck)
    extra = Counter((deck + deck)[start : start + rest])
    return [
        (queue, rounds * weights[queue] + extra[queue])
        for queue in sorted(weights, key=lambda queue: _race(queue, weights, dealt))
    ]


@lru_cache(maxsize=64)
def _deck(weights: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    """Return each queue `weight` times, evenly spread."""
    for queue, weight in weights:
        if not 1 <= weight <= MAX_WEIGHT:
            msg = f"weight of queue {queue!r} is not between 1 and {MAX_WEIGHT}"
            raise InvalidArgumentError(msg)
    places = [
        ((2 * n + 1) / (2 * weight), queue)
        for queue, weight in weights
        for n in range(weight)
    ]
    return tuple(queue for _, queue in sorted(places))


def _race(queue: str, weights: Mapping[str, int], dealt: int) -> float:
    """Return when a queue arrives: exponential, so that it is first by its weight.

    The draw is a hash of queue and `dealt`, as the engine has no randomness.
    """
    name = f"{dealt} {queue}".encode(errors="backslashreplace")
    drawn = int.from_bytes(blake2b(name, digest_size=6).digest())
    return -log((drawn + 1) / 2**48) / weights[queue]
