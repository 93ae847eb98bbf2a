"""A store that fails, seen through the API: cases 84 and 85 of the list of bad inputs.

Each is a clear 503 with Retry-After within two seconds; no thread stays held; and the
API recovers by itself.
"""

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pysqlite3
import pytest
import redis

from tests.integration.api_server import Answer, ApiServer, serve
from tests.integration.faulty_link import FaultyLink
from tests.servers import ValkeyServer

METRICS = "/api/v1/queue/metrics"
JOBS = "/api/v1/queues/notes/jobs"
NOTE = {"name": "take_note", "data": {"text": "hello"}}
WITHIN = 2.0
SLACK = 0.5  # the test machine's own


def add(api: ApiServer) -> Answer:
    return api.post(JOBS, NOTE)


def read(api: ApiServer) -> Answer:
    return api.get(METRICS)


Send = Callable[[ApiServer], Answer]


def refused(api: ApiServer, send: Send, code: str = "store_unavailable") -> None:
    """The request ends within two seconds in a 503 that says when to come back."""
    began = time.monotonic()
    answer = send(api)
    took = time.monotonic() - began
    assert answer.status == 503, answer.body
    assert answer.code == code
    assert int(answer.headers["retry-after"]) >= 1
    assert took < WITHIN + SLACK


def recovers(api: ApiServer) -> None:
    """Soon after the fault is gone, everything works again."""
    until = time.monotonic() + 5
    while add(api).status != 201:
        assert time.monotonic() < until
    assert read(api).status == 200
    assert api.get("/health/live").status == 200


# -- Valkey ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with ValkeyServer() as running:
        yield running


@pytest.fixture(scope="module")
def served(
    server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """One API for all faults: that each leaves nothing behind is part of the test."""
    with serve(server.url, tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
def api(server: ValkeyServer, served: ApiServer) -> ApiServer:
    """The API of one job."""
    server.client().flushall()
    recovers(served)
    assert served.get(f"{METRICS}/notes").data["waiting"] == 1
    return served


def test_84_a_killed_server_is_503_until_it_is_back(
    server: ValkeyServer, api: ApiServer
) -> None:
    server.kill()
    refused(api, add)
    refused(api, read)
    refused(api, lambda api: api.get("/health/ready"))
    assert api.get("/health/live").status == 200
    server.start()
    recovers(api)
    assert api.get(f"{METRICS}/notes").data["waiting"] == 2


def test_84_a_frozen_server_holds_no_thread(
    server: ValkeyServer, api: ApiServer
) -> None:
    server.freeze()
    try:
        refused(api, add)
        refused(api, read)
        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: read(api).status, range(8)))
        assert answers == [503] * 8
        assert time.monotonic() - began < 2 * WITHIN + 1  # on four threads
        began = time.monotonic()
        assert api.get("/health/live").status == 200
        assert time.monotonic() - began < 1
    finally:
        server.thaw()
    recovers(api)


def test_84_a_restart_between_two_requests_is_not_seen(
    server: ValkeyServer, api: ApiServer
) -> None:
    server.stop()
    server.start()
    assert read(api).status == 200
    assert add(api).status == 201


def test_84_a_script_flush_is_not_seen(server: ValkeyServer, api: ApiServer) -> None:
    server.client().script_flush()
    assert add(api).status == 201
    assert read(api).status == 200


def test_84_a_full_server_refuses_jobs_and_still_answers(
    server: ValkeyServer, api: ApiServer
) -> None:
    server.client().config_set("maxmemory", "1")
    refused(api, add, "store_full")
    assert read(api).status == 200
    server.client().config_set("maxmemory", "0")
    recovers(api)
    assert api.get(f"{METRICS}/notes").data["waiting"] == 2


def test_84_a_replica_refuses_writes(server: ValkeyServer, api: ApiServer) -> None:
    server.client().replicaof("127.0.0.1", "1")
    refused(api, add)
    server.client().replicaof("NO", "ONE")
    recovers(api)


