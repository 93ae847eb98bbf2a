"""Trade, money, the ledger, and everything behind the counter."""

from workflows.marketplace.migrations.ledger_triggers import make_ledger_triggers
from workflows.marketplace.migrations.statements import run_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply this step."""
    run_file("step_0002.sql")
    make_ledger_triggers()
