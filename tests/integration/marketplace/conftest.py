"""One stub per test process, one shop per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clock import ManualClock
from tests.conftest import MakeStore
from tests.integration.marketplace.shop import START, Shop, ms
from tests.integration.marketplace.stub import StubProcess
from workflows.marketplace.database import Database
from workflows.marketplace.transports.graph import GraphTransport


@pytest.fixture(scope="session")
def stub_process() -> Iterator[StubProcess]:
    with StubProcess() as stub:
        yield stub


@pytest.fixture
def stub(stub_process: StubProcess) -> StubProcess:
    stub_process.reset()
    return stub_process


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/marketplace.db")
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
