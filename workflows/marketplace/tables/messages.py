"""Messages, their recipients, and the account that sends them."""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from workflows.marketplace.message import MessageStatus
from workflows.marketplace.tables.schema import metadata
from workflows.marketplace.tables.types import UtcDateTime, one_of

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
    Column("subject", String(100)),
    Column("version", Integer, nullable=False),
    one_of("status", MessageStatus),
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
