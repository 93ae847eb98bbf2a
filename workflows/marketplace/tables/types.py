"""Column types: what is refused before it reaches the database."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Dialect, String
from sqlalchemy.types import TypeDecorator

from workflows.marketplace.rules.money import paisa


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, kept as UTC text of fixed width: string order is time order."""

    impl = String(27)  # type: ignore[mutable-override]  # SQLAlchemy's own way
    cache_ok = True  # type: ignore[mutable-override]

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002 - the signature is SQLAlchemy's
    ) -> str | None:
        """Refuse naive times; write microseconds always."""
        if value is None:
            return None
        if value.tzinfo is None:
            msg = "a time without a zone cannot be stored"
            raise ValueError(msg)
        text = value.astimezone(UTC).isoformat(timespec="microseconds")
        return text.replace("+00:00", "Z")

    def process_result_value(
        self,
        value: Any | None,
        dialect: Dialect,  # noqa: ARG002 - the signature is SQLAlchemy's
    ) -> datetime | None:
        """Return an aware UTC time."""
        return None if value is None else datetime.fromisoformat(str(value))


class Paisa(TypeDecorator[int]):
    """Money: a 64-bit integer. A float is refused, even a whole one."""

    impl = BigInteger  # type: ignore[mutable-override]
    cache_ok = True  # type: ignore[mutable-override]

    def process_bind_param(
        self,
        value: int | None,
        dialect: Dialect,  # noqa: ARG002 - the signature is SQLAlchemy's
    ) -> int | None:
        """Refuse whatever is no integer."""
        return None if value is None else paisa(value)


class Choice(TypeDecorator[StrEnum]):
    """A member of an enumeration, kept as its text."""

    impl = String  # type: ignore[mutable-override]
    cache_ok = True  # type: ignore[mutable-override]

    def __init__(self, values: type[StrEnum], length: int) -> None:
        self.values = values
        super().__init__(length)

    def process_bind_param(
        self,
        value: Any | None,
        dialect: Dialect,  # noqa: ARG002 - the signature is SQLAlchemy's
    ) -> str | None:
        """Refuse what is no member."""
        return None if value is None else str(self.values(value))

    def process_result_value(
        self,
        value: Any | None,
        dialect: Dialect,  # noqa: ARG002 - the signature is SQLAlchemy's
    ) -> StrEnum | None:
        """Return the member."""
        return None if value is None else self.values(value)


class Texts(TypeDecorator[tuple[str, ...]]):
    """A few texts in their order, kept as a JSON array."""

    impl = JSON  # type: ignore[mutable-override]
    cache_ok = True  # type: ignore[mutable-override]

    def process_bind_param(
        self,
        value: tuple[str, ...] | None,
        dialect: Dialect,  # noqa: ARG002 - the signature is SQLAlchemy's
    ) -> list[str] | None:
        """Write a list."""
        return None if value is None else list(value)

    def process_result_value(
        self,
        value: Any | None,
        dialect: Dialect,  # noqa: ARG002 - the signature is SQLAlchemy's
    ) -> tuple[str, ...] | None:
        """Return a tuple."""
        return None if value is None else tuple(value)


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """The database's own check that a column holds a member."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})")


def choice(
    name: str, values: type[StrEnum], length: int = 16, *, primary: bool = False
) -> Column[Any]:
    """A column that holds a member of an enumeration, checked by the database too."""
    return Column(
        name,
        Choice(values, length),
        one_of(name, values),
        primary_key=primary,
        nullable=False,
    )


def key(name: str, *, primary: bool = False) -> Column[Any]:
    """A column that holds the id of something."""
    return Column(name, String(64), primary_key=primary, nullable=False)


def money(name: str) -> Column[Any]:
    """A column that holds money."""
    return Column(name, Paisa, nullable=False)


def moment(name: str, *, nullable: bool = False) -> Column[Any]:
    """A column that holds a time."""
    return Column(name, UtcDateTime, nullable=nullable)
