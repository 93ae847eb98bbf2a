"""The store on Redis or Valkey, put together from its duties."""

from workflows.store import StoreOptions
from workflows.stores.redis.check import Server, check_server
from workflows.stores.redis.connection import Connections, Execute
from workflows.stores.redis.fsck import Fsck
from workflows.stores.redis.operators import Operators
from workflows.stores.redis.reads import Reads
from workflows.stores.redis.runs import Runs
from workflows.stores.redis.schedules import Schedules
from workflows.stores.redis.scripts import Scripts
from workflows.stores.redis.upkeep import Upkeep
from workflows.stores.redis.values import Values
from workflows.stores.redis.waiting import Waiting
from workflows.stores.redis.work import Work

_UNKNOWN = Server("redis", "unknown", "unknown", "unchecked")


class RedisStore(
    Work, Runs, Waiting, Operators, Schedules, Values, Reads, Upkeep, Fsck
):
    """`workflows.store.Store` on one primary, in one namespace (one hash slot).

    Nothing is opened before the first call; a store may be made before a fork and used
    by any number of threads.
    """

    def __init__(self, url: str, options: StoreOptions) -> None:
        self._server = _UNKNOWN
        self._overrides = options.overrides
        self._waits: set[bytes] = set()
        self._connections = Connections(url, self._check)
        self._scripts = Scripts(self._connections, options.namespace, options.clock)

    def __repr__(self) -> str:
        return f"RedisStore({self._connections.address!r})"

    def _check(self, execute: Execute) -> None:
        address = self._connections.address
        self._server = check_server(execute, self._overrides, address)
