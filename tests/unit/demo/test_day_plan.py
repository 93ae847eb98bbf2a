"""A day is drawn from its seed, and begins after all that was written before."""

from collections import Counter
from datetime import date, datetime, timedelta

import pytest

from workflows.demo.habits import Habits, Reply
from workflows.demo.opening import opening_after
from workflows.demo.people import NOT_ON_WHATSAPP, OPTED_OUT, people
from workflows.marketplace.order import OrderMode, PaymentMode
from workflows.marketplace.rules.business_time import KATHMANDU
from workflows.marketplace.rules.pricing import totals
from workflows.marketplace.terms import Terms

CAST = people(50, 4, 3)
HOUR = timedelta(hours=1)


def habits(seed: int = 1) -> Habits:
    return Habits(seed, Terms())


def test_the_same_seed_draws_the_same_day_and_another_one_another() -> None:
    once = habits().orders("o", CAST.customers, 50, HOUR)
    assert habits().orders("o", CAST.customers, 50, HOUR) == once
    assert habits(2).orders("o", CAST.customers, 50, HOUR) != once
    assert habits().bids("o-1", "s") == habits().bids("o-1", "s")


def test_a_day_of_some_length_has_every_kind_of_order_and_payment() -> None:
    plans = habits().orders("o", CAST.customers, 300, HOUR)
    assert [plan.after for plan in plans] == sorted(plan.after for plan in plans)
    assert {plan.wanted.mode for plan in plans} == set(OrderMode)
    assert {plan.wanted.payment_mode for plan in plans} == set(PaymentMode)
    prepaid = [p for p in plans if p.wanted.payment_mode is PaymentMode.PREPAID]
    assert {len(plan.payments) for plan in prepaid} == {0, 1, 2}
    moneys = [money for plan in prepaid for money in plan.payments]
    assert any(money.copies > 1 for money in moneys)
    assert any(money.lag for money in moneys)
    assert any(money.begun for money in moneys)
    assert any(plan.cancel_after is not None for plan in plans)


def test_suppliers_give_every_kind_of_answer() -> None:
    said = Counter(
        habits().answer(f"o-{n}", "s", nudged=False).reply for n in range(300)
    )
    assert set(said) == set(Reply)
    assert said.most_common(1)[0][0] is Reply.YES


def test_amounts_are_whole_paisa() -> None:
    for plan in habits().orders("o", CAST.customers, 50, HOUR):
        assert type(totals(plan.wanted.lines).total_paisa) is int


def test_one_user_has_opted_out_and_another_is_not_on_whatsapp() -> None:
    assert [c.phone for c in CAST.customers].count(OPTED_OUT) == 1
    assert [s.phone for s in CAST.suppliers].count(NOT_ON_WHATSAPP) == 1
    phones = [customer.phone for customer in CAST.customers]
    phones += [supplier.phone for supplier in CAST.suppliers]
    assert len(phones) == len(set(phones))


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, "2026-11-24T09:55"),
        ("2026-11-24T09:00", "2026-11-24T09:55"),
        ("2026-11-24T12:00", "2026-11-25T09:55"),
        ("2026-11-26T12:00", "2026-11-27T09:55"),
    ],
)
def test_the_next_day_begins_after_the_last_event(
    last: str | None, expected: str
) -> None:
    newest = None if last is None else local(last)
    assert opening_after(newest, date(2026, 11, 24)) == local(expected)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=KATHMANDU)
