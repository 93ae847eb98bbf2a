"""Log-linear buckets for durations in ms: four per power of two, HDR style.

Both adapters count into the same buckets, so they are defined by exact binary
arithmetic (`frexp`), which Lua and Python share bit for bit.
"""

from collections.abc import Mapping
from math import frexp


def bucket(ms: int) -> int:
    """Return the bucket of a duration; 0 holds 0 ms and less."""
    if ms < 1:
        return 0
    mantissa, exponent = frexp(ms)
    return exponent * 4 + int((mantissa - 0.5) * 8)


def upper_bound(index: int) -> float:
    """Return the smallest duration (ms) above bucket `index`."""
    if index == 0:
        return 1.0
    exponent, quarter = divmod(index, 4)
    return float((0.5 + (quarter + 1) / 8) * 2.0**exponent)


def percentile(counts: Mapping[int, int], q: float) -> float | None:
    """Return the upper bound (ms) of the bucket that holds quantile `q`, or None."""
    total = sum(counts.values())
    if not total:
        return None
    rank, seen = q * total, 0
    for index in sorted(counts):
        seen += counts[index]
        if seen >= rank:
            return upper_bound(index)
    return upper_bound(max(counts))
