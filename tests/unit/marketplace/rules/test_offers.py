"""Whom to ask next, and for how long."""

from datetime import UTC, datetime, timedelta

from tests.unit.marketplace.rules.test_bidding import A, B, Bid, C
from workflows.marketplace.rules.offers import (
    StandingOffer,
    next_bidder,
    next_vendor,
    nudge_at,
    respond_by,
)

NOW = datetime(2026, 11, 24, 4, 25, 20, tzinfo=UTC)
WINDOW = timedelta(minutes=15)
CEILING = 4_085_000


def after(*excluded: str) -> Bid | None:
    return next_bidder(
        [A, B, C],
        supplier_of=lambda bid: bid.supplier_id,
        excluded=excluded,
        ceiling_paisa=CEILING,
    )


def test_vf_1_the_next_bid_in_rank_is_asked() -> None:
    assert after("C") == B
    assert after("C", "B") == A
    assert after("A", "B", "C") is None


def test_vf_4_the_first_vendor_under_the_ceiling_is_asked() -> None:
    v = StandingOffer(supplier_id="V", priority=10, amount_paisa=4_010_000)
    w = StandingOffer(supplier_id="W", priority=20, amount_paisa=4_100_000)
    assert next_vendor([w, v], excluded=(), ceiling_paisa=CEILING) == v
    assert next_vendor([w, v], excluded=("V",), ceiling_paisa=CEILING) is None


def test_vendors_go_by_priority_then_price_then_id() -> None:
    dear = StandingOffer(supplier_id="a", priority=1, amount_paisa=9)
    cheap = StandingOffer(supplier_id="b", priority=2, amount_paisa=1)
    twin = StandingOffer(supplier_id="c", priority=2, amount_paisa=1)
    all_three = [twin, cheap, dear]
    assert next_vendor(all_three, excluded=(), ceiling_paisa=9) == dear
    assert next_vendor(all_three, excluded=("a",), ceiling_paisa=9) == cheap
    assert next_vendor(all_three, excluded=(), ceiling_paisa=8) == cheap


def test_vf_8_a_window_is_cut_to_the_deadline_while_five_minutes_are_left() -> None:
    assert respond_by(NOW, WINDOW, None) == NOW + WINDOW
    assert respond_by(NOW, WINDOW, NOW + timedelta(hours=1)) == NOW + WINDOW
    eight, five = NOW + timedelta(minutes=8), NOW + timedelta(minutes=5)
    assert respond_by(NOW, WINDOW, eight) == eight
    assert respond_by(NOW, WINDOW, five) == five
    assert respond_by(NOW, WINDOW, five - timedelta(seconds=1)) is None


def test_ct_1_a_supplier_is_nudged_at_half_time() -> None:
    assert nudge_at(NOW, NOW + WINDOW) == NOW + timedelta(minutes=7, seconds=30)


def test_ct_9_nobody_is_nudged_in_a_short_window() -> None:
    assert nudge_at(NOW, NOW + timedelta(minutes=9, seconds=59)) is None
