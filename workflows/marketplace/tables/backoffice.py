"""History, the outbox of jobs, tasks for people, runs and reports."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from workflows.marketplace.backoffice import (
    ItemStatus,
    ReconciliationState,
    ReportType,
    RunState,
    TaskState,
)
from workflows.marketplace.tables.schema import metadata
from workflows.marketplace.tables.types import choice, key, moment, money

order_events = Table(
    "order_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    key("order_id"),
    Column("type", String(40), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("data", JSON, nullable=False),
    moment("at"),
    Index("ix_order_events_order", "order_id", "id"),
    Index("ix_order_events_at", "at", "type"),
)

job_outbox = Table(
    "job_outbox",
    metadata,
    Column("job_id", String(200), primary_key=True),
    Column("queue", String(48), nullable=False),
    Column("payload", JSON, nullable=False),
    moment("run_at"),
    moment("relayed_at", nullable=True),
    Index("ix_job_outbox_relayed", "relayed_at", "run_at"),
)

ops_tasks = Table(
    "ops_tasks",
    metadata,
    Column("key", String(160), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("subject", String(100), nullable=False),
    Column("text", Text, nullable=False),
    moment("created_at"),
    choice("status", TaskState),
    Column("done_by", String(64)),
    Index("ix_ops_tasks_status", "status", "created_at"),
)

schedule_runs = Table(
    "schedule_runs",
    metadata,
    Column("schedule", String(40), primary_key=True),
    Column("period", String(32), primary_key=True),
    Column("claimed_by", String(200), nullable=False),
    moment("claimed_at"),
    choice("status", RunState),
    moment("finished_at", nullable=True),
)

sequences = Table(
    "sequences",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("last", Integer, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("labels", String(200), primary_key=True),
    Column("value", BigInteger, nullable=False),
    CheckConstraint("value >= 0"),
)

reports = Table(
    "reports",
    metadata,
    choice("report_type", ReportType, primary=True),
    Column("business_date", Date, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("is_empty", Boolean, nullable=False),
    Column("content", JSON, nullable=False),
    Column("content_sha256", String(64), nullable=False),
    moment("built_at"),
    CheckConstraint("revision >= 1"),
)

reconciliation_runs = Table(
    "reconciliation_runs",
    metadata,
    Column("business_date", Date, primary_key=True),
    moment("started_at"),
    choice("status", ReconciliationState),
    moment("finished_at", nullable=True),
)

reconciled_accounts = Table(
    "reconciled_accounts",
    metadata,
    Column(
        "business_date",
        ForeignKey("reconciliation_runs.business_date"),
        primary_key=True,
    ),
    Column("account_id", ForeignKey("credit_accounts.id"), primary_key=True),
)

reconciliation_items = Table(
    "reconciliation_items",
    metadata,
    Column(
        "business_date",
        ForeignKey("reconciliation_runs.business_date"),
        primary_key=True,
    ),
    Column("check_code", String(4), primary_key=True),
    Column("subject", String(100), primary_key=True),
    money("expected_paisa"),
    money("actual_paisa"),
    choice("status", ItemStatus),
    Column("posting_key", ForeignKey("ledger_transactions.key")),
)
