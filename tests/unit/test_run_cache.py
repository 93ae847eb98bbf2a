"""The cache of live instances: what it keeps, and what it evicts."""

from typing import Any, cast

from workflows.engine.replay import Replay
from workflows.runtime.run_cache import RunCache


class Instance:
    """Stands for a replay; knows whether it was evicted."""

    evicted = False

    def evict(self) -> None:
        self.evicted = True


def fill(cache: RunCache, run_id: str) -> Instance:
    instance = Instance()
    with cache.borrow(run_id) as slot:
        slot.replay = cast("Replay", instance)
    return instance


def kept(cache: RunCache, run_id: str) -> Any:
    with cache.borrow(run_id) as slot:
        return slot.replay


def test_the_least_recently_used_run_is_evicted() -> None:
    cache = RunCache(2)
    first, second = fill(cache, "1"), fill(cache, "2")
    assert kept(cache, "1") is first
    fill(cache, "3")
    assert second.evicted
    assert not first.evicted


def test_a_borrowed_run_is_not_evicted() -> None:
    cache = RunCache(1)
    first = fill(cache, "1")
    with cache.borrow("1"):
        assert fill(cache, "2").evicted
    assert kept(cache, "1") is first


def test_a_run_without_an_instance_takes_no_room() -> None:
    cache = RunCache(1)
    first = fill(cache, "1")
    assert kept(cache, "2") is None
    assert not first.evicted


def test_a_cache_of_size_0_keeps_nothing() -> None:
    cache = RunCache(0)
    assert fill(cache, "1").evicted
    assert kept(cache, "1") is None
