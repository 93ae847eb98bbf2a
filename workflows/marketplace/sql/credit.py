"""Credit in our own accounts."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from workflows.marketplace.credit import (
    CreditHold,
    CreditStatus,
    HoldStatus,
)
from workflows.marketplace.sql.money import CreditAccounts, CreditHolds


class NativeCredit:
    """See `CreditPort`: accounts and holds are rows of ours."""

    def __init__(self, connection: Connection) -> None:
        self._accounts = CreditAccounts(connection)
        self._holds = CreditHolds(connection)

    def hold(
        self, customer_id: str, order_id: str, amount_paisa: int, at: datetime
    ) -> bool:
        """See `CreditPort.hold`: what costs exactly what is available passes."""
        account = self._accounts.of_customer(customer_id)
        if account is None or account.status is not CreditStatus.ACTIVE:
            return False
        if self._holds.get(order_id) is not None:
            return True
        if amount_paisa > account.available_paisa:
            return False
        self._holds.add(
            CreditHold(
                order_id=order_id,
                account_id=account.id,
                amount_paisa=amount_paisa,
                created_at=at,
            )
        )
        held = account.held_paisa + amount_paisa
        self._accounts.move(account, replace(account, held_paisa=held))
        return True

    def release(self, order_id: str, at: datetime) -> int:
        """See `CreditPort.release`."""
        return self._close(order_id, HoldStatus.RELEASED, at)

    def consume(self, order_id: str, at: datetime) -> int:
        """See `CreditPort.consume`: the invoice's posting raises the balance."""
        return self._close(order_id, HoldStatus.CONSUMED, at)

    def _close(self, order_id: str, status: HoldStatus, at: datetime) -> int:
        hold = self._holds.get(order_id)
        if hold is None or hold.status is not HoldStatus.ACTIVE:
            return 0
        self._holds.move(hold, replace(hold, status=status, closed_at=at))
        account = self._accounts.get(hold.account_id)
        if account is not None:
            held = account.held_paisa - hold.amount_paisa
            self._accounts.move(account, replace(account, held_paisa=held))
        return hold.amount_paisa
