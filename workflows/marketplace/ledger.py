"""The double-entry ledger: what is posted, and that it balances.

Entries are never changed; a mistake is undone by a posting of the opposite.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from workflows.marketplace.rules.money import paisa


class Account(StrEnum):
    """The chart of accounts."""

    BANK = "1000"
    ESEWA = "1010"
    KHALTI = "1020"
    RECEIVABLES = "1100"  # by customer
    INPUT_VAT = "1200"
    PAYABLES = "2000"  # by supplier
    OUTPUT_VAT = "2100"
    ADVANCES = "2200"  # by customer
    SUSPENSE = "2900"
    SALES = "4000"
    PURCHASES = "5000"
    GATEWAY_FEES = "6100"
    BAD_DEBT = "6200"
    ROUNDING = "6900"


OF_A_PARTY = frozenset({Account.RECEIVABLES, Account.PAYABLES, Account.ADVANCES})


class Side(StrEnum):
    """Debit or credit."""

    DEBIT = "D"
    CREDIT = "C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line. `party_id`: the customer or supplier of an account that has them."""

    account: Account
    side: Side
    amount_paisa: int
    party_id: str | None = None

    def __post_init__(self) -> None:
        if paisa(self.amount_paisa) <= 0:
            msg = f"an entry of {self.amount_paisa} paisa; amounts are above 0"
            raise ValueError(msg)
        if self.account in OF_A_PARTY and self.party_id is None:
            msg = f"account {self.account} is kept by party; name one"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A transaction to post. The same `key` is posted once, however often asked."""

    key: str
    kind: str
    entries: tuple[Entry, ...]
    reverses: str | None = None  # the key of the posting that this one undoes

    def __post_init__(self) -> None:
        if len(self.entries) < 2 or balance(self.entries) != 0:
            msg = f"posting {self.key} does not balance: {self.entries}"
            raise ValueError(msg)


def balance(entries: Iterable[Entry]) -> int:
    """Return debits minus credits, in paisa."""
    return sum(
        entry.amount_paisa if entry.side is Side.DEBIT else -entry.amount_paisa
        for entry in entries
    )


def debit(account: Account, amount_paisa: int, party_id: str | None = None) -> Entry:
    """Make a debit entry."""
    return Entry(
        account=account, side=Side.DEBIT, amount_paisa=amount_paisa, party_id=party_id
    )


def credit(account: Account, amount_paisa: int, party_id: str | None = None) -> Entry:
    """Make a credit entry."""
    return Entry(
        account=account, side=Side.CREDIT, amount_paisa=amount_paisa, party_id=party_id
    )
