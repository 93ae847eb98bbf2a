"""Brings the tables of a database up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

HERE = Path(__file__).parent
FIRST = "0001"  # what files had before they were migrated by steps


def upgrade(connection: Connection) -> None:
    """Apply the missing steps, in the transaction that the connection is in.

    Repeating it does nothing.
    """
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.attributes["connection"] = connection
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None and inspect(connection).has_table("messages"):
        command.stamp(config, FIRST)
    command.upgrade(config, "head")
