"""One transaction's view of all tables."""

from collections.abc import Callable
from functools import cached_property

from sqlalchemy import Connection

from workflows.marketplace.repositories import CreditPort, OrderRepository
from workflows.marketplace.sql import backoffice, money, trade
from workflows.marketplace.sql.credit import NativeCredit
from workflows.marketplace.sql.messages import SqlChannel, SqlMessages, SqlRecipients
from workflows.marketplace.sql.orders import SqlOrders


class SqlWork:
    """One transaction: all of it or nothing, seeing no half of another."""

    def __init__(
        self,
        connection: Connection,
        orders: Callable[[Connection], OrderRepository] = SqlOrders,
        credit: Callable[[Connection], CreditPort] = NativeCredit,
    ) -> None:
        self._connection = connection
        self._make_orders, self._make_credit = orders, credit

    @property
    def connection(self) -> Connection:
        """The transaction itself, for what no repository reads."""
        return self._connection

    @cached_property
    def messages(self) -> SqlMessages:
        """The messages, sent or to be sent."""
        return SqlMessages(self._connection)

    @cached_property
    def recipients(self) -> SqlRecipients:
        """What is known of WhatsApp users."""
        return SqlRecipients(self._connection)

    @cached_property
    def channel(self) -> SqlChannel:
        """The sending account."""
        return SqlChannel(self._connection)

    @cached_property
    def orders(self) -> OrderRepository:
        """Orders."""
        return self._make_orders(self._connection)

    @cached_property
    def credit(self) -> CreditPort:
        """What customers may owe."""
        return self._make_credit(self._connection)

    @cached_property
    def customers(self) -> trade.Customers:
        """Customers."""
        return trade.Customers(self._connection)

    @cached_property
    def suppliers(self) -> trade.Suppliers:
        """Suppliers."""
        return trade.Suppliers(self._connection)

    @cached_property
    def prices(self) -> trade.SupplierPrices:
        """Price lists."""
        return trade.SupplierPrices(self._connection)

    @cached_property
    def strikes(self) -> trade.Strikes:
        """Suppliers' strikes."""
        return trade.Strikes(self._connection)

    @cached_property
    def rounds(self) -> trade.Rounds:
        """Bidding rounds."""
        return trade.Rounds(self._connection)

    @cached_property
    def invitations(self) -> trade.Invitations:
        """Who may bid."""
        return trade.Invitations(self._connection)

    @cached_property
    def bids(self) -> trade.Bids:
        """Bids."""
        return trade.Bids(self._connection)

    @cached_property
    def confirmations(self) -> trade.Confirmations:
        """Offers."""
        return trade.Confirmations(self._connection)

    @cached_property
    def credit_accounts(self) -> money.CreditAccounts:
        """Credit accounts."""
        return money.CreditAccounts(self._connection)

    @cached_property
    def credit_holds(self) -> money.CreditHolds:
        """Credit reserved by orders."""
        return money.CreditHolds(self._connection)

    @cached_property
    def invoices(self) -> money.Invoices:
        """Invoices."""
        return money.Invoices(self._connection)

    @cached_property
    def reminders(self) -> money.InvoiceReminders:
        """Reminders of invoices."""
        return money.InvoiceReminders(self._connection)

    @cached_property
    def payments(self) -> money.Payments:
        """Payments."""
        return money.Payments(self._connection)

    @cached_property
    def allocations(self) -> money.Allocations:
        """Which payment pays which invoice."""
        return money.Allocations(self._connection)

    @cached_property
    def ledger(self) -> money.Ledger:
        """The ledger."""
        return money.Ledger(self._connection)

    @cached_property
    def events(self) -> backoffice.OrderEvents:
        """The history of orders."""
        return backoffice.OrderEvents(self._connection)

    @cached_property
    def outbox(self) -> backoffice.Outbox:
        """Jobs to add."""
        return backoffice.Outbox(self._connection)

    @cached_property
    def tasks(self) -> backoffice.OpsTasks:
        """Tasks for people."""
        return backoffice.OpsTasks(self._connection)

    @cached_property
    def schedule_runs(self) -> backoffice.ScheduleRuns:
        """Runs of schedules."""
        return backoffice.ScheduleRuns(self._connection)

    @cached_property
    def sequences(self) -> backoffice.Sequences:
        """Counters."""
        return backoffice.Sequences(self._connection)

    @cached_property
    def counters(self) -> backoffice.Counters:
        """What is counted."""
        return backoffice.Counters(self._connection)

    @cached_property
    def reports(self) -> backoffice.Reports:
        """Daily reports."""
        return backoffice.Reports(self._connection)

    @cached_property
    def reconciliations(self) -> backoffice.ReconciliationRuns:
        """Nights of reconciliation."""
        return backoffice.ReconciliationRuns(self._connection)

    @cached_property
    def reconciled(self) -> backoffice.ReconciledAccounts:
        """Accounts that a night is done with."""
        return backoffice.ReconciledAccounts(self._connection)

    @cached_property
    def reconciliation_items(self) -> backoffice.ReconciliationItems:
        """Differences that were found."""
        return backoffice.ReconciliationItems(self._connection)
