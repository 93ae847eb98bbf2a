"""A server that would lose accepted work is refused, with the reason and the remedy."""

from collections.abc import Iterator

import pytest

from tests.clock import ManualClock
from tests.contract.builders import add
from tests.integration.redis_stores import open_redis, serving
from tests.servers import ValkeyServer
from workflows.exceptions import (
    InvalidArgumentError,
    StoreRefusedError,
    StoreUnavailableError,
)

SECRET = "hunter2-very-secret"


def test_a_server_that_evicts_is_refused_unless_accepted() -> None:
    with serving(maxmemory_policy="allkeys-lru") as server:
        with pytest.raises(StoreRefusedError, match=r"allkeys-lru.*redis-eviction"):
            open_redis(server.unix_url).ping()
        accepted = open_redis(server.unix_url, "redis-eviction")
        assert accepted.now() > 0
        assert accepted.info()["maxmemory_policy"] == "allkeys-lru"


def test_a_server_without_a_log_is_refused_unless_accepted() -> None:
    with serving(appendonly="no") as server:
        with pytest.raises(StoreRefusedError, match=r"appendonly no.*redis-no-aof"):
            open_redis(server.unix_url).now()
        accepted = open_redis(server.unix_url, "redis-no-aof")
        accepted.ping()
        assert accepted.info()["profile"] == "volatile"


@pytest.mark.parametrize(
    ("fsync", "profile", "words"),
    [("always", "strict", "every answered write"), ("everysec", "fast", "may lose")],
)
def test_the_profile_is_named_by_how_the_log_is_synced(
    fsync: str, profile: str, words: str
) -> None:
    with serving(appendfsync=fsync) as server:
        store = open_redis(server.unix_url)
        store.ping()
        info = store.info()
        assert info["profile"] == profile
        assert words in str(info["durability"])
        assert (info["engine"], info["version"]) != ("", "")


def test_a_log_that_is_never_synced_is_refused() -> None:
    with (
        serving(appendfsync="no") as server,
        pytest.raises(StoreRefusedError, match="appendfsync no"),
    ):
        open_redis(server.unix_url).ping()


def test_a_replica_is_refused() -> None:
    with serving() as server, server.client() as client:
        client.replicaof("127.0.0.1", "1")
        with pytest.raises(StoreRefusedError, match="it is a replica"):
            open_redis(server.unix_url).ping()


# -- users and passwords ---------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded() -> Iterator[ValkeyServer]:
    """A server with users of different rights."""
    with serving() as server, server.client() as client:
        for name, rights in {
            "reader": ["+@all", "-config"],
            "blind": ["+@all", "-config", "-info"],
            "weak": ["+@all", "-@scripting"],
        }.items():
            client.execute_command(
                "ACL", "SETUSER", name, "on", f">{SECRET}", "~*", "&*", *rights
            )
        yield server


def url(server: ValkeyServer, user: str, password: str = SECRET) -> str:
    return f"redis://{user}:{password}@127.0.0.1:{server.port}/0"


def test_info_serves_where_config_is_forbidden(guarded: ValkeyServer) -> None:
    store = open_redis(url(guarded, "reader"))
    store.ping()
    assert store.info()["profile"] == "logged"


def test_settings_that_cannot_be_read_must_be_vouched_for(
    guarded: ValkeyServer,
) -> None:
    with pytest.raises(StoreRefusedError, match="redis-unchecked"):
        open_redis(url(guarded, "blind")).ping()
    vouched = open_redis(url(guarded, "blind"), "redis-unchecked")
    add(vouched, "a")
    assert vouched.get_job("a") is not None


def test_a_user_without_the_rights_is_refused(guarded: ValkeyServer) -> None:
    with pytest.raises(StoreRefusedError, match="may not do"):
        open_redis(url(guarded, "weak")).now()


def test_a_wrong_password_is_refused(guarded: ValkeyServer) -> None:
    with pytest.raises(StoreRefusedError, match="password is wrong"):
        open_redis(url(guarded, "reader", "wrong-word")).ping()


def test_no_password_is_ever_shown(guarded: ValkeyServer) -> None:
    shown = []
    for user, password in [("reader", SECRET), ("reader", SECRET + "x")]:
        store = open_redis(url(guarded, user, password))
        shown += [repr(store), str(store), repr(vars(store))]
        try:
            store.ping()
            shown.append(str(store.info()))
        except StoreRefusedError as error:
            shown += [str(error), repr(error), repr(error.__cause__)]
    gone = open_redis(f"redis://u:{SECRET}@127.0.0.1:1/0")
    with pytest.raises(StoreUnavailableError) as raised:
        gone.ping()
    shown.append(str(raised.value))
    with pytest.raises(InvalidArgumentError) as wrong:
        open_redis(f"redis://u:{SECRET}@127.0.0.1:1/0?no_such_option=1")
    shown.append(str(wrong.value))
    assert not [text for text in shown if SECRET in text]


@pytest.mark.parametrize(
    "wrong", ["redis://127.0.0.1:port/0", "redis://h/0?db=x", "redis://h/0?nonsense=1"]
)
def test_a_url_that_cannot_be_read_is_an_error_of_its_own(wrong: str) -> None:
    with pytest.raises(InvalidArgumentError, match="store URL"):
        open_redis(wrong)


# -- modes -----------------------------------------------------------------------------


def test_a_namespace_of_tests_takes_no_real_time_and_the_other_way_round(
    valkey: ValkeyServer,
) -> None:
    tested = open_redis(valkey.unix_url, namespace="mode-a", clock=ManualClock())
    tested.now()
    with pytest.raises(StoreRefusedError, match="created in test mode"):
        open_redis(valkey.unix_url, namespace="mode-a").now()
    live = open_redis(valkey.unix_url, namespace="mode-b")
    live.now()
    other = open_redis(valkey.unix_url, namespace="mode-b", clock=ManualClock())
    with pytest.raises(StoreRefusedError, match="created in live mode"):
        other.get_job("a")
    tested.wipe()
    live.wipe()


def test_keys_of_a_newer_format_are_refused(valkey: ValkeyServer) -> None:
    store = open_redis(valkey.unix_url, namespace="newer")
    store.now()
    with valkey.client() as client:
        client.hset("{newer}:meta", "format", "2")
    with pytest.raises(StoreRefusedError, match="format 2"):
        store.now()
    store.wipe()


@pytest.mark.parametrize("name", ["", "a{b", "}"])
def test_a_namespace_that_would_break_the_hash_tag_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match="namespace"):
        open_redis("redis://127.0.0.1:1/0", namespace=name or "{")
