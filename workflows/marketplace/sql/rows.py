"""One table's rows as frozen dataclasses whose fields are its columns."""

from collections.abc import Sequence
from dataclasses import Field, fields, replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Table, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from workflows.exceptions import WorkflowsError


class Record(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Row = TypeVar("Row", bound=Record)


class LostRaceError(WorkflowsError):
    """Another transaction changed the row first; nothing of this one may stay."""


def insert(connection: Connection, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """Return an INSERT that knows ON CONFLICT, in the database's own dialect."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_once(connection: Connection, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row; False if a unique key forbids it (nothing is changed)."""
    statement = insert(connection, table).values(values).on_conflict_do_nothing()
    counted = statement.execution_options(preserve_rowcount=True)  # PostgreSQL's too
    return connection.execute(counted).rowcount == 1


class Rows(Generic[Row]):
    """Rows of one kind.

    `fence`: the columns that must still be as they were read when a row is changed;
    a table with a `version` is fenced by that.
    """

    def __init__(
        self,
        connection: Connection,
        table: Table,
        make: type[Row],
        fence: Sequence[str] = (),
    ) -> None:
        self._connection = connection
        self._table = table
        self._make = make
        self._columns = [table.c[field.name] for field in fields(make)]
        self._versioned = "version" in table.c
        self._fence = (*fence, "version") if self._versioned else tuple(fence)

    def add(self, row: Row) -> bool:
        """Insert a row; False if a unique key forbids it (nothing is changed)."""
        return insert_once(self._connection, self._table, self._values(row))

    def get(self, *key: Any) -> Row | None:
        """Return the row of this primary key."""
        names = self._table.primary_key.columns
        conditions = [column == part for column, part in zip(names, key, strict=True)]
        found = self.where(*conditions)
        return found[0] if found else None

    def save(self, old: Row, new: Row) -> bool:
        """Compare-and-set: False if the row is no longer as `old` (nothing changed)."""
        new = self._next(old, new)
        before, after = self._values(old), self._values(new)
        keys = [column.name for column in self._table.primary_key.columns]
        conditions = [self._table.c[k] == before[k] for k in (*keys, *self._fence)]
        changes = {k: v for k, v in after.items() if v != before[k]}
        statement = update(self._table).where(*conditions)
        result = self._connection.execute(statement.values(changes or after))
        return result.rowcount == 1

    def move(self, old: Row, new: Row) -> Row:
        """Compare-and-set; return the row as it is now.

        Raises:
            LostRaceError: the row is no longer as `old`.
        """
        if not self.save(old, new):
            msg = f"a row of {self._table.name} was changed meanwhile"
            raise LostRaceError(msg)
        return self._next(old, new)

    def where(
        self,
        *conditions: ColumnElement[bool],
        order_by: Sequence[ColumnElement[Any]] = (),
        limit: int | None = None,
    ) -> list[Row]:
        """Return the rows that all conditions hold for."""
        query = select(*self._columns).where(*conditions).order_by(*order_by)
        rows = self._connection.execute(query.limit(limit)).mappings()
        return [self._make(**row) for row in rows]

    def count(self, *conditions: ColumnElement[bool]) -> int:
        """Count the rows that all conditions hold for."""
        query = select(func.count()).select_from(self._table).where(*conditions)
        return int(self._connection.execute(query).scalar_one())

    def total(self, column: str, *conditions: ColumnElement[bool]) -> int:
        """Add up a column of the rows that all conditions hold for."""
        total = func.coalesce(func.sum(self._table.c[column]), 0)
        query = select(total).where(*conditions)
        return int(self._connection.execute(query).scalar_one())

    def _next(self, old: Row, new: Row) -> Row:
        if not self._versioned:
            return new
        version: int = getattr(old, "version")  # noqa: B009 - only some rows have it
        changed: Row = replace(new, version=version + 1)  # type: ignore[call-arg, unused-ignore]
        return changed

    def _values(self, row: Row) -> dict[str, Any]:
        return {c.name: getattr(row, c.name) for c in self._columns}
