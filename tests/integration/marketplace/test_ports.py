"""Our own adapters keep the contracts, and a user's class is found by its path."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from tests.integration.marketplace.stub import StubProcess
from workflows.exceptions import SettingsError
from workflows.marketplace import services
from workflows.marketplace.adapters import load_class
from workflows.marketplace.credit import CreditAccount
from workflows.marketplace.database import Database
from workflows.marketplace.no_payments import NoPayments
from workflows.marketplace.parties import Customer
from workflows.marketplace.ports import Lookup, MessageTransport, PaymentsPort
from workflows.marketplace.repositories import CreditPort, OrderRepository
from workflows.marketplace.settings import MarketplaceSettings
from workflows.marketplace.sql.credit import NativeCredit
from workflows.marketplace.sql.orders import SqlOrders
from workflows.marketplace.transports.console import ConsoleTransport
from workflows.marketplace.transports.graph import GraphTransport
from workflows.testing.marketplace import (
    CreditContract,
    OrdersContract,
    PaymentsContract,
    TransportContract,
)


class TestNativeOrders(OrdersContract):
    def make(self, connection: Connection) -> OrderRepository:
        return SqlOrders(connection)


class TestNativeCredit(CreditContract):
    def make(self, connection: Connection) -> CreditPort:
        return NativeCredit(connection)

    def grant(self, database: Database, customer_id: str, limit_paisa: int) -> None:
        with database.begin() as work:
            work.customers.add(Customer(id=customer_id, name="x", area="KTM"))
            account = CreditAccount(
                id="a", customer_id=customer_id, limit_paisa=limit_paisa
            )
            work.credit_accounts.add(account)


class TestNoPayments(PaymentsContract):
    def make(self) -> PaymentsPort:
        return NoPayments()


class TestConsole(TransportContract):
    def make(self) -> MessageTransport:
        return ConsoleTransport()


class TestGraph(TransportContract):
    @pytest.fixture(autouse=True)
    def _transport(self, stub: StubProcess) -> Iterator[None]:
        self.transport = GraphTransport(stub.settings())
        yield
        self.transport.close()

    def make(self) -> MessageTransport:
        return self.transport


class TableCredit:
    """A user's own: one row per customer, in a table of his."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        for name, columns in (
            ("my_limits", "customer TEXT PRIMARY KEY, room INTEGER"),
            ("my_holds", "id TEXT PRIMARY KEY, customer TEXT, held INTEGER"),
        ):
            connection.execute(text(f"CREATE TABLE IF NOT EXISTS {name} ({columns})"))

    def _run(self, statement: str, **values: object) -> int:
        return self._connection.execute(text(statement), values).rowcount

    def _held(self, order_id: str) -> int:
        query = text("SELECT held FROM my_holds WHERE id = :id AND held > 0")
        return int(self._connection.execute(query, {"id": order_id}).scalar() or 0)

    def hold(
        self, customer_id: str, order_id: str, amount_paisa: int, at: datetime
    ) -> bool:
        if self._held(order_id):
            return True
        take = "UPDATE my_limits SET room = room - :a"
        room = f"{take} WHERE customer = :c AND room >= :a"
        if not self._run(room, a=amount_paisa, c=customer_id):
            return False
        add = "INSERT INTO my_holds VALUES (:id, :c, :a)"
        self._run(add, id=order_id, c=customer_id, a=amount_paisa)
        return True

    def release(self, order_id: str, at: datetime) -> int:
        held = self._held(order_id)
        back = (
            "UPDATE my_limits SET room = room + :a WHERE customer ="
            " (SELECT customer FROM my_holds WHERE id = :id)"
        )
        self._run(back, a=held, id=order_id)
        return self.consume(order_id, at)

    def consume(self, order_id: str, at: datetime) -> int:
        held = self._held(order_id)
        self._run("UPDATE my_holds SET held = 0 WHERE id = :id", id=order_id)
        return held


class TestTableCredit(CreditContract):
    def make(self, connection: Connection) -> CreditPort:
        return TableCredit(connection)

    def grant(self, database: Database, customer_id: str, limit_paisa: int) -> None:
        with database.begin() as work:
            assert isinstance(work.credit, TableCredit)
            insert = "INSERT INTO my_limits VALUES (:c, :a)"
            work.credit._run(insert, c=customer_id, a=limit_paisa)


class KnowingPayments:
    """A user's own way to his provider."""

    def __init__(self, settings: MarketplaceSettings) -> None:
        self.outlet = settings.outlet_code

    def lookup(self, provider: str, provider_ref: str) -> Lookup | None:
        return None


def test_a_users_classes_are_found_by_their_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/own.db")
    monkeypatch.setenv("CREDIT_ADAPTER", f"{__name__}:TableCredit")
    monkeypatch.setenv("PAYMENTS_ADAPTER", f"{__name__}:KnowingPayments")
    monkeypatch.setattr(services, "load_class", load_here)
    made = services._made.__wrapped__(0)
    assert isinstance(made.payments, KnowingPayments)
    with made.storage.begin() as work:
        assert isinstance(work.credit, TableCredit)


def load_here(variable: str, path: str) -> object:
    """This module is imported by its file, so it is not importable by its name."""
    return globals()[path.split(":")[1]]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("no.such.module:Class", "cannot import no.such.module"),
        ("json:NoSuchClass", "json has no class NoSuchClass"),
    ],
)
def test_a_class_that_is_not_there_is_said_so(path: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=f"ORDERS_ADAPTER.*{problem}"):
        load_class("ORDERS_ADAPTER", path)
    assert callable(load_class("ORDERS_ADAPTER", "json:JSONDecoder"))
