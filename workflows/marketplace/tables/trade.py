"""Customers, suppliers, bidding rounds and offers."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    text,
)

from workflows.marketplace.bidding import BidSource, BidStatus, RoundStatus
from workflows.marketplace.confirmation import ConfirmationStatus, OfferSource
from workflows.marketplace.parties import PartyStatus, SupplierKind
from workflows.marketplace.tables.schema import metadata
from workflows.marketplace.tables.types import Texts, choice, key, moment, money


def _only_one(name: str, *columns: str, where: str) -> Index:
    """A unique index over the rows that a condition holds for."""
    return Index(
        name,
        *columns,
        unique=True,
        sqlite_where=text(where),
        postgresql_where=text(where),
    )


customers = Table(
    "customers",
    metadata,
    key("id", primary=True),
    Column("name", String(200), nullable=False),
    Column("area", String(16), nullable=False),
    Column("phone", String(16), unique=True),
    Column("bsuid", String(140), unique=True),
    choice("status", PartyStatus),
)

suppliers = Table(
    "suppliers",
    metadata,
    key("id", primary=True),
    choice("kind", SupplierKind),
    Column("name", String(200), nullable=False),
    Column("areas", Texts, nullable=False),
    Column("phone", String(16), unique=True),
    Column("bsuid", String(140), unique=True),
    choice("status", PartyStatus),
    Column("priority", Integer, nullable=False),
)

supplier_prices = Table(
    "supplier_prices",
    metadata,
    Column("supplier_id", ForeignKey("suppliers.id"), primary_key=True),
    key("product_id", primary=True),
    money("price_paisa"),
    Column("available", Boolean, nullable=False),
    CheckConstraint("price_paisa > 0"),
)

rounds = Table(
    "rounds",
    metadata,
    key("id", primary=True),
    key("order_id"),
    Column("round_no", Integer, nullable=False),
    moment("opens_at"),
    moment("closes_at"),
    money("ceiling_paisa"),
    Column("min_bids", Integer, nullable=False),
    choice("status", RoundStatus),
    Column("winner_bid_id", String(64)),
    moment("closed_at", nullable=True),
    Column("sweep_failures", Integer, nullable=False),
    UniqueConstraint("order_id", "round_no"),
    CheckConstraint("closes_at > opens_at AND min_bids >= 1 AND ceiling_paisa > 0"),
    CheckConstraint("(status = 'awarded') = (winner_bid_id IS NOT NULL)"),
    CheckConstraint("(status = 'open') = (closed_at IS NULL)"),
    _only_one("uq_rounds_open", "order_id", where="status = 'open'"),
    Index("ix_rounds_due", "status", "closes_at"),
)

invitations = Table(
    "invitations",
    metadata,
    Column("round_id", ForeignKey("rounds.id"), primary_key=True),
    Column("supplier_id", ForeignKey("suppliers.id"), primary_key=True),
    Column("reachable", Boolean, nullable=False),
)

bids = Table(
    "bids",
    metadata,
    key("id", primary=True),
    Column("seq", Integer, nullable=False, unique=True),
    Column("round_id", ForeignKey("rounds.id"), nullable=False),
    Column("supplier_id", ForeignKey("suppliers.id"), nullable=False),
    money("amount_paisa"),
    moment("submitted_at"),
    moment("ingested_at"),
    choice("source", BidSource),
    Column("source_ref", String(200), unique=True),
    Column("eta_minutes", Integer),
    choice("status", BidStatus),
    Column("reject_reason", String(32)),
    CheckConstraint("amount_paisa > 0"),
    CheckConstraint("(status = 'rejected') = (reject_reason IS NOT NULL)"),
    _only_one(
        "uq_bids_live",
        "round_id",
        "supplier_id",
        where="status IN ('active', 'won')",
    ),
    _only_one("uq_bids_won", "round_id", where="status = 'won'"),
)

confirmations = Table(
    "confirmations",
    metadata,
    key("id", primary=True),
    key("order_id"),
    Column("attempt_no", Integer, nullable=False),
    Column("supplier_id", ForeignKey("suppliers.id"), nullable=False),
    choice("source", OfferSource),
    money("amount_paisa"),
    moment("requested_at"),
    moment("respond_by"),
    Column("bid_id", ForeignKey("bids.id")),
    choice("status", ConfirmationStatus),
    moment("answered_at", nullable=True),
    Column("answer_ref", String(200), unique=True),
    Column("reason", String(40)),
    moment("nudged_at", nullable=True),
    Column("sweep_failures", Integer, nullable=False),
    UniqueConstraint("order_id", "attempt_no"),
    CheckConstraint("respond_by > requested_at AND attempt_no >= 1"),
    CheckConstraint("amount_paisa > 0"),
    _only_one(
        "uq_confirmations_live",
        "order_id",
        where="status IN ('pending', 'confirmed')",
    ),
    Index("ix_confirmations_due", "status", "respond_by"),
)

strikes = Table(
    "strikes",
    metadata,
    Column("confirmation_id", ForeignKey("confirmations.id"), primary_key=True),
    Column("supplier_id", ForeignKey("suppliers.id"), nullable=False),
    moment("at"),
    Index("ix_strikes_supplier", "supplier_id", "at"),
)
