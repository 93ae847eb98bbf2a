"""What a transaction offers; a user may bring his own orders and credit.

An adapter of a user's is a class that is called with the transaction's SQLAlchemy
connection: what it writes there commits and rolls back with everything else.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from workflows.marketplace.message import Channel, Message, Recipient
from workflows.marketplace.order import Order, OrderStatus
from workflows.marketplace.rules.pricing import Line


class MessageRepository(Protocol):
    """The outbox."""

    def add(self, message: Message) -> Message:
        """Insert a message; if its dedupe key exists, return that one unchanged."""

    def get(self, message_id: str) -> Message | None:
        """Return one message."""

    def by_wamid(self, wamid: str) -> Message | None:
        """Return the message that WhatsApp knows under this id."""

    def save(self, old: Message, new: Message) -> Message | None:
        """Compare-and-set on `old.version`; return the new row, None if it lost."""

    def parked(self, limit: int) -> Sequence[Message]:
        """Return parked messages, oldest first."""

    def parked_before(self, created_at: datetime, limit: int) -> int:
        """Count parked messages older than that, up to `limit`."""

    def written_between(
        self, start: datetime, end: datetime
    ) -> Sequence[tuple[str, str | None]]:
        """Return the status and error code of messages written from start to end."""

    def failed_with_channel(self, since: datetime, limit: int) -> Sequence[Message]:
        """Return messages that failed with the account since then, oldest first."""


class RecipientRepository(Protocol):
    """WhatsApp users, by phone number or business-scoped id."""

    def get(self, key: str) -> Recipient:
        """Return what is known; a recipient without facts if nothing is."""

    def put(self, recipient: Recipient) -> None:
        """Insert or replace."""


class ChannelRepository(Protocol):
    """The sending account's circuit breaker."""

    def get(self) -> Channel:
        """Return it; closed if it was never opened."""

    def put(self, channel: Channel) -> None:
        """Insert or replace."""


class OrderRepository(Protocol):
    """Orders; every transition is one conditional update."""

    def add(self, order: Order) -> bool:
        """Insert an order; False if the id exists (nothing is changed)."""

    def get(self, order_id: str) -> Order | None:
        """Return one order."""

    def save(self, old: Order, new: Order) -> bool:
        """Compare-and-set on the status, epoch and money of `old`; False if it lost."""

    def add_lines(self, order_id: str, lines: Iterable[Line]) -> None:
        """Write what was ordered, in its order."""

    def lines(self, order_id: str) -> Sequence[Line]:
        """Return what was ordered, in its order."""

    def overdue(self, before: datetime, limit: int) -> Sequence[Order]:
        """Return open orders whose deadline was before then, the oldest first."""

    def in_status(self, status: OrderStatus, limit: int) -> Sequence[Order]:
        """Return orders in a status, the oldest first."""


class CreditPort(Protocol):
    """What customers may owe. Every call is idempotent by the order's id."""

    def hold(
        self, customer_id: str, order_id: str, amount_paisa: int, at: datetime
    ) -> bool:
        """Reserve credit for an order; False: refused, and nothing is reserved."""

    def release(self, order_id: str, at: datetime) -> int:
        """Give back what an order reserved; return how much, 0 if nothing is."""

    def consume(self, order_id: str, at: datetime) -> int:
        """The order's invoice takes the place of what it reserved; return how much."""
