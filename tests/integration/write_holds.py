"""How long one write keeps everybody else from writing, on each store."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.servers import ValkeyServer
from workflows.stores.sqlite.group_commit import GroupCommit
from workflows.stores.sqlite.opening import Connection
from workflows.stores.sqlite.write_lock import WriteLock

EVERYTHING_US = 0


@dataclass(slots=True)
class Longest:
    """The longest write of each kind that was seen, in ms, and how many there were."""

    ms: dict[str, float] = field(default_factory=dict)
    writes: int = 0

    def see(self, kind: str, ms: float) -> None:
        """One more write took so long."""
        self.ms[kind] = max(self.ms.get(kind, 0.0), ms)
        self.writes += 1


def whatever_happens(tries: Iterable[Longest]) -> float:
    """Return the longest write that takes so long in every try.

    On a busy machine the wall clock makes now this, now that write look long.
    """
    first, *others = (each.ms for each in tries)
    return max(
        min(ms, *(each.get(kind, 0.0) for each in others), ms)
        for kind, ms in first.items()
    )


@contextmanager
def sqlite_holds() -> Iterator[Longest]:
    """Watch the transactions of this process from the lock to the commit.

    Counted is the CPU time of the thread that holds the lock: what the machine does
    meanwhile for others, and how fast its disk is, is not the transaction's size.
    """
    longest, began = Longest(), [0.0]
    begin: Any = WriteLock.begin
    transact: Any = GroupCommit._transact

    def begun(self: WriteLock, connection: Connection, since: float) -> None:
        begin(self, connection, since)
        began[0] = time.thread_time()

    def timed(self: GroupCommit, group: Any) -> None:
        transact(self, group)
        longest.see("transaction", (time.thread_time() - began[0]) * 1e3)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WriteLock, "begin", begun)
        patch.setattr(GroupCommit, "_transact", timed)
        yield longest


@contextmanager
def valkey_holds(server: ValkeyServer) -> Iterator[Longest]:
    """Watch all commands of a server, by its slow log (wall time)."""
    longest = Longest()
    with server.client() as client:
        client.config_set("slowlog-max-len", 1_000_000)
        client.config_set("slowlog-log-slower-than", EVERYTHING_US)
        client.slowlog_reset()
        try:
            yield longest
        finally:
            client.config_set("slowlog-log-slower-than", -1)
            for each in client.slowlog_get(1_000_000):
                name, _, rest = each["command"].partition(b" ")
                if name == b"EVALSHA":  # the first call of a script also compiles it
                    script = rest.partition(b" ")[0].decode()
                    longest.see(script, each["duration"] / 1e3)
            client.slowlog_reset()
