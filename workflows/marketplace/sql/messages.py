"""Messages, recipients and the sending account."""

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select, update

from workflows.marketplace import tables
from workflows.marketplace.content import CONTENT, TemplateContent
from workflows.marketplace.message import (
    Channel,
    Message,
    MessageStatus,
    Recipient,
    Scope,
)
from workflows.marketplace.sql.rows import insert


class SqlMessages:
    """See `MessageRepository`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, message: Message) -> Message:
        """See the port."""
        table = tables.messages
        statement = insert(self._connection, table).values(_message_values(message))
        self._connection.execute(
            statement.on_conflict_do_nothing(index_elements=["dedupe_key"])
        )
        query = select(table).where(table.c.dedupe_key == message.dedupe_key)
        return self._all(query)[0]

    def get(self, message_id: str) -> Message | None:
        """See the port."""
        table = tables.messages
        return self._first(select(table).where(table.c.id == message_id))

    def by_wamid(self, wamid: str) -> Message | None:
        """See the port."""
        table = tables.messages
        return self._first(select(table).where(table.c.wamid == wamid))

    def save(self, old: Message, new: Message) -> Message | None:
        """See the port."""
        table = tables.messages
        new = replace(new, version=old.version + 1)
        result = self._connection.execute(
            update(table)
            .where(table.c.id == old.id, table.c.version == old.version)
            .values(_message_values(new))
        )
        return new if result.rowcount == 1 else None

    def parked(self, limit: int) -> Sequence[Message]:
        """See the port."""
        table = tables.messages
        parked = table.c.status == MessageStatus.PARKED
        return self._all(_oldest_first().where(parked).limit(limit))

    def parked_before(self, created_at: datetime, limit: int) -> int:
        """See the port."""
        table = tables.messages
        older = (
            select(table.c.id)
            .where(
                table.c.status == MessageStatus.PARKED, table.c.created_at < created_at
            )
            .limit(limit)
            .subquery()
        )
        count: int = self._connection.execute(
            select(func.count()).select_from(older)
        ).scalar_one()
        return count

    def written_between(
        self, start: datetime, end: datetime
    ) -> Sequence[tuple[str, str | None]]:
        """See the port."""
        table = tables.messages
        query = select(table.c.status, table.c.error_code).where(
            table.c.created_at >= start, table.c.created_at < end
        )
        rows = self._connection.execute(query)
        return [(str(status), code) for status, code in rows]

    def failed_with_channel(self, since: datetime, limit: int) -> Sequence[Message]:
        """See the port."""
        table = tables.messages
        return self._all(
            _oldest_first()
            .where(
                table.c.status == MessageStatus.FAILED,
                table.c.error_scope == Scope.CHANNEL,
                table.c.failed_at >= since,
            )
            .limit(limit)
        )

    def _first(self, query: Select[Any]) -> Message | None:
        found = self._all(query)
        return found[0] if found else None

    def _all(self, query: Select[Any]) -> list[Message]:
        rows = self._connection.execute(query).mappings()
        return [_message(row) for row in rows]


class SqlRecipients:
    """See `RecipientRepository`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, key: str) -> Recipient:
        """See the port."""
        table = tables.recipients
        query = select(table).where(table.c.key == key)
        row = self._connection.execute(query).mappings().first()
        return Recipient(key=key) if row is None else Recipient(**row)

    def put(self, recipient: Recipient) -> None:
        """See the port."""
        values = asdict(recipient)
        statement = insert(self._connection, tables.recipients).values(values)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=["key"], set_=values)
        )


class SqlChannel:
    """See `ChannelRepository`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self) -> Channel:
        """See the port."""
        table = tables.channel
        query = select(table.c.open_since, table.c.probe_at, table.c.code)
        row = self._connection.execute(query).mappings().first()
        return Channel() if row is None else Channel(**row)

    def put(self, channel: Channel) -> None:
        """See the port."""
        values = asdict(channel)
        statement = insert(self._connection, tables.channel).values(id=1, **values)
        self._connection.execute(
            statement.on_conflict_do_update(index_elements=["id"], set_=values)
        )


def _oldest_first() -> Select[Any]:
    table = tables.messages
    return select(table).order_by(table.c.created_at, table.c.id)


def _message_values(message: Message) -> dict[str, Any]:
    values = {field.name: getattr(message, field.name) for field in fields(message)}
    values["content"] = _json(message.content)
    values["fallback"] = None if message.fallback is None else _json(message.fallback)
    return values


def _json(content: Any) -> Any:
    # Never exclude defaults: that drops the `type` by which it is read back.
    return content.model_dump(mode="json", by_alias=True, exclude_none=True)


def _message(row: RowMapping) -> Message:
    values = dict(row)
    values["content"] = CONTENT.validate_python(values["content"])
    if values["fallback"] is not None:
        values["fallback"] = TemplateContent.model_validate(values["fallback"])
    values["status"] = MessageStatus(values["status"])
    if values["error_scope"] is not None:
        values["error_scope"] = Scope(values["error_scope"])
    return Message(**values)
