"""What Alembic runs: the steps, on the connection that the database gives it."""

from alembic import context

from workflows.marketplace.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata
)
context.run_migrations()
