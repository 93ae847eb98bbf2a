"""The tables come from migrations, and old files are brought up to date."""

from pathlib import Path

import pysqlite3
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Table, create_engine
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex

from tests.unit.marketplace.rows import NOW, order
from workflows.marketplace import migrations
from workflows.marketplace.database import Database
from workflows.marketplace.migrations.statements import VERSIONS
from workflows.marketplace.tables import APPLICATION_ID, SCHEMA_VERSION, metadata

FIRST_ORDER = """INSERT INTO orders (id, customer_phone, total_paisa, placed_at, status,
    payment_status, paid_paisa, expiry_epoch) VALUES ('old', '+9779841000001', 5,
    '2026-11-24T04:15:00.000000Z', 'placed', 'paid', 5, 1)"""


def schema(path: Path) -> dict[str, str]:
    """Return what the database itself says of its tables and indexes."""
    file = pysqlite3.connect(str(path))
    rows = file.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    found = {name: " ".join(sql.split()) for name, sql in rows}
    file.close()
    return found


def test_the_steps_make_the_tables_that_the_program_speaks_of(tmp_path: Path) -> None:
    Database(f"sqlite:///{tmp_path}/new.db").close()
    engine = create_engine(f"sqlite:///{tmp_path}/new.db", module=pysqlite3)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_steps_make_every_check_and_index(tmp_path: Path) -> None:
    Database(f"sqlite:///{tmp_path}/new.db").close()
    made = schema(tmp_path / "new.db")
    for table in metadata.sorted_tables:
        for check in checks_of(table):
            assert f"CHECK ({check})" in made[table.name]
        for index in table.indexes:
            statement = str(CreateIndex(index).compile(dialect=sqlite.dialect()))
            assert made[str(index.name)] == " ".join(statement.split())


def checks_of(table: Table) -> list[str]:
    columns = [c for column in table.columns for c in column.constraints]
    found = [
        c for c in (*table.constraints, *columns) if isinstance(c, CheckConstraint)
    ]
    return [str(check.sqltext) for check in found]


def test_the_schema_version_counts_the_steps() -> None:
    config = Config()
    folder = Path(str(migrations.__file__)).parent
    config.set_main_option("script_location", str(folder))
    steps = list(ScriptDirectory.from_config(config).walk_revisions())
    assert len(steps) == SCHEMA_VERSION


def test_a_file_from_before_the_migrations_is_brought_up_to_date(
    tmp_path: Path,
) -> None:
    path = tmp_path / "old.db"
    _make_a_file_of_schema_1(path)
    database = Database(f"sqlite:///{path}")
    with database.begin() as work:
        kept = work.orders.get("old")
        assert kept is not None
        assert (kept.paid_paisa, kept.mode) == (5, "bidding")
        assert work.orders.add(order(NOW))
    database.close()
    Database(f"sqlite:///{tmp_path}/new.db").close()
    assert schema(path).keys() == schema(tmp_path / "new.db").keys()


def _make_a_file_of_schema_1(path: Path) -> None:
    old = pysqlite3.connect(str(path))
    old.executescript((VERSIONS / "step_0001.sql").read_text())
    old.execute(FIRST_ORDER)
    old.execute("PRAGMA user_version = 1")
    old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    old.commit()
    old.close()