def test_84_a_server_busy_with_a_script_is_503(
    server: ValkeyServer, api: ApiServer
) -> None:
    client = server.client()
    client.config_set("busy-reply-threshold", "100")
    with ThreadPoolExecutor(1) as pool:
        endless = pool.submit(_run_endless_script, server)
        time.sleep(0.3)
        refused(api, add)
        refused(api, read)
        client.script_kill()
        endless.result()
    recovers(api)


def _run_endless_script(server: ValkeyServer) -> None:
    with pytest.raises(redis.ResponseError, match=r"(?i)killed"):
        server.client().eval("while true do end", 0)


def test_84_a_password_set_meanwhile_is_a_refusal(
    server: ValkeyServer, api: ApiServer
) -> None:
    client = server.client()
    client.config_set("requirepass", "secret")
    client.client_kill_filter(_type="normal", skipme=True)
    assert add(api).status == 503
    refused(api, add, "store_refused")
    client.config_set("requirepass", "")
    recovers(api)


def test_84_an_evicting_server_is_refused(tmp_path: Path) -> None:
    with (
        ValkeyServer(config={"maxmemory-policy": "allkeys-lru"}) as server,
        serve(server.url, tmp_path) as api,
    ):
        refused(api, add, "store_refused")
        refused(api, lambda api: api.get("/health/ready"), "store_refused")
        assert server.client().dbsize() == 0


def test_84_a_planted_key_of_another_type_is_refused(
    server: ValkeyServer, tmp_path: Path
) -> None:
    server.client().flushall()
    with serve(server.url, tmp_path) as api:
        assert add(api).status == 201
        client = server.client()
        for key in client.keys("*"):
            if client.type(key) != b"string":
                client.delete(key)
                client.set(key, "x")
        answer = add(api)
        assert answer.status == 503
        assert answer.code in {"store_refused", "store_unavailable"}


def test_84_a_wrong_database_number_is_a_clear_503(
    server: ValkeyServer, tmp_path: Path
) -> None:
    server.client().flushall()
    with serve(server.url.removesuffix("/0") + "/99", tmp_path) as api:
        answer = add(api)
        assert answer.status == 503


def test_84_a_lost_reply_is_unknown_and_the_repeat_adds_nothing_twice(
    server: ValkeyServer, tmp_path: Path
) -> None:
    server.client().flushall()
    with (
        FaultyLink(server.port) as link,
        serve(f"redis://127.0.0.1:{link.port}/0", tmp_path) as api,
    ):
        assert add(api).status == 201
        link.lose_replies = True
        lost = api.post(JOBS, NOTE, Idempotency_Key="order-7")
        assert lost.status == 503
        assert link.lost > 0
        link.lose_replies = False
        first = api.post(JOBS, NOTE, Idempotency_Key="order-7")
        again = api.post(JOBS, NOTE, Idempotency_Key="order-7")
        assert (first.status, again.status) == (201, 201)
        assert first.data == again.data
        assert api.get(f"{METRICS}/notes").data["waiting"] == 2


def test_84_a_slow_server_is_503_in_time(server: ValkeyServer, tmp_path: Path) -> None:
    server.client().flushall()
    with (
        FaultyLink(server.port) as link,
        serve(f"redis://127.0.0.1:{link.port}/0", tmp_path) as api,
    ):
        assert add(api).status == 201
        link.delay = 5.0
        refused(api, add)
        refused(api, read)
        link.delay = 0.0
        recovers(api)


# -- SQLite ---------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@contextmanager
def sqlite_api(file: Path) -> Iterator[ApiServer]:
    with serve(f"sqlite:///{file}", file.parent) as running:
        yield running


def test_85_a_file_that_another_process_locks_is_503(file: Path) -> None:
    with sqlite_api(file) as api:
        assert add(api).status == 201
        other = pysqlite3.connect(str(file), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        refused(api, add)
        assert read(api).status == 200
        began = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: add(api).status, range(4)))
        assert answers == [503] * 4
        assert time.monotonic() - began < WITHIN + SLACK  # all at once, not in turn
        other.execute("ROLLBACK")
        other.close()
        recovers(api)
        assert api.get(f"{METRICS}/notes").data["waiting"] == 2


