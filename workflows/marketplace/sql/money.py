"""Credit, invoices, payments and the ledger."""

from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, case, func, select, update

from workflows.marketplace import tables
from workflows.marketplace.billing import (
    Allocation,
    Invoice,
    InvoiceReminder,
    InvoiceStatus,
    Payment,
    PaymentState,
)
from workflows.marketplace.credit import CreditAccount, CreditHold, HoldStatus
from workflows.marketplace.ledger import Account, Posting, Side
from workflows.marketplace.sql.rows import Rows, insert_once


class CreditAccounts(Rows[CreditAccount]):
    """Credit accounts, one per customer."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.credit_accounts, CreditAccount)

    def of_customer(self, customer_id: str) -> CreditAccount | None:
        """Return a customer's account."""
        found = self.where(tables.credit_accounts.c.customer_id == customer_id)
        return found[0] if found else None

    def ids(self) -> list[str]:
        """Return the ids of all accounts, in order."""
        table = tables.credit_accounts
        query = select(table.c.id).order_by(table.c.id)
        return list(self._connection.execute(query).scalars())


class CreditHolds(Rows[CreditHold]):
    """Credit reserved by orders."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.credit_holds, CreditHold, ("status",))

    def active_of(self, account_id: str) -> list[CreditHold]:
        """Return the active holds of an account."""
        table = tables.credit_holds
        active = table.c.status == HoldStatus.ACTIVE
        return self.where(table.c.account_id == account_id, active)


class Invoices(Rows[Invoice]):
    """Invoices."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.invoices, Invoice)

    def of_order(self, order_id: str) -> Invoice | None:
        """Return an order's invoice."""
        found = self.where(tables.invoices.c.order_id == order_id)
        return found[0] if found else None

    def of_customer(self, customer_id: str) -> list[Invoice]:
        """Return all invoices of a customer, by id."""
        table = tables.invoices
        mine = table.c.customer_id == customer_id
        return self.where(mine, order_by=(table.c.id,))

    def open_of(self, customer_id: str) -> list[Invoice]:
        """Return what a customer owes, by due date."""
        table = tables.invoices
        return self.where(
            table.c.customer_id == customer_id,
            table.c.status == InvoiceStatus.OPEN,
            order_by=(table.c.due_on, table.c.id),
        )

    def overdue(self, today: date) -> list[Invoice]:
        """Return all open invoices due before today, by customer and due date."""
        table = tables.invoices
        return self.where(
            table.c.status == InvoiceStatus.OPEN,
            table.c.due_on < today,
            order_by=(table.c.customer_id, table.c.due_on, table.c.id),
        )


class InvoiceReminders(Rows[InvoiceReminder]):
    """Levels of reminder that invoices have had."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.invoice_reminders, InvoiceReminder)


class Payments(Rows[Payment]):
    """Payments."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.payments, Payment)

    def by_ref(self, provider: str, provider_ref: str) -> Payment | None:
        """Return the payment that a provider knows under this reference."""
        table = tables.payments
        ref = table.c.provider_ref == provider_ref
        found = self.where(table.c.provider == provider, ref)
        return found[0] if found else None

    def of_order(self, order_id: str) -> list[Payment]:
        """Return an order's payments, in order of receipt."""
        table = tables.payments
        by_time = (table.c.received_at, table.c.id)
        return self.where(table.c.order_id == order_id, order_by=by_time)

    def unallocated_of(self, customer_id: str) -> list[Payment]:
        """Return captured money of a customer that no invoice has taken, oldest first.

        Money that belongs to an order waits for that order's invoice.
        """
        table = tables.payments
        invoiced = select(tables.invoices.c.order_id)
        return self.where(
            table.c.customer_id == customer_id,
            table.c.order_id.is_(None) | table.c.order_id.in_(invoiced),
            table.c.status == PaymentState.CAPTURED,
            table.c.allocated_paisa < table.c.amount_paisa,
            order_by=(table.c.received_at, table.c.id),
        )


class Allocations(Rows[Allocation]):
    """Which payment pays which invoice."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.allocations, Allocation)

    def of_invoice(self, invoice_id: str) -> int:
        """Return how much pays an invoice, in paisa."""
        table = tables.allocations
        return self.total("amount_paisa", table.c.invoice_id == invoice_id)


class Ledger:
    """The double-entry ledger; see `workflows.marketplace.ledger`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def post(self, posting: Posting, day: date, at: datetime) -> bool:
        """Post a transaction; False if its key was posted before (nothing changed)."""
        head = tables.ledger_transactions
        values = {
            "key": posting.key,
            "kind": posting.kind,
            "business_date": day,
            "posted_at": at,
            "posted": 0,
            "reverses": posting.reverses,
        }
        if not insert_once(self._connection, head, values):
            return False
        self._connection.execute(
            tables.ledger_entries.insert(),
            [
                {
                    "key": posting.key,
                    "line_no": number,
                    "account": entry.account,
                    "side": entry.side,
                    "amount_paisa": entry.amount_paisa,
                    "party_id": entry.party_id,
                }
                for number, entry in enumerate(posting.entries, start=1)
            ],
        )
        posted = update(head).where(head.c.key == posting.key).values(posted=1)
        self._connection.execute(posted)
        return True

    def balance(self, account: Account, party_id: str | None = None) -> int:
        """Return an account's debits minus credits, of all parties or of one."""
        table = tables.ledger_entries
        total = func.coalesce(func.sum(_signed()), 0)
        query = select(total).where(table.c.account == account)
        if party_id is not None:
            query = query.where(table.c.party_id == party_id)
        return int(self._connection.execute(query).scalar_one())

    def receivables_before(self, end: datetime) -> int:
        """Return what all customers owed at an instant."""
        head, table = tables.ledger_transactions, tables.ledger_entries
        total = func.coalesce(func.sum(_signed()), 0)
        query = (
            select(total)
            .join(head, head.c.key == table.c.key)
            .where(table.c.account == Account.RECEIVABLES, head.c.posted_at < end)
        )
        return int(self._connection.execute(query).scalar_one())

    def unbalanced(self) -> list[str]:
        """Return the keys of transactions that do not balance or were never posted."""
        head, table = tables.ledger_transactions, tables.ledger_entries
        total = func.coalesce(func.sum(_signed()), 0)
        query = (
            select(head.c.key)
            .outerjoin(table, table.c.key == head.c.key)
            .group_by(head.c.key, head.c.posted)
            .having((total != 0) | (head.c.posted == 0))
        )
        return list(self._connection.execute(query).scalars())

    def trial_balance(self) -> int:
        """Return all debits minus all credits: 0, or something is very wrong."""
        total = func.coalesce(func.sum(_signed()), 0)
        return int(self._connection.execute(select(total)).scalar_one())

    def count(self) -> int:
        """Count the transactions."""
        query = select(func.count()).select_from(tables.ledger_transactions)
        return int(self._connection.execute(query).scalar_one())


def _signed() -> ColumnElement[int]:
    table = tables.ledger_entries
    amount = table.c.amount_paisa
    return case((table.c.side == Side.DEBIT, amount), else_=-amount)
