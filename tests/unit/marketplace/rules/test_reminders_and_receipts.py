"""Levels of reminders, promises, and what a receipt pays."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.marketplace.rules.allocation import Owed, allocate
from workflows.marketplace.rules.reminders import due_level, promised_date
from workflows.marketplace.rules.tokens import button_token, token_fits

DUE = date(2026, 11, 10)


def november(day: int) -> date:
    return date(2026, 11, day)


def test_pr_1_levels_come_on_the_11th_13th_17th_and_24th() -> None:
    sent, level = {}, 0
    for day in range(10, 31):
        due = due_level(november(day), DUE, level)
        if due is not None:
            sent[day], level = due, due
    assert sent == {11: 1, 13: 2, 17: 3, 24: 4}


def test_pr_3_missed_days_skip_levels_and_repeat_none() -> None:
    assert due_level(november(17), DUE, last_level=1) == 3
    assert due_level(november(18), DUE, last_level=3) is None


def test_pr_11_a_promise_reaches_seven_days_ahead() -> None:
    assert promised_date(november(18), 25) == november(25)
    assert promised_date(november(18), 26) is None
    assert promised_date(november(18), 18) is None
    assert promised_date(november(28), 3) == date(2026, 12, 3)


def owed(name: str, day: int, amount: int) -> Owed:
    return Owed(invoice_id=name, due_on=november(day), outstanding_paisa=amount)


def test_cr_3_the_oldest_invoice_is_paid_first() -> None:
    invoices = [owed("INV-12", 15, 1_000_000), owed("INV-11", 10, 4_859_000)]
    assert allocate(3_000_000, invoices) == [("INV-11", 3_000_000)]


def test_cr_4_what_is_left_pays_the_next() -> None:
    invoices = [owed("INV-11", 10, 1_359_000), owed("INV-12", 15, 1_000_000)]
    assert allocate(2_000_000, invoices) == [
        ("INV-11", 1_359_000),
        ("INV-12", 641_000),
    ]


def test_cr_5_the_rest_stays_an_advance() -> None:
    assert allocate(1_200_000, [owed("i", 10, 359_000)]) == [("i", 359_000)]


@given(
    st.integers(0, 10_000),
    st.lists(st.tuples(st.integers(1, 28), st.integers(0, 3_000)), max_size=6),
)
def test_a_receipt_is_never_overspent_nor_an_invoice_overpaid(
    amount: int, facts: list[tuple[int, int]]
) -> None:
    invoices = [owed(str(n), day, left) for n, (day, left) in enumerate(facts)]
    taken = dict(allocate(amount, invoices))
    assert sum(taken.values()) == min(amount, sum(left for _, left in facts))
    for invoice in invoices:
        assert taken.get(invoice.invoice_id, 0) <= invoice.outstanding_paisa


@given(st.dates(date(2026, 1, 1), date(2027, 12, 31)), st.integers(0, 40))
def test_no_level_comes_twice(due_on: date, days: int) -> None:
    level = due_level(due_on + timedelta(days=days), due_on, 0)
    if level is not None:
        assert due_level(due_on + timedelta(days=days), due_on, level) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "c"},
        {"id": "rnd_2"},
        {"supplier_id": "sup_B"},
        {"secret": b"other"},
        {"token": "000000"},
    ],
)
def test_ct_11_a_button_works_for_its_own_supplier_only(
    wrong: dict[str, str | bytes],
) -> None:
    token = button_token(b"demo", "b", "rnd_1", "sup_A")
    facts = {
        "token": token,
        "secret": b"demo",
        "kind": "b",
        "id": "rnd_1",
        "supplier_id": "sup_A",
    }
    assert token_fits(**facts)  # type: ignore[arg-type]
    assert not token_fits(**(facts | wrong))  # type: ignore[arg-type]