def test_85_a_full_disk_accepts_nothing_and_reads_on(file: Path) -> None:
    with sqlite_api(file) as api:
        assert add(api).status == 201
        size = file.with_name("jobs.db-wal").stat().st_size + 100_000
        for child in _children(api.process.pid):
            resource.prlimit(child, resource.RLIMIT_FSIZE, (size, size))
        big = {"name": "take_note", "data": {"text": "x" * 200_000}}
        answer = api.post(JOBS, big)
        assert answer.status == 503
        assert answer.code in {"store_full", "store_unavailable"}
        assert api.get(f"{METRICS}/notes").data["waiting"] == 1


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in listed.split()]


def test_85_a_file_that_is_replaced_accepts_no_job_of_its_successor(
    file: Path,
) -> None:
    with sqlite_api(file) as api:
        assert add(api).status == 201
        for part in file.parent.glob("jobs.db*"):
            part.rename(part.with_name(f"old-{part.name}"))
        refused(api, add)
        recovers(api)
        assert file.exists()
        assert api.get(f"{METRICS}/notes").data["waiting"] == 1


def test_85_an_empty_file_becomes_a_store(file: Path) -> None:
    file.touch()
    with sqlite_api(file) as api:
        assert add(api).status == 201


def test_85_a_file_of_something_else_is_refused_and_kept(file: Path) -> None:
    file.write_bytes(b"My diary. " * 1000)
    with sqlite_api(file) as api:
        refused(api, add, "store_refused")
        refused(api, read, "store_refused")
    assert file.read_bytes() == b"My diary. " * 1000


def test_85_a_database_of_another_program_is_refused_and_kept(file: Path) -> None:
    other = pysqlite3.connect(str(file))
    other.execute("CREATE TABLE diary (page TEXT)")
    other.commit()
    other.close()
    before = file.read_bytes()
    with sqlite_api(file) as api:
        refused(api, add, "store_refused")
    assert file.read_bytes() == before


def test_85_a_file_of_a_newer_schema_is_refused(file: Path) -> None:
    with sqlite_api(file) as api:
        assert add(api).status == 201
    newer = pysqlite3.connect(str(file))
    newer.execute("PRAGMA user_version = 9999")
    newer.commit()
    newer.close()
    with sqlite_api(file) as api:
        refused(api, add, "store_refused")
        refused(api, lambda api: api.get("/health/ready"), "store_refused")


def test_85_a_damaged_file_is_503_not_500(file: Path) -> None:
    with sqlite_api(file) as api:
        for _ in range(50):
            add(api)
    intact = file.read_bytes()
    file.write_bytes(intact[:4096] + os.urandom(len(intact) - 4096))
    with sqlite_api(file) as api:
        for send in (add, read):
            answer = send(api)
            assert answer.status == 503, answer.body


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_85_a_read_only_file_is_503(file: Path) -> None:
    with sqlite_api(file) as api:
        assert add(api).status == 201
    file.chmod(0o400)
    with sqlite_api(file) as api:
        refused(api, add)


def test_85_a_folder_that_is_gone_is_503(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with serve(f"sqlite:///{folder}/jobs.db", tmp_path) as api:
        assert add(api).status == 201
    shutil.rmtree(folder)
    folder.write_text("a file in its place")
    with serve(f"sqlite:///{folder}/jobs.db", tmp_path) as api:
        answer = add(api)
        assert answer.status == 503


def test_86_a_path_that_is_a_folder_is_503(tmp_path: Path) -> None:
    with serve(f"sqlite:///{tmp_path}", tmp_path) as api:
        assert add(api).status == 503


if sys.platform != "linux":  # prlimit and /proc
    pytest.skip("needs Linux", allow_module_level=True)
