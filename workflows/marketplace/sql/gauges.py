"""Numbers about the rows as they are; each query reads an index or a small table."""

from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, Table, func, select

from workflows.marketplace import tables
from workflows.marketplace.backoffice import ItemStatus, TaskState
from workflows.marketplace.bidding import RoundStatus
from workflows.marketplace.billing import InvoiceStatus
from workflows.marketplace.confirmation import ConfirmationStatus
from workflows.marketplace.credit import CreditStatus
from workflows.marketplace.message import MessageStatus
from workflows.marketplace.sql.trade import POISONED

UNDER_WAY = (
    MessageStatus.QUEUED,
    MessageStatus.PARKED,
    MessageStatus.SENDING,
    MessageStatus.AMBIGUOUS,
)


class Gauges:
    """Reads them in a transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def circuit_open_since(self) -> datetime | None:
        """Return since when the sending account is down; None: it is not."""
        query = select(tables.channel.c.open_since)
        since: datetime | None = self._connection.execute(query).scalar()
        return since

    def under_way(self) -> list[tuple[str, int]]:
        """Count the messages that are to be sent, by state."""
        table = tables.messages
        return [
            (status.value, self._count(table, table.c.status == status))
            for status in UNDER_WAY
        ]

    def poisoned_rounds(self) -> int:
        """Count the open rounds that no sweep touches any more."""
        table = tables.rounds
        is_open = table.c.status == RoundStatus.OPEN
        return self._count(table, is_open, table.c.sweep_failures >= POISONED)

    def poisoned_offers(self) -> int:
        """Count the pending offers that no sweep touches any more."""
        table = tables.confirmations
        pending = table.c.status == ConfirmationStatus.PENDING
        return self._count(table, pending, table.c.sweep_failures >= POISONED)

    def open_items(self) -> tuple[int, date | None]:
        """Return the open differences in paisa, and the day of the oldest."""
        table = tables.reconciliation_items
        difference = func.abs(table.c.actual_paisa - table.c.expected_paisa)
        query = select(
            func.coalesce(func.sum(difference), 0), func.min(table.c.business_date)
        ).where(table.c.status == ItemStatus.OPEN)
        total, oldest = self._connection.execute(query).one()
        return int(total), oldest

    def overdue(self, today: date) -> list[tuple[date, int]]:
        """Return what is owed by the day on which it was due."""
        table = tables.invoices
        owed = func.sum(table.c.total_paisa - table.c.settled_paisa)
        query = (
            select(table.c.due_on, owed)
            .where(table.c.status == InvoiceStatus.OPEN, table.c.due_on < today)
            .group_by(table.c.due_on)
        )
        rows = self._connection.execute(query)
        return [(due_on, int(paisa)) for due_on, paisa in rows]

    def accounts_on_hold(self) -> int:
        """Count them."""
        table = tables.credit_accounts
        return self._count(table, table.c.status == CreditStatus.ON_HOLD)

    def open_tasks(self) -> list[tuple[str, int]]:
        """Count the tasks that wait for a person, by kind."""
        table = tables.ops_tasks
        query = (
            select(table.c.kind, func.count())
            .where(table.c.status == TaskState.OPEN)
            .group_by(table.c.kind)
            .order_by(table.c.kind)
        )
        rows = self._connection.execute(query)
        return [(str(kind), int(number)) for kind, number in rows]

    def outbox(self) -> tuple[int, datetime | None]:
        """Count the jobs to add, and return when the first of them was to run."""
        table = tables.job_outbox
        query = select(func.count(), func.min(table.c.run_at)).where(
            table.c.relayed_at.is_(None)
        )
        number, first = self._connection.execute(query).one()
        return int(number), first

    def _count(self, table: Table, *conditions: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(table).where(*conditions)
        return int(self._connection.execute(query).scalar_one())
