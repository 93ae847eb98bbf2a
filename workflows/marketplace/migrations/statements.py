"""Runs the SQL of a step, in words that both databases understand."""

from pathlib import Path

from alembic import op

VERSIONS = Path(__file__).parent / "versions"
SERIAL = {"sqlite": "INTEGER", "postgresql": "SERIAL"}


def run_file(name: str) -> None:
    """Run the statements of a file beside the steps; `{{serial}}` counts by itself."""
    text = (VERSIONS / name).read_text(encoding="utf-8")
    text = text.replace("{{serial}}", SERIAL[op.get_bind().dialect.name])
    for statement in text.split(";\n"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)
