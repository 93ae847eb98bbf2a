"""Rows to begin with."""

from datetime import UTC, datetime

from workflows.marketplace.content import TextContent
from workflows.marketplace.message import Message
from workflows.marketplace.order import Order

NOW = datetime(2026, 11, 24, 4, 15, tzinfo=UTC)  # 10:00 in Kathmandu
PHONE = "+9779841000001"


def message() -> Message:
    """A queued text, not worked on yet."""
    return Message(
        id="msg_1",
        dedupe_key="adhoc:job_1",
        purpose="adhoc",
        to_phone=PHONE,
        to_bsuid=None,
        content=TextContent(body="Hello!"),
        fallback=None,
        delivery="at_least_once",
        order_id=None,
        not_before=None,
        not_after=None,
        created_at=NOW,
    )


def order(deadline: datetime) -> Order:
    """Fixture F0, unpaid."""
    return Order(
        id="ord_1001",
        customer_phone=PHONE,
        total_paisa=4_859_000,
        placed_at=NOW,
        expires_at=deadline,
    )
