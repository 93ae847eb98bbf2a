"""A SQLite column takes anything: now money is an integer, whoever writes it."""

from alembic import op

revision = "0004"
down_revision = "0003"

MONEY = {
    "order_items": ("unit_price_paisa",),
    "rounds": ("ceiling_paisa",),
    "bids": ("amount_paisa",),
    "credit_accounts": ("limit_paisa", "balance_paisa", "held_paisa"),
    "invoices": ("subtotal_paisa", "vat_paisa", "total_paisa", "settled_paisa"),
    "ledger_entries": ("amount_paisa",),
    "orders": ("total_paisa", "paid_paisa", "vat_paisa", "ceiling_paisa"),
    "payments": ("amount_paisa", "allocated_paisa"),
    "reconciliation_items": ("expected_paisa", "actual_paisa"),
    "supplier_prices": ("price_paisa",),
    "allocations": ("amount_paisa",),
    "confirmations": ("amount_paisa",),
    "credit_holds": ("amount_paisa",),
    "invoice_reminders": ("outstanding_paisa",),
}


def upgrade() -> None:
    """Apply this step. PostgreSQL's columns hold nothing but integers anyway."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    for table, columns in MONEY.items():
        wrong = " OR ".join(f"typeof(NEW.{column}) <> 'integer'" for column in columns)
        refuse = "BEGIN SELECT RAISE(ABORT, 'money is integer paisa'); END"
        for event in ("INSERT", "UPDATE"):
            head = f"CREATE TRIGGER {table}_money_{event.lower()} BEFORE {event}"
            connection.exec_driver_sql(f"{head} ON {table} WHEN {wrong} {refuse}")
