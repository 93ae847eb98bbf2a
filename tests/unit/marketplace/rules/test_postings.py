"""Every posting balances; the specification's figures come out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.marketplace.ledger import (
    Account,
    Entry,
    Posting,
    Side,
    balance,
    credit,
    debit,
)
from workflows.marketplace.rules import postings

AMOUNT = st.integers(1, 10**12)


def figures(posting: Posting) -> dict[str, int]:
    return {f"{e.side}{e.account}": e.amount_paisa for e in posting.entries}


def test_the_fixture_order_posts_what_the_specification_says() -> None:
    paid = postings.payment_captured("p", "esewa", "cus_1", 4_859_000)
    assert figures(paid) == {"D1010": 4_859_000, "C2200": 4_859_000}
    issued = postings.invoice_issued(
        "i", "cus_1", subtotal_paisa=4_300_000, vat_paisa=559_000
    )
    assert figures(issued) == {"D1100": 4_859_000, "C4000": 4_300_000, "C2100": 559_000}
    cost = postings.supplier_cost(
        "c", "sup_C", amount_paisa=3_995_000, vat_paisa=519_350
    )
    assert figures(cost) == {"D5000": 3_995_000, "D1200": 519_350, "C2000": 4_514_350}


@given(AMOUNT, st.integers(0, 10**12), st.integers(-(10**6), -1) | st.integers(1, 99))
def test_every_posting_balances(net: int, vat: int, shift: int) -> None:
    made = [
        postings.payment_captured("p", "bank", "c", net),
        postings.invoice_issued("i", "c", subtotal_paisa=net, vat_paisa=vat),
        postings.supplier_cost("k", "s", amount_paisa=net, vat_paisa=vat),
        postings.advance_applied("p", "i", "c", net),
        postings.refund_paid("p", "c", net),
        postings.credit_note("n", "c", net_paisa=net, vat_paisa=vat),
        postings.rounding("r", "c", shift),
    ]
    for posting in made:
        both = posting.entries + postings.reversal(posting).entries
        assert balance(posting.entries) == 0
        for account in Account:
            assert balance(e for e in both if e.account is account) == 0


def test_what_does_not_balance_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="balance"):
        Posting(
            key="k",
            kind="x",
            entries=(debit(Account.BANK, 100), credit(Account.SALES, 99)),
        )


def test_an_account_kept_by_party_needs_one() -> None:
    with pytest.raises(ValueError, match="by party"):
        debit(Account.RECEIVABLES, 1)


@pytest.mark.parametrize("amount", [0, -1])
def test_an_entry_is_above_zero(amount: int) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Entry(account=Account.BANK, side=Side.DEBIT, amount_paisa=amount)


def test_an_entry_of_a_float_is_refused() -> None:
    with pytest.raises(TypeError, match="integer paisa"):
        debit(Account.BANK, 1.5)  # type: ignore[arg-type]
