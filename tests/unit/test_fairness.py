"""Over time each queue gets its weight, whatever the size of a claim."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.engine.fairness import MAX_WEIGHT, shares
from workflows.exceptions import InvalidArgumentError

pytestmark = pytest.mark.unit

queues = st.dictionaries(
    st.text(max_size=8), st.integers(1, 20), min_size=1, max_size=8
)


def test_no_queues_have_no_shares() -> None:
    assert shares({}, 10, 0) == []


def card(weights: dict[str, int], dealt: int) -> str:
    """The queue that a claim of one slot goes to."""
    return next(queue for queue, share in shares(weights, 1, dealt) if share)


def test_equal_queues_take_turns() -> None:
    weights = {"a": 1, "b": 1, "c": 1}
    assert [card(weights, dealt) for dealt in range(4)] == ["a", "b", "c", "a"]


def test_a_queue_of_weight_three_gets_three_of_four_single_slots() -> None:
    weights = {"bulk": 1, "urgent": 3}
    turns = Counter(card(weights, dealt) for dealt in range(8))
    assert turns == {"urgent": 6, "bulk": 2}


def test_a_big_claim_is_divided_by_weight() -> None:
    assert dict(shares({"a": 1, "b": 3}, 8, 0)) == {"a": 2, "b": 6}


@given(queues, st.integers(0, 200), st.integers(0, 10**12))
def test_every_queue_is_asked_once_and_the_shares_sum_up(
    weights: dict[str, int], slots: int, dealt: int
) -> None:
    found = shares(weights, slots, dealt)
    assert sorted(queue for queue, _ in found) == sorted(weights)
    assert sum(share for _, share in found) == slots
    assert all(share >= 0 for _, share in found)


@given(queues, st.lists(st.integers(0, 50), max_size=60), st.integers(0, 10**6))
def test_over_any_claims_each_queue_gets_its_weight_within_one_round(
    weights: dict[str, int], claims: list[int], dealt: int
) -> None:
    got: Counter[str] = Counter()
    total = sum(weights.values())
    for slots in claims:
        for queue, share in shares(weights, slots, dealt):
            got[queue] += share
        dealt += slots
    for queue, weight in weights.items():
        assert abs(got[queue] - sum(claims) * weight / total) <= weight + 1


@given(queues, st.integers(0, 10**6))
def test_no_queue_waits_longer_than_its_stride(
    weights: dict[str, int], dealt: int
) -> None:
    total = sum(weights.values())
    turns = [card(weights, dealt + n) for n in range(2 * total)]
    for queue, weight in weights.items():
        at = [n for n, turn in enumerate(turns) if turn == queue]
        assert len(at) == 2 * weight
        widest = max(b - a for a, b in pairwise(at))
        assert widest <= total / weight + len(weights)


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 5), min_size=2),
    st.data(),
)
def test_what_empty_queues_leave_is_divided_by_weight_too(
    weights: dict[str, int], data: st.DataObject
) -> None:
    names = st.sampled_from(sorted(weights))
    busy = data.draw(st.sets(names, min_size=1), label="queues with jobs")
    claims, got = 2000, Counter[str]()
    for dealt in range(claims):
        order = shares(weights, 1, dealt)
        wanted = [queue for queue, share in order if share] + [q for q, _ in order]
        got[next(queue for queue in wanted if queue in busy)] += 1
    total = sum(weights[queue] for queue in busy)
    for queue in busy:
        assert abs(got[queue] / claims - weights[queue] / total) < 0.06


@pytest.mark.parametrize("weight", [0, -1, MAX_WEIGHT + 1])
def test_a_weight_out_of_range_is_refused(weight: int) -> None:
    with pytest.raises(InvalidArgumentError, match="'a'"):
        shares({"a": weight}, 1, 0)
