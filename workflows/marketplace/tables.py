"""The marketplace's tables, as far as messages and orders need them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

from workflows.marketplace.message import MessageStatus
from workflows.marketplace.order import OrderStatus, PaymentStatus

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4D4B5431  # "MKT1": marks a database file as ours


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


def _one_of(
    column: str, values: type[OrderStatus | MessageStatus | PaymentStatus]
) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})")


metadata = MetaData()

messages = Table(
    "messages",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("dedupe_key", String(160), nullable=False, unique=True),
    Column("purpose", String(40), nullable=False),
    Column("to_phone", String(16)),
    Column("to_bsuid", String(140)),
    Column("content", JSON, nullable=False),
    Column("fallback", JSON(none_as_null=True)),
    Column("delivery", String(16), nullable=False),
    Column("order_id", String(64)),
    Column("not_before", UtcDateTime),
    Column("not_after", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("status", String(12), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("deferrals", Integer, nullable=False),
    Column("slot_at", UtcDateTime),
    Column("lease_until", UtcDateTime),
    Column("ambiguous_at", UtcDateTime),
    Column("wamid", String(200), unique=True),
    Column("pacing", String(32)),
    Column("error_code", String(40)),
    Column("error_scope", String(8)),
    Column("error_detail", Text),
    Column("accepted_at", UtcDateTime),
    Column("status_at", UtcDateTime),
    Column("failed_at", UtcDateTime),
    Column("job_id", String(200)),
    Column("job_started_at", UtcDateTime),
    Column("version", Integer, nullable=False),
    _one_of("status", MessageStatus),
    CheckConstraint("to_phone IS NOT NULL OR to_bsuid IS NOT NULL"),
    Index("ix_messages_status", "status", "created_at", "id"),
    Index("ix_messages_order", "order_id"),
)

recipients = Table(
    "recipients",
    metadata,
    Column("key", String(140), primary_key=True),
    Column("last_inbound_at", UtcDateTime),
    Column("suppressed_until", UtcDateTime),
    Column("opted_out", Boolean, nullable=False),
    Column("pair_tat", UtcDateTime),
)

channel = Table(
    "channel",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("open_since", UtcDateTime),
    Column("probe_at", UtcDateTime),
    Column("code", String(40)),
    CheckConstraint("id = 1"),
)

orders = Table(
    "orders",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("customer_phone", String(16), nullable=False),
    Column("total_paisa", BigInteger, nullable=False),
    Column("placed_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("status", String(32), nullable=False),
    Column("payment_status", String(16), nullable=False),
    Column("paid_paisa", BigInteger, nullable=False),
    Column("expiry_epoch", Integer, nullable=False),
    Column("closed_reason", String(40)),
    _one_of("status", OrderStatus),
    _one_of("payment_status", PaymentStatus),
    CheckConstraint("total_paisa > 0 AND paid_paisa >= 0 AND expiry_epoch >= 1"),
    CheckConstraint(
        "status NOT IN ('expired', 'cancelled') OR closed_reason IS NOT NULL"
    ),
    Index("ix_orders_due", "status", "expires_at"),
)
