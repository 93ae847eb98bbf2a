"""Messages, their recipients, the account that sends them, and orders."""

from workflows.marketplace.migrations.statements import run_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply this step."""
    run_file("step_0001.sql")
