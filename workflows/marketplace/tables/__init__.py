"""The marketplace's tables, as they are after the newest migration."""

from workflows.marketplace.tables.backoffice import (
    counters,
    job_outbox,
    ops_tasks,
    order_events,
    reconciled_accounts,
    reconciliation_items,
    reconciliation_runs,
    reports,
    schedule_runs,
    sequences,
)
from workflows.marketplace.tables.ledger import ledger_entries, ledger_transactions
from workflows.marketplace.tables.messages import channel, messages, recipients
from workflows.marketplace.tables.money import (
    allocations,
    credit_accounts,
    credit_holds,
    invoice_reminders,
    invoices,
    payments,
)
from workflows.marketplace.tables.orders import order_items, orders
from workflows.marketplace.tables.schema import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    metadata,
)
from workflows.marketplace.tables.trade import (
    bids,
    confirmations,
    customers,
    invitations,
    rounds,
    strikes,
    supplier_prices,
    suppliers,
)

__all__ = [
    "APPLICATION_ID",
    "SCHEMA_VERSION",
    "allocations",
    "bids",
    "channel",
    "confirmations",
    "counters",
    "credit_accounts",
    "credit_holds",
    "customers",
    "invitations",
    "invoice_reminders",
    "invoices",
    "job_outbox",
    "ledger_entries",
    "ledger_transactions",
    "messages",
    "metadata",
    "ops_tasks",
    "order_events",
    "order_items",
    "orders",
    "payments",
    "recipients",
    "reconciled_accounts",
    "reconciliation_items",
    "reconciliation_runs",
    "reports",
    "rounds",
    "schedule_runs",
    "sequences",
    "strikes",
    "supplier_prices",
    "suppliers",
]
