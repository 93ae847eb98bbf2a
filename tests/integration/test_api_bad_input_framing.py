"""Bad HTTP framing against the real gunicorn: cases 1 to 30 of the list of bad inputs.

Each gets a clear error or a closed connection, changes nothing, and holds no thread.
"""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.api_server import (
    READ_SECONDS,
    ApiServer,
    read_answer,
    serve,
)

THREADS = 4
JOBS = "/api/v1/queues/notes/jobs"
GOOD = b'{"name": "take_note", "data": {"text": "hello"}}'
JSON = b"Content-Type: application/json\r\n"
HOST = b"Host: localhost\r\n"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder: Path = tmp_path_factory.mktemp("framing")
    with serve(f"sqlite:///{folder}/jobs.db", folder) as server:
        yield server


@pytest.fixture
def nothing_changes(api: ApiServer) -> Iterator[None]:
    """The test accepts no job, and the server answers at once when it is over."""
    before = enqueued(api)
    yield
    began = time.monotonic()
    assert api.get("/health/live").status == 200
    assert time.monotonic() - began < 1
    assert enqueued(api) == before


def enqueued(api: ApiServer) -> int:
    return int(
        api.get("/api/v1/queue/metrics/notes").data["counters"].get("enqueued", 0)
    )


def post(*headers: bytes, body: bytes = GOOD, host: bytes = HOST) -> bytes:
    """A POST of a job with just these headers."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return (
        b"POST "
        + JOBS.encode()
        + b" HTTP/1.1\r\n"
        + host
        + JSON
        + lines
        + b"\r\n"
        + body
    )


def get(path: bytes = b"/health/live", *headers: bytes, host: bytes = HOST) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"GET " + path + b" HTTP/1.1\r\n" + host + lines + b"\r\n"


LENGTH = b"Content-Length: %d" % len(GOOD)
CHUNKED = b"Transfer-Encoding: chunked"

REFUSED = {
    "01 no host": (post(LENGTH, host=b""), {400}),
    "02 two hosts": (post(LENGTH, host=HOST + b"Host: evil.test\r\n"), {400}),
    "03 length and chunked": (post(LENGTH, CHUNKED), {400}),
    "04 identity coding": (post(LENGTH, b"Transfer-Encoding: identity"), {400, 501}),
    "05 two lengths": (post(LENGTH, b"Content-Length: 3"), {400}),
    "06 signed length": (post(b"Content-Length: +2"), {400}),
    "07 huge length": (post(b"Content-Length: 99999999999", body=b"{}"), {413}),
    "10 bad chunk size": (post(CHUNKED, body=b"zz\r\n{}\r\n0\r\n\r\n"), {400}),
    "10 bad chunk end": (post(CHUNKED, body=b"2\r\n{}xx0\r\n\r\n"), {400}),
    "13 control in chunk extension": (
        post(CHUNKED, body=b"2;a=\x01\r\n{}\r\n0\r\n\r\n"),
        {400},
    ),
    "14 bare line feed": (b"GET /health/live HTTP/1.1\nHost: localhost\n\n", {400}),
    "15 many headers": (get(b"/health/live", *[b"X-H: 1"] * 101), {400, 431}),
    "16 large header": (get(b"/health/live", b"X-H: " + b"a" * 9000), {400, 431}),
    "17 long line": (get(b"/" + b"a" * 8192), {414}),
    "18 lower-case method": (b"get /health/live HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
    "19 unknown method": (
        b"FOO /health/live HTTP/1.1\r\n" + HOST + b"\r\n",
        {400, 405},
    ),
    "19 trace": (b"TRACE /health/live HTTP/1.1\r\n" + HOST + b"\r\n", {400, 405}),
    "19 connect": (b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", {400, 405}),
    "20 http 0.9": (b"GET /health/live\r\n\r\n", {400}),
    "20 http 3": (b"GET /health/live HTTP/3.0\r\n" + HOST + b"\r\n", {400, 505}),
    "21 target of another host": (get(b"http://evil.test/health/live"), {400}),
    "21 host of another": (get(host=b"Host: evil.test\r\n"), {400}),
    "23 unknown expectation": (post(LENGTH, b"Expect: foo"), {417}),
    "25 raw utf-8 path": (get("/wörter".encode()), {400}),
    "26 underscore header": (get(b"/metrics/x", b"X_Forwarded_For: 6.6.6.6"), {404}),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.usefixtures("nothing_changes")
def test_malformed_framing_gets_a_clear_error(api: ApiServer, case: str) -> None:
    data, statuses = REFUSED[case]
    began = time.monotonic()
    answer = api.raw(data)
    assert answer is not None
    assert answer.status in statuses
    assert answer.body
    assert time.monotonic() - began < 1


@pytest.mark.usefixtures("nothing_changes")
def test_08_half_sent_bodies_end_with_408_and_free_their_threads(
    api: ApiServer,
) -> None:
    def send_half(_: int) -> int | None:
        answer = api.raw(post(b"Content-Length: 100", body=b"{}"))
        return answer.status if answer else None

    began = time.monotonic()
    with ThreadPoolExecutor(THREADS * 2) as pool:
        assert list(pool.map(send_half, range(THREADS * 2))) == [408] * THREADS * 2
    # Each thread was held twice for the time that a body has, and not longer.
    assert time.monotonic() - began < 2 * (READ_SECONDS + 1) + 1


@pytest.mark.parametrize("framing", [b"Content-Length: 4000", CHUNKED])
@pytest.mark.usefixtures("nothing_changes")
def test_09_a_body_that_drips_ends_with_408(api: ApiServer, framing: bytes) -> None:
    began = time.monotonic()
    with api.connect() as connection:
        connection.sendall(post(framing, body=b""))
        if framing == CHUNKED:
            connection.sendall(b"fa0\r\n")
        connection.settimeout(0.2)
        answer = None
        while answer is None and time.monotonic() - began < 10:
            connection.sendall(b" ")
            try:
                answer = read_answer(connection)
            except TimeoutError:
                continue
    assert answer is not None
    assert answer.status == 408
    assert answer.code == "request_timeout"
    assert time.monotonic() - began < READ_SECONDS + 2


@pytest.mark.usefixtures("nothing_changes")
def test_08_a_client_that_ends_its_body_early_gets_400(api: ApiServer) -> None:
    with api.connect() as connection:
        connection.sendall(post(b"Content-Length: 100", body=b"{}"))
        connection.shutdown(socket.SHUT_WR)
        answer = read_answer(connection)
    assert answer is not None
    assert answer.status == 400
    assert answer.code == "bad_body"


def test_11_a_chunked_body_is_read(api: ApiServer) -> None:
    before = enqueued(api)
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(GOOD), GOOD)
    answer = api.raw(post(CHUNKED, body=chunks))
    assert answer is not None
    assert answer.status == 201
    assert enqueued(api) == before + 1


@pytest.mark.usefixtures("nothing_changes")
def test_12_a_chunked_body_that_is_too_large_gets_413(api: ApiServer) -> None:
    chunk = b"%x\r\n%s\r\n" % (2**20, b" " * 2**20)
    answer = api.raw(post(CHUNKED, body=chunk * 3 + b"0\r\n\r\n"))
    assert answer is not None
    assert answer.status == 413


@pytest.mark.usefixtures("nothing_changes")
def test_22_a_tls_hello_on_the_plain_port_is_refused(api: ApiServer) -> None:
    answer = api.raw(
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50 + b"\r\n\r\n"
    )
    assert answer is None or answer.status == 400


@pytest.mark.usefixtures("nothing_changes")
def test_24_of_pipelined_requests_the_malformed_one_ends_the_connection(
    api: ApiServer,
) -> None:
    with api.connect() as connection:
        connection.sendall(get() + b"GET /health/live HTTP/1.1\nbad\n\n" + get())
        received = b""
        while part := connection.recv(65536):
            received += part
    assert received.count(b"HTTP/1.1 200 OK") == 1
    assert received.count(b"HTTP/1.1 400 Bad Request") <= 1


@pytest.mark.usefixtures("nothing_changes")
@pytest.mark.parametrize(
    "header",
    [
        b"X-HTTP-Method-Override: DELETE",
        b"X-Forwarded-Proto: https",
        b"X_Forwarded_For: 6.6.6.6",
    ],
)
def test_26_to_28_headers_of_no_meaning_here_change_nothing(
    api: ApiServer, header: bytes
) -> None:
    answer = api.raw(get(b"/health/live", header))
    assert answer is not None
    assert answer.status == 200


@pytest.mark.usefixtures("nothing_changes")
def test_29_heads_that_never_end_hold_no_thread_for_long(api: ApiServer) -> None:
    slow = [
        socket.create_connection(("127.0.0.1", api.port)) for _ in range(THREADS * 2)
    ]
    try:
        for connection in slow:
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: loc")
        time.sleep(0.5)
        began = time.monotonic()
        answer = api.request("GET", "/health/live", timeout=20)
        assert answer.status == 200
        assert time.monotonic() - began < 2 * (READ_SECONDS + 1) + 1
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.usefixtures("nothing_changes")
def test_30_clients_that_leave_before_the_answer_do_no_harm(api: ApiServer) -> None:
    for _ in range(20):
        with api.connect() as connection:
            connection.sendall(get(b"/openapi.json"))
            linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # close with a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert api.get("/openapi.json").status == 200


@pytest.mark.usefixtures("nothing_changes")
def test_connections_that_clients_leave_open_do_not_stop_the_accepting(
    api: ApiServer,
) -> None:
    """The main loop must not wait for each closed connection to be closed there too."""
    idle = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(12)]
    try:
        for connection in idle:
            connection.sendall(post(b"Content-Length: 99999999999", body=b""))
            answer = read_answer(connection)
            assert answer is not None
            assert answer.status == 413
        began = time.monotonic()
        assert api.get("/health/live").status == 200
        assert time.monotonic() - began < 1
    finally:
        for connection in idle:
            connection.close()
