"""Who wins, which bids count, and what a typed bid says."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.marketplace.rules.bid_text import TypedBid, read_bid
from workflows.marketplace.rules.bidding import (
    Refusal,
    rank,
    refusal,
    trusted_time,
    winner,
)

OPENS = datetime(2026, 11, 24, 4, 15, tzinfo=UTC)
CLOSES = OPENS + timedelta(minutes=10)
CEILING = 4_085_000


@dataclass(frozen=True)
class Bid:
    supplier_id: str
    amount_paisa: int
    submitted_at: datetime
    seq: int


def bid(supplier: str, amount: int, seconds: int, seq: int) -> Bid:
    return Bid(supplier, amount, OPENS + timedelta(seconds=seconds), seq)


A = bid("A", 4_020_000, 300, 1)
B = bid("B", 3_995_000, 421, 2)
C = bid("C", 3_995_000, 420, 3)


def test_bt_1_of_equal_prices_the_earlier_wins() -> None:
    assert rank([A, B, C]) == [C, B, A]
    assert winner([A, B, C], min_bids=1) == C


def test_bt_2_of_equal_times_the_first_to_arrive_wins() -> None:
    later = bid("C", 3_995_000, 421, 3)
    assert rank([later, B]) == [B, later]


def test_bt_5_too_few_bids_have_no_winner() -> None:
    assert winner([B], min_bids=2) is None
    assert winner([], min_bids=1) is None


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), max_size=8))
def test_the_ranking_does_not_depend_on_the_order_of_reading(
    facts: list[tuple[int, int]],
) -> None:
    bids = [bid("x", amount, at, seq) for seq, (amount, at) in enumerate(facts)]
    mixed = random.Random(1).sample(bids, len(bids))
    assert rank(mixed) == rank(bids)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"invited": False}, Refusal.NOT_INVITED),
        ({"round_open": False}, Refusal.LATE),
        ({"submitted_at": CLOSES - timedelta(seconds=1)}, None),
        ({"submitted_at": CLOSES}, Refusal.LATE),
        ({"submitted_at": OPENS}, None),
        ({"submitted_at": OPENS - timedelta(seconds=1)}, Refusal.EARLY),
        ({"amount_paisa": CEILING}, None),
        ({"amount_paisa": CEILING + 1}, Refusal.ABOVE_CEILING),
    ],
)
def test_a_bid_counts_within_the_window_and_up_to_the_ceiling(
    changes: dict[str, object], expected: Refusal | None
) -> None:
    facts: dict[str, object] = {
        "invited": True,
        "round_open": True,
        "opens_at": OPENS,
        "closes_at": CLOSES,
        "submitted_at": OPENS + timedelta(minutes=5),
        "amount_paisa": 3_995_000,
        "ceiling_paisa": CEILING,
    }
    assert refusal(**(facts | changes)) is expected  # type: ignore[arg-type]


def test_no_delayed_webhook_reopens_history() -> None:
    minute = timedelta(minutes=1)
    assert trusted_time(OPENS, OPENS + 5 * minute) == OPENS
    assert trusted_time(OPENS + minute, OPENS) == OPENS
    assert trusted_time(OPENS, OPENS + 30 * minute) == OPENS + 20 * minute


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("बोली ४०,५००", TypedBid(4_050_000)),
        ("9841234567", TypedBid(984_123_456_700)),
        ("40500 or 41000", None),
        ("BID 40,500 2h", TypedBid(4_050_000, 120)),
        ("bid rs. 39,950.5/-", TypedBid(3_995_050)),
        ("40500 90 min", TypedBid(4_050_000, 90)),
        ("0", None),
        ("hello", None),
        ("-5", None),
    ],
)
def test_bt_10_a_typed_bid_is_read_or_asked_again(
    text: str, expected: TypedBid | None
) -> None:
    assert read_bid(text) == expected
