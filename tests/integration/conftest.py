"""The API over each store, for all tests that read and write through it."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.api_server import serve
from tests.integration.api_stage import Stage
from workflows.store import (
    StoreOptions,
)
from workflows.stores import open_store


@pytest.fixture(scope="session", params=["sqlite", "redis"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """One API per store and test process: it takes seconds to start."""
    folder: Path = tmp_path_factory.mktemp("api")
    url = f"sqlite:///{folder}/jobs.db"
    if request.param == "redis":
        url = request.getfixturevalue("valkey").unix_url
    namespace = f"api-{uuid4().hex[:8]}"
    store = open_store(url, StoreOptions(namespace=namespace))
    with serve(url, folder, WORKFLOWS_NAMESPACE=namespace) as api:
        yield Stage(api, store)
    store.close()


@pytest.fixture
def stage(running: Stage) -> Iterator[Stage]:
    """Each API in turn, its store empty."""
    yield running
    running.store.wipe()
