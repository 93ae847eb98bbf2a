"""What the marketplace needs of the world; adapters are chosen by settings."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from workflows.marketplace.message import Channel, Message, Recipient
from workflows.marketplace.order import Order, OrderStatus
from workflows.marketplace.rules.pricing import Line
from workflows.marketplace.whatsapp_errors import SendFailure


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

    def queued_of_order(self, order_id: str) -> Sequence[Message]:
        """Return the messages of an order that wait to be sent, oldest first."""

    def parked(self, limit: int) -> Sequence[Message]:
        """Return parked messages, oldest first."""

    def parked_before(self, created_at: datetime, limit: int) -> int:
        """Count parked messages older than that, up to `limit`."""

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


class Work(Protocol):
    """One transaction: all of it or nothing, seeing no half of another."""

    @property
    def messages(self) -> MessageRepository:
        """The outbox."""

    @property
    def recipients(self) -> RecipientRepository:
        """WhatsApp users."""

    @property
    def channel(self) -> ChannelRepository:
        """The account's circuit breaker."""

    @property
    def orders(self) -> OrderRepository:
        """Orders."""


class Storage(Protocol):
    """Where the rows are."""

    def begin(self) -> AbstractContextManager[Work]:
        """Open a transaction; it commits at the end, an exception rolls it back.

        Raises:
            StoreUnavailableError: the database is busy or cannot be reached.
        """


@dataclass(frozen=True, slots=True)
class Accepted:
    """WhatsApp took the message."""

    wamid: str
    pacing: str | None = None


class MessageTransport(Protocol):
    """The way to WhatsApp. Safe to use from many threads."""

    def send(self, message: Message) -> Accepted | SendFailure:
        """Make one call; every trouble of the other side is a returned failure."""

    def probe(self) -> bool:
        """Ask, without sending anything, whether the account works."""


class JobQueue(Protocol):
    """What the rules ask of the queue `whatsapp-message-send`."""

    def enqueue(self, message: Message) -> None:
        """Add the job that sends a row; repeats change nothing."""

    def promote(self, job_id: str) -> None:
        """Run a delayed job now; nothing if it is not delayed."""

    def retry_dead(self, job_id: str) -> None:
        """Run a dead letter again; nothing if it is not one."""
