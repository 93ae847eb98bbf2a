"""What the marketplace counts of itself."""

from workflows.marketplace.migrations.statements import run_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply this step."""
    run_file("step_0003.sql")
