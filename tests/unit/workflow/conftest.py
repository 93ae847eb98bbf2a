"""Every workflow of a test is evicted after it, which must never leave a task."""

from collections.abc import Iterator

import pytest

from tests.unit.workflow.driver import DRIVERS


@pytest.fixture(autouse=True)
def evict_all() -> Iterator[None]:
    yield
    while DRIVERS:
        instance = DRIVERS.pop().instance
        instance.evict()
        assert not instance.core.loop.tasks
