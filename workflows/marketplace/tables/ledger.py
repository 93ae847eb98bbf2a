"""The ledger. Triggers keep it balanced and unchanged: see the migrations."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
)

from workflows.marketplace.ledger import Account, Side
from workflows.marketplace.tables.schema import metadata
from workflows.marketplace.tables.types import choice, moment, money

ledger_transactions = Table(
    "ledger_transactions",
    metadata,
    Column("key", String(160), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("business_date", Date, nullable=False),
    moment("posted_at"),
    Column("posted", Integer, nullable=False),
    Column("reverses", ForeignKey("ledger_transactions.key"), unique=True),
    CheckConstraint("posted IN (0, 1)"),
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("key", ForeignKey("ledger_transactions.key"), primary_key=True),
    Column("line_no", Integer, primary_key=True),
    choice("account", Account, 4),
    choice("side", Side, 1),
    money("amount_paisa"),
    Column("party_id", String(64)),
    CheckConstraint("amount_paisa > 0"),
    CheckConstraint("account NOT IN ('1100', '2000', '2200') OR party_id IS NOT NULL"),
    Index("ix_ledger_entries_party", "account", "party_id"),
)
