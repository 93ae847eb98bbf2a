"""fsck finds faults that are planted behind the store's back."""

from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest

from tests.clock import ManualClock
from tests.conftest import MakeStore
from tests.contract.builders import add, settle, take
from tests.servers import ValkeyServer
from workflows.engine.states import DeadReason
from workflows.store import Bury, Complete, Retry, Store

SQLITE_FAULTS = {
    "a counter is wrong": "UPDATE counters SET n = n + 1 WHERE key = 'state:waiting'",
    "a counter is gone": "DELETE FROM counters WHERE key = 'state:failed'",
    "a record is gone": "DELETE FROM jobs WHERE id = 'waiting'",
    "a state is none": "UPDATE jobs SET state = 'lost' WHERE id = 'waiting'",
    "active without a lease": (
        "UPDATE jobs SET token = NULL, lease_until = NULL WHERE id = 'active'"
    ),
    "leased but not active": "UPDATE jobs SET state = 'waiting' WHERE id = 'active'",
    "delayed without a due time": "UPDATE jobs SET run_at = NULL WHERE id = 'delayed'",
    "waiting with a due time": "UPDATE jobs SET run_at = 1 WHERE id = 'waiting'",
    "ended without an end": (
        "UPDATE jobs SET finished_at = NULL WHERE id = 'completed'"
    ),
    "live with an end": "UPDATE jobs SET finished_at = 1 WHERE id = 'waiting'",
    "dead without a reason": "UPDATE jobs SET reason = NULL WHERE id = 'failed'",
    "a pending cancel of a pending job": (
        "UPDATE jobs SET cancel_requested = 1 WHERE id = 'waiting'"
    ),
    "two jobs in one place": (
        "UPDATE jobs SET seq = (SELECT seq FROM jobs WHERE id = 'waiting') "
        "WHERE id = 'delayed'"
    ),
    "a place that was not given out": (
        "UPDATE jobs SET seq = seq + 1000 WHERE id = 'waiting'"
    ),
    "an unknown queue": "DELETE FROM queues WHERE name = 'mail'",
    "a message without a job": (
        "INSERT INTO messages (n, headers, payload) VALUES (999, x'', x'')"
    ),
    "a job without a message": "DELETE FROM messages",
    "an attempt without a job": "UPDATE attempts SET job = 999",
    "a history that is cut": "DELETE FROM attempts",
    "a lock of a lost lease": "UPDATE kv SET token = 'other' WHERE key = 'lock'",
}

# Of a place in a key, {0} is the namespace's prefix.
REDIS_FAULTS = {
    "a waiting job is not in its set": ["DEL", "{0}waiting:4:mail:send"],
    "a set holds what is not waiting": [
        *("ZADD", "{0}waiting:4:mail:send", "0", "0000000000000001active"),
    ],
    "active without a lease": ["HDEL", "{0}job:active", "token"],
    "active but in no set": ["DEL", "{0}active:mail"],
    "leased but not active": ["HSET", "{0}job:active", "state", "waiting"],
    "delayed but not due": ["DEL", "{0}due"],
    "due at another time": ["ZINCRBY", "{0}due", "5", "{1}delayed"],
    "a dead letter is not in its set": ["DEL", "{0}failed:mail"],
    "a record is gone": ["DEL", "{0}job:completed"],
    "a record is cut": ["HDEL", "{0}job:waiting", "queue"],
    "ended without an end": ["HDEL", "{0}job:completed", "finished"],
    "an unknown queue": ["SREM", "{0}queues", "mail"],
    "a dedup id is leaked": ["HSET", "{0}dedup:mail", "leaked", "completed"],
    "a dedup id is lost": ["HDEL", "{0}dedup:mail", "d"],
    "a lock of a lost lease": ["HSET", "{0}owners:lock", "lock", "5:other:active"],
}


def furnish(store: Store) -> None:
    """Leave a job in most states, a history, a lock, a dedup id."""
    add(store, "completed", "failed", "active")
    take(store, "t", 3)
    settle(store, Retry(job_id="failed", token="t", failure=b"f"))
    take(store, "u")
    settle(store, Complete(job_id="completed", token="t"))
    reason = DeadReason.EXHAUSTED
    settle(store, Bury(job_id="failed", token="u", failure=b"f", reason=reason))
    store.put_value_if_absent("lock", "lock", b"", lease=("active", "t"))
    add(store, "waiting", dedup_id="d")
    add(store, "delayed", delay_ms=1000)
    assert store.fsck() == []


@pytest.mark.parametrize("fault", SQLITE_FAULTS)
def test_a_fault_in_the_file_is_found(
    make_store: MakeStore, tmp_path: Path, clock: ManualClock, fault: str
) -> None:
    store = make_store("sqlite", clock)
    furnish(store)
    store.close()  # one process opens a file in one way at a time
    connection = sqlite.connect(str(tmp_path / "test.db"), isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    assert connection.execute(SQLITE_FAULTS[fault]).rowcount > 0
    connection.close()
    assert store.fsck() != []


@pytest.mark.parametrize("fault", REDIS_FAULTS)
def test_a_fault_in_the_keys_is_found(
    make_store: MakeStore, valkey: ValkeyServer, clock: ManualClock, fault: str
) -> None:
    store = make_store("redis", clock)
    furnish(store)
    with valkey.client() as client:
        (queues,) = client.keys("*}:queues")
        prefix = queues.decode().removesuffix("queues")
        place = client.hget(f"{prefix}job:delayed", "place")
        assert isinstance(place, bytes)
        words = [
            word.replace("{0}", prefix).replace("{1}", place.decode())
            for word in REDIS_FAULTS[fault]
        ]
        client.execute_command(*words)
    assert store.fsck() != []
