"""Redis stores of tests that need a server of their own."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.servers import DURABLE, ValkeyServer
from workflows.store import StoreOptions
from workflows.stores.redis import RedisStore

FAST: Mapping[str, str] = {**DURABLE, "appendfsync": "everysec"}


@contextmanager
def serving(**config: str) -> Iterator[ValkeyServer]:
    """Run a server; `maxmemory_policy="…"` sets maxmemory-policy."""
    settings = {name.replace("_", "-"): value for name, value in config.items()}
    with ValkeyServer(config={**FAST, **settings}) as server:
        yield server


def open_redis(
    url: str,
    *overrides: str,
    namespace: str | None = None,
    clock: Callable[[], int] | None = None,
) -> RedisStore:
    """Open a store in a namespace of its own, unless told which."""
    namespace = namespace or uuid.uuid4().hex
    return RedisStore(url, StoreOptions(namespace, clock, frozenset(overrides)))


def keys(server: ValkeyServer, pattern: str = "*") -> dict[str, Any]:
    """The keys of a server, with their types."""
    with server.client() as client:
        return {key.decode(): client.type(key) for key in client.keys(pattern)}
