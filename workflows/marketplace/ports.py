"""What the marketplace needs of the world; adapters are chosen by settings."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from workflows.marketplace.backoffice import OutboxJob
from workflows.marketplace.billing import PaymentState
from workflows.marketplace.message import Message
from workflows.marketplace.sql.work import SqlWork
from workflows.marketplace.whatsapp_errors import SendFailure


class Storage(Protocol):
    """Where the rows are."""

    def begin(self) -> AbstractContextManager[SqlWork]:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What a provider says of a payment; in paisa, whatever he counts in."""

    state: PaymentState
    amount_paisa: int
    paid_at: datetime


class PaymentsPort(Protocol):
    """The way to the providers of payments. Safe to use from many threads."""

    def lookup(self, provider: str, provider_ref: str) -> Lookup | None:
        """Ask what became of a payment; None: he cannot say now, ask again later."""


class JobAdder(Protocol):
    """The way from the outbox to the queues."""

    def add(self, job: OutboxJob, delay: timedelta) -> bool:
        """Add a job under its own id; repeats change nothing. False: no such queue.

        Raises:
            StoreUnavailableError: the queue cannot be reached.
        """


class JobQueue(Protocol):
    """What the rules ask of the queue `whatsapp-message-send`."""

    def promote(self, job_id: str) -> None:
        """Run a delayed job now; nothing if it is not delayed."""

    def retry_dead(self, job_id: str) -> None:
        """Run a dead letter again; nothing if it is not one."""
