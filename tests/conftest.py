"""Fixtures for every kind of test. A test's folder is its marker."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests import modes
from tests.clock import ManualClock
from tests.servers import DURABLE, ValkeyServer
from workflows.exceptions import StoreRefusedError
from workflows.store import Store, StoreOptions
from workflows.stores import open_store

KINDS = (
    *("unit", "contract", "property", "integration", "e2e"),
    *("chaos", "parity", "docs"),
)
ADAPTERS = ("sqlite", "redis")
TESTS = Path(__file__).parent

MakeStore = Callable[..., Store]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "parity: the same program on Huey and on us")
    modes.apply()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with the name of its folder."""
    for item in items:
        if item.path.is_relative_to(TESTS):
            kind = item.path.relative_to(TESTS).parts[0]
            if kind in KINDS:
                item.add_marker(kind)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """A real server, one per test process; fsync once a second, for speed."""
    with ValkeyServer(config={**DURABLE, "appendfsync": "everysec"}) as server:
        yield server


@pytest.fixture
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeStore]:
    """Open stores: `make_store(kind, clock, name="a")`; same name, same data.

    Without a clock the store runs on real time. All are wiped and closed at the end.
    """
    opened: list[Store] = []
    test = uuid.uuid4().hex[:12]  # a namespace of its own, on a shared server

    def make(
        kind: str, clock: Callable[[], int] | None = None, *, name: str = "test"
    ) -> Store:
        url = f"sqlite:///{tmp_path / name}.db"
        if kind == "redis":
            url = request.getfixturevalue("valkey").unix_url
        options = StoreOptions(namespace=f"{name}-{test}", clock=clock)
        store = open_store(url, options)
        opened.append(store)
        return store

    yield make
    for store in opened:
        with suppress(StoreRefusedError):  # that it is refused may be the point
            store.wipe()
        store.close()


@pytest.fixture(params=ADAPTERS)
def store(
    request: pytest.FixtureRequest, make_store: MakeStore, clock: ManualClock
) -> Store:
    """Each adapter in turn, empty, on the test's `clock`."""
    return make_store(request.param, clock)
