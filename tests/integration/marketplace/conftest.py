"""One stub per test process, one shop per test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clock import ManualClock
from tests.conftest import MakeStore
from tests.integration.marketplace import people
from tests.integration.marketplace.caller import Caller, Provider
from tests.integration.marketplace.postgresql import PostgresServer
from tests.integration.marketplace.shop import START, Shop, ms
from tests.integration.marketplace.stub import StubProcess
from workflows.marketplace.database import Database
from workflows.marketplace.message import Message
from workflows.marketplace.ports import Accepted
from workflows.marketplace.transports.graph import GraphTransport
from workflows.marketplace.whatsapp_errors import SendFailure


@pytest.fixture(scope="session")
def stub_process() -> Iterator[StubProcess]:
    with StubProcess() as stub:
        yield stub


@pytest.fixture
def stub(stub_process: StubProcess) -> StubProcess:
    stub_process.reset()
    return stub_process


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of the test's own; `make test-postgres` has them all on a server."""
    url = f"sqlite:///{tmp_path}/marketplace.db"
    if os.environ.get("MARKETPLACE_TESTS_ON") == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgresql")
        url = server.new_database()
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(ms(START))


@pytest.fixture(params=["sqlite", "redis"])
def shop(
    request: pytest.FixtureRequest,
    stub: StubProcess,
    database: Database,
    clock: ManualClock,
    make_store: MakeStore,
) -> Iterator[Shop]:
    """Both jobs, sending through the transport `graph` to the stub."""
    transport = GraphTransport(stub.settings())
    store = make_store(request.param, clock)
    shop = Shop(store, database, transport, clock, stub)
    shop.move_to(START)
    yield shop
    transport.close()


class Deliveries:
    """A transport that takes everything and remembers it."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.refused: set[str] = set()  # numbers that are not on WhatsApp

    def send(self, message: Message) -> Accepted | SendFailure:
        if message.to_phone in self.refused:
            return SendFailure(http_status=400, code=131026)
        self.sent.append(message)
        return Accepted(wamid=f"wamid.{message.id}.{len(self.sent)}")

    def probe(self) -> bool:
        return True

    def to(self, phone: str) -> list[str]:
        """Return the purposes of what one person was sent."""
        return [message.purpose for message in self.sent if message.to_phone == phone]


@pytest.fixture
def deliveries() -> Deliveries:
    return Deliveries()


@pytest.fixture
def market(
    database: Database,
    clock: ManualClock,
    make_store: MakeStore,
    deliveries: Deliveries,
) -> Shop:
    """All jobs, with the people of F0; messages go to `deliveries`."""
    shop = Shop(make_store("sqlite", clock), database, deliveries, clock)
    with database.begin() as work:
        people.move_in(work)
    return shop


@pytest.fixture
def api(market: Shop) -> Caller:
    return Caller(market, Provider())
