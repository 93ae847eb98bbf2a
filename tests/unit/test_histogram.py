"""Buckets that both stores count into alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.engine.histogram import bucket, percentile, upper_bound

pytestmark = pytest.mark.unit

YEAR_MS = 366 * 24 * 3_600_000


def test_nothing_and_less_is_in_bucket_0() -> None:
    assert bucket(0) == bucket(-5) == 0
    assert upper_bound(0) == 1.0


def test_the_first_buckets_are_these() -> None:
    found = {ms: bucket(ms) for ms in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1000)}
    assert found == {
        1: 4, 2: 8, 3: 10, 4: 12, 5: 13, 6: 14, 7: 15, 8: 16, 9: 16, 10: 17, 1000: 43
    }  # fmt: skip


@given(st.integers(0, YEAR_MS), st.integers(0, YEAR_MS))
def test_longer_is_never_in_a_lower_bucket(one: int, other: int) -> None:
    short, long = sorted((one, other))
    assert bucket(short) <= bucket(long)


@given(st.integers(0, YEAR_MS))
def test_a_duration_is_below_the_bound_of_its_bucket_and_near_it(ms: int) -> None:
    bound = upper_bound(bucket(ms))
    assert ms < bound
    assert bound <= max(ms * 1.25, 2)


@given(st.integers(1, YEAR_MS))
def test_the_bound_of_a_bucket_begins_a_later_one(ms: int) -> None:
    index = bucket(ms)
    bound = upper_bound(index)
    assert bucket(int(bound)) > index or int(bound) <= ms


def test_no_counts_have_no_percentile() -> None:
    assert percentile({}, 0.5) is None
    assert percentile({7: 0}, 0.5) is None


def test_percentiles_are_bounds_of_buckets() -> None:
    counts = {bucket(10): 90, bucket(100): 9, bucket(1000): 1}
    assert percentile(counts, 0.5) == upper_bound(bucket(10))
    assert percentile(counts, 0.9) == upper_bound(bucket(10))
    assert percentile(counts, 0.95) == upper_bound(bucket(100))
    assert percentile(counts, 1.0) == upper_bound(bucket(1000))


@given(
    st.lists(st.integers(0, YEAR_MS), min_size=1, max_size=200),
    st.floats(0.01, 1),
)
def test_a_percentile_is_the_exact_one_rounded_up_by_a_quarter_at_most(
    durations: list[int], q: float
) -> None:
    counts: dict[int, int] = {}
    for ms in durations:
        counts[bucket(ms)] = counts.get(bucket(ms), 0) + 1
    rank = next(n for n in range(1, len(durations) + 1) if n >= q * len(durations))
    exact = sorted(durations)[rank - 1]
    found = percentile(counts, q)
    assert found is not None
    assert exact < found <= max(exact * 1.25, 2)
