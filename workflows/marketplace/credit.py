"""What a customer may owe.

`balance_paisa` and `held_paisa` are caches of the ledger and of the active holds;
every change of either is made together with what it caches.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CreditStatus(StrEnum):
    """Whether new orders on credit are taken."""

    ACTIVE = "active"
    ON_HOLD = "on_hold"
    CLOSED = "closed"


class HoldStatus(StrEnum):
    """What became of the credit that an order reserved."""

    ACTIVE = "active"
    CONSUMED = "consumed"  # the invoice took its place
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditAccount:
    """One customer's credit."""

    id: str
    customer_id: str
    limit_paisa: int
    balance_paisa: int = 0
    held_paisa: int = 0
    terms_days: int = 15
    status: CreditStatus = CreditStatus.ACTIVE
    hold_reason: str | None = None
    version: int = 1

    @property
    def available_paisa(self) -> int:
        """What a new order may cost."""
        return self.limit_paisa - self.balance_paisa - self.held_paisa


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditHold:
    """Credit reserved for one order that is not invoiced yet."""

    order_id: str
    account_id: str
    amount_paisa: int
    created_at: datetime
    status: HoldStatus = HoldStatus.ACTIVE
    closed_at: datetime | None = None
