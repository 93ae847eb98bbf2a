"""Requests that need no store: hosts, origins, ids, errors, caches."""

import logging
from collections.abc import Iterator

import falcon.testing
import pytest

from api.app import create_app
from api.body import decode_json
from api.cache import Cached
from api.problems import Code, Problem
from api.schemas import format_time, parse_time
from tests.unit.api_stand_in import UnreachableStore
from workflows.client import JobClient
from workflows.store import QueueInfo


@pytest.fixture
def http() -> falcon.testing.TestClient:
    ids = (f"request-{n}" for n in range(1000))
    client = JobClient(UnreachableStore(), {}, lambda: next(ids))
    app = create_app(client, new_id=lambda: next(ids), hosts=["Jobs.Example.org"])
    return falcon.testing.TestClient(app, headers={"Host": "localhost"})


def live(http: falcon.testing.TestClient, **headers: str) -> falcon.testing.Result:
    return http.simulate_get("/health/live", headers=headers)


# -- hosts and origins ----------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8000",
        "127.0.0.1:8000",
        "10.1.2.3",
        "[::1]:8000",
        "jobs.example.org",
        "JOBS.example.org:443",
    ],
)
def test_the_api_answers_under_its_own_names(
    http: falcon.testing.TestClient, host: str
) -> None:
    assert live(http, Host=host).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.test", "localhost.evil.test", "a@localhost", "[::1", "", "127.1"]
)
def test_other_hosts_are_refused(http: falcon.testing.TestClient, host: str) -> None:
    result = live(http, Host=host)
    assert result.status_code == 400
    assert result.json["code"] == "bad_host"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://localhost:81"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"},
    ],
)
def test_pages_of_other_origins_cannot_write(
    http: falcon.testing.TestClient, headers: dict[str, str]
) -> None:
    path = "/api/v1/queues/notes/pause"
    result = http.simulate_post(path, headers={"Host": "localhost", **headers})
    assert result.status_code == 403
    assert result.json["code"] == "cross_origin"
    assert http.simulate_get("/health/live", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_programs_and_own_pages_can_write(
    http: falcon.testing.TestClient, headers: dict[str, str]
) -> None:
    path = "/api/v1/queues/notes/pause"
    result = http.simulate_post(path, headers={"Host": "localhost", **headers})
    assert result.status_code == 503  # it got as far as the store


# -- request ids, errors, log ---------------------------------------------------------


def test_a_good_request_id_is_kept(http: falcon.testing.TestClient) -> None:
    result = live(http, **{"X-Request-ID": "abc-12345"})
    assert result.headers["x-request-id"] == "abc-12345"
    assert result.json["meta"]["requestId"] == "abc-12345"


@pytest.mark.parametrize("given", ["short", "has space 123", "a" * 65, "wörter-123"])
def test_an_odd_request_id_is_replaced(
    http: falcon.testing.TestClient, given: str
) -> None:
    result = live(http, **{"X-Request-ID": given})
    assert result.headers["x-request-id"].startswith("request-")


def test_an_unreachable_store_is_503_with_retry_after(
    http: falcon.testing.TestClient,
) -> None:
    result = http.simulate_get("/api/v1/queue/metrics")
    assert result.status_code == 503
    assert result.headers["retry-after"] == "2"
    assert result.headers["content-type"] == "application/problem+json"
    problem = result.json
    assert problem["success"] is False
    assert problem["code"] == "store_unavailable"
    assert problem["retryable"] is True
    assert problem["instance"] == "/api/v1/queue/metrics"
    assert problem["requestId"] == result.headers["x-request-id"]
    assert "the server is down" not in result.text


def test_an_unreachable_store_is_a_metric(http: falcon.testing.TestClient) -> None:
    result = http.simulate_get("/metrics")
    assert result.status_code == 200
    assert "workflows_store_up 0\n" in result.text


def test_an_xml_client_gets_json_errors(http: falcon.testing.TestClient) -> None:
    result = http.simulate_get("/nowhere", headers={"Accept": "text/xml"})
    assert result.status_code == 404
    assert result.json["code"] == "not_found"


def test_each_request_is_logged_once_without_its_raw_path(
    http: falcon.testing.TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="api.access"):
        http.simulate_get("/api/v1/jobs/%0aforged%1b[31m", query_string="a=secret")
    (record,) = (line for line in caplog.records if line.name == "api.access")
    facts = record.__dict__
    assert facts["status"] == 400
    assert facts["route"] == "/api/v1/jobs/{jobId}"
    assert "\n" not in facts["path"]
    assert "\x1b" not in facts["path"]
    assert "secret" not in str(facts)


def test_an_unexpected_error_is_500_and_the_log_has_its_request_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(JobClient):
        def queues(self) -> list[QueueInfo]:
            msg = "password=hunter2"
            raise RuntimeError(msg)

    app = create_app(Broken(UnreachableStore(), {}, str), new_id=lambda: "r-1")
    http = falcon.testing.TestClient(app, headers={"Host": "localhost"})
    result = http.simulate_get("/api/v1/queue/metrics")
    assert result.status_code == 500
    assert result.json["code"] == "internal_error"
    assert "hunter2" not in result.text
    (record,) = (line for line in caplog.records if line.name == "api.app")
    assert record.exc_info is not None
    assert record.__dict__["request_id"] == "r-1"


def test_health_checks_are_not_logged(
    http: falcon.testing.TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="api.access"):
        live(http)
    assert not caplog.records


# -- JSON and times -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"{}", {}),
        (b' {"a": [1, 2.5, null]} ', {"a": [1, 2.5, None]}),
        (b"18446744073709551616", 2**64),
        (b'"\xf0\x9f\x98\x80"', "\U0001f600"),
        (b"[" * 64 + b"]" * 64, None),
    ],
)
def test_good_json_is_decoded_exactly(raw: bytes, value: object) -> None:
    found = decode_json(raw)
    assert value is None or found == value


@pytest.mark.parametrize(
    "raw",
    [b"", b"\xef\xbb\xbf{}", b"NaN", b"[1,]", b'{"a":1,"a":1}', b"[" * 65 + b"]" * 65],
)
def test_odd_json_is_refused(raw: bytes) -> None:
    with pytest.raises(Problem) as caught:
        decode_json(raw)
    assert caught.value.code == Code.BAD_JSON


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-24T05:00:00.5+01:00", 1795492800500),
        ("2026-11-24t04:00:00z", 1795492800000),
        ("2026-11-24T04:00:00.123456789Z", 1795492800123),
    ],
)
def test_times_with_an_offset_are_read(text: str, ms: int) -> None:
    assert parse_time(text) == ms


@pytest.mark.parametrize("ms", [0, 1, 1795492800123, 253402300799999])
def test_times_survive_writing_and_reading(ms: int) -> None:
    assert parse_time(format_time(ms)) == ms


# -- the cache ------------------------------------------------------------------------


def test_a_cached_answer_is_shared_until_it_is_too_old() -> None:
    time = [0.0]
    numbers: Iterator[int] = iter(range(100))
    cached: Cached[int] = Cached(2.0, clock=lambda: time[0])
    assert [cached.get(lambda: next(numbers)) for _ in range(3)] == [0, 0, 0]
    time[0] = 2.0
    assert cached.get(lambda: next(numbers)) == 1


def test_a_cached_error_is_shared_too() -> None:
    calls = []
    cached: Cached[int] = Cached(2.0, clock=lambda: 0.0)

    def fail() -> int:
        calls.append(1)
        raise LookupError

    for _ in range(3):
        with pytest.raises(LookupError):
            cached.get(fail)
    assert len(calls) == 1
