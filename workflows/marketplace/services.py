"""What the jobs of one process share: database, transport, clock, ids."""

import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from workflows.marketplace.database import Database
from workflows.marketplace.ports import MessageTransport, Storage
from workflows.marketplace.settings import MarketplaceSettings
from workflows.marketplace.transports import make_transport
from workflows.settings import read_settings


@dataclass(frozen=True, slots=True)
class Services:
    """The adapters that the settings choose."""

    settings: MarketplaceSettings
    storage: Storage
    transport: MessageTransport

    def clock(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def new_id(self) -> str:
        """Return a fresh id."""
        return uuid.uuid4().hex


def services() -> Services:
    """Return this process's services, made on first use.

    Not before the fork: neither SQLite connections nor sockets survive one.
    """
    return _made(os.getpid())


@cache  # unbounded: closing a connection of the parent's in a child corrupts the file
def _made(pid: int) -> Services:  # noqa: ARG001 - a child process gets its own
    settings = read_settings(MarketplaceSettings)
    return Services(settings, Database(settings.database_url), make_transport(settings))
