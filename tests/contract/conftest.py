"""The suite runs on every adapter and on the oracle, so that they check each other."""

from typing import cast

import pytest

from tests.clock import ManualClock
from tests.conftest import ADAPTERS, MakeStore
from tests.oracle import OracleStore
from workflows.store import Store


@pytest.fixture(params=("oracle", *ADAPTERS))
def store(
    request: pytest.FixtureRequest, make_store: MakeStore, clock: ManualClock
) -> Store:
    """The oracle and each adapter in turn, empty, on the test's `clock`."""
    if request.param == "oracle":
        return cast("Store", OracleStore(clock))  # it has no runs yet
    return make_store(request.param, clock)


@pytest.fixture(params=ADAPTERS)
def adapter(
    request: pytest.FixtureRequest, make_store: MakeStore, clock: ManualClock
) -> Store:
    """Each adapter in turn: what the oracle cannot do (threads, connections)."""
    return make_store(request.param, clock)


# Which stores have the run operations; the oracle follows.
RUN_STORES = ADAPTERS


@pytest.fixture(params=RUN_STORES)
def run_store(
    request: pytest.FixtureRequest, make_store: MakeStore, clock: ManualClock
) -> Store:
    """Each store that has runs in turn, empty, on the test's `clock`."""
    if request.param == "oracle":
        return OracleStore(clock)  # type: ignore[return-value]
    return make_store(request.param, clock)
