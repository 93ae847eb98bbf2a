"""The storage face keeps Huey's storage contract: Huey's own StorageTests, whole."""

import uuid
from typing import Any

import pytest
from huey.api import Huey
from huey.tests.base import BaseTestCase
from huey.tests.test_storage import StorageTests, TestMemoryStorage, TestSqliteStorage

from tests.servers import ValkeyServer
from workflows.huey import WorkflowHuey
from workflows.huey.storage import HueyStorage
from workflows.store import Store, StoreOptions
from workflows.stores import open_store


class Cases(StorageTests):
    """What every store must pass; `url` comes from the fixture of the subclass."""

    supports_ttl = True
    url: str

    # of single storages, but about the contract all the same
    test_dequeue_multithreaded = TestSqliteStorage.test_dequeue_multithreaded
    test_read_schedule_large = TestSqliteStorage.test_read_schedule_large
    test_put_if_empty_concurrent = TestMemoryStorage.test_put_if_empty_concurrent

    def open(self) -> Store:
        options = StoreOptions(namespace=f"parity-{uuid.uuid4().hex[:12]}")
        self.opened = open_store(self.url, options)
        return self.opened

    def tearDown(self) -> None:
        self.opened.wipe()
        self.opened.close()
        super().tearDown()


class OnSqlite(Cases):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Any) -> None:
        type(self).url = f"sqlite:///{tmp_path}/parity.db"


class OnRedis(Cases):
    @pytest.fixture(autouse=True)
    def _server(self, valkey: ValkeyServer) -> None:
        type(self).url = valkey.unix_url


class PlainHuey:
    """Plain Huey on our storage keeps its own, destructive ways."""

    def get_huey(self) -> Huey:
        store = self.open()  # type: ignore[attr-defined]
        return Huey(
            "parity", storage_class=_storage(store), utc=False, read_timeout=0.2
        )


class OurHuey:
    """WorkflowHuey on its storage."""

    def get_huey(self) -> WorkflowHuey:
        store = self.open()  # type: ignore[attr-defined]
        return WorkflowHuey("parity", store=store, utc=False, read_timeout=0.2)


def _storage(store: Store) -> Any:
    def make(name: str, **options: Any) -> HueyStorage:
        return HueyStorage(name, store, utc=False, **options)

    return make


class TestPlainHueyOnSqlite(PlainHuey, OnSqlite, BaseTestCase):
    pass


class TestPlainHueyOnRedis(PlainHuey, OnRedis, BaseTestCase):
    pass


class TestWorkflowHueyOnSqlite(OurHuey, OnSqlite, BaseTestCase):
    pass


class TestWorkflowHueyOnRedis(OurHuey, OnRedis, BaseTestCase):
    pass


del StorageTests, TestMemoryStorage, TestSqliteStorage  # not to be collected here
