"""What the jobs of one process share: database, transport, clock, ids."""

import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

from workflows.marketplace.adapters import load_class
from workflows.marketplace.database import Database
from workflows.marketplace.no_payments import NoPayments
from workflows.marketplace.ports import MessageTransport, PaymentsPort, Storage
from workflows.marketplace.settings import MarketplaceSettings
from workflows.marketplace.sql.credit import NativeCredit
from workflows.marketplace.sql.orders import SqlOrders
from workflows.marketplace.transports import make_transport
from workflows.settings import read_settings

Port = TypeVar("Port")


@dataclass(frozen=True, slots=True)
class Services:
    """The adapters that the settings choose."""

    settings: MarketplaceSettings
    storage: Storage
    transport: MessageTransport
    payments: PaymentsPort

    def clock(self) -> datetime:
        """Return the marketplace's time."""
        return self.settings.clock.now()

    def real(self, span: timedelta) -> timedelta:
        """Return how long a span of the marketplace's time takes."""
        return self.settings.clock.real(span)

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
    database = Database(
        settings.database_url.get_secret_value(),
        orders=_own("ORDERS_ADAPTER", settings.orders_adapter, SqlOrders),
        pool_size=settings.database_pool_size,
        credit=_own("CREDIT_ADAPTER", settings.credit_adapter, NativeCredit),
    )
    return Services(
        settings=settings,
        storage=database,
        transport=make_transport(settings),
        payments=_payments(settings),
    )


def _own(variable: str, path: str, native: Callable[[Connection], Port]) -> Any:
    """Return the user's class if he names one."""
    return native if path == "native" else load_class(variable, path)


def _payments(settings: MarketplaceSettings) -> PaymentsPort:
    if settings.payments_adapter == "none":
        return NoPayments()
    made = load_class("PAYMENTS_ADAPTER", settings.payments_adapter)(settings)
    return cast("PaymentsPort", made)
