"""The store itself: is it there, and what is it."""

from collections.abc import Mapping

from workflows.stores.redis.check import PROFILES, Server
from workflows.stores.redis.connection import Connections
from workflows.stores.redis.scripts import Scripts, glob

_AT_ONCE = 1000


class Upkeep:
    """Ping, facts, and the end of a namespace."""

    _scripts: Scripts
    _connections: Connections
    _server: Server

    def ping(self) -> None:
        """See `workflows.store.Store.ping`."""
        self._connections.execute("PING")

    def info(self) -> Mapping[str, str | int | bool]:
        """See `workflows.store.Store.info`."""
        text = self._connections.execute("INFO", "memory").decode(errors="replace")
        lines = (line.partition(":") for line in text.splitlines() if ":" in line)
        memory = {name: value for name, _, value in lines}
        server = self._server
        return {
            "engine": server.engine,
            "version": server.version,
            "address": self._connections.address,
            "namespace": self._scripts.prefix.decode()[1:-2],
            "profile": server.profile,
            "durability": PROFILES[server.profile],
            "maxmemory_policy": server.policy,
            "used_memory_bytes": int(memory.get("used_memory", 0)),
            "maxmemory_bytes": int(memory.get("maxmemory", 0)),
        }

    def wipe(self) -> None:
        """See `workflows.store.Store.wipe`. Not atomic: a step at a time."""
        execute = self._connections.execute
        pattern = glob(self._scripts.prefix)
        cursor: bytes | int = 0
        while True:
            cursor, keys = execute("SCAN", cursor, "MATCH", pattern, "COUNT", _AT_ONCE)
            if keys:
                execute("UNLINK", *keys)
            if cursor == b"0":
                return

    def close(self) -> None:
        """See `workflows.store.Store.close`."""
        self._connections.close()
