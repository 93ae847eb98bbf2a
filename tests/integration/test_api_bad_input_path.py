"""Bad paths and query strings against the real gunicorn: cases 31 to 45."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.integration.api_server import ApiServer, serve


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder: Path = tmp_path_factory.mktemp("path")
    with serve(f"sqlite:///{folder}/jobs.db", folder) as server:
        yield server


JOB = "/api/v1/jobs/"
LIST = "/api/v1/queues/notes/jobs?state=waiting"

PATHS = {
    "31 NUL": ("%00", 400),
    "32 header splitting": ("%0d%0aX:%201", 400),
    "33 slash": ("a%2Fb", 404),
    "33 parent folder": ("%2e%2e%2f%2e%2e%2fetc", 404),
    "33 dots": ("..", 400),
    "34 no hex digits": ("%zz", 400),
    "34 bad utf-8": ("%ff", 400),
    "35 right to left": (quote("a\u202eb"), 400),
    "35 zero width": (quote("a\u200bb"), 400),
    "35 homoglyph": (quote("\u0430bc"), 400),
    "36 empty": ("", 404),
    "38 trailing slash": ("abc/", 404),
    "39 256 characters": ("a" * 256, 400),
    "39 3000 characters": ("a" * 3000, 400),
    "40 script": (quote("<script>"), 400),
    "40 template": (quote("{{7*7}}"), 400),
    "40 sql": (quote("'; drop table jobs"), 400),
    "40 glob": ("*", 400),
    "40 glob set": (quote("[a]"), 400),
    "40 hash tag": (quote("{x}"), 400),
    "40 proto": ("__proto__", 400),
    "40 constructor": ("constructor", 404),
    "39 255 characters": ("a" * 255, 404),
}


@pytest.mark.parametrize("case", PATHS)
def test_odd_ids_in_a_path_get_a_clear_error(api: ApiServer, case: str) -> None:
    text, status = PATHS[case]
    answer = api.get(JOB + text)
    assert answer.status == status
    assert answer.code in {"bad_id", "not_found"}
    assert answer.json["detail"]


@pytest.mark.parametrize("queue", ["%00", "a%20b", "", "{x}", "-dlq", "a" * 256])
def test_odd_queue_names_get_a_clear_error(api: ApiServer, queue: str) -> None:
    for path in ("/api/v1/queue/metrics/", "/api/v1/queue/dead-letter/"):
        assert api.get(path + queue).status in {400, 404}


@pytest.mark.parametrize(
    "path", ["//api/v1/queue/metrics", "///health/live", "/api/v1//queue/metrics"]
)
def test_37_double_slashes_name_nothing(api: ApiServer, path: str) -> None:
    answer = api.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert answer is not None
    assert answer.status == 404


LIMITS = {
    "41 negative": "-1",
    "41 zero": "0",
    "41 huge": "1000000000",
    "41 too many": "501",
    "41 word": "abc",
    "41 empty": "",
    "41 underscore": "1_0",
    "41 space": "%205",
    "41 plus": "+5",
    "41 arabic digits": quote("١٢"),
    "41 full-width digits": quote("\uff11\uff12"),
    "41 4000 digits": "1" * 3900,
    "41 fraction": "1.0",
    "41 exponent": "1e2",
}


@pytest.mark.parametrize("case", LIMITS)
def test_odd_numbers_in_a_query_get_400(api: ApiServer, case: str) -> None:
    answer = api.get(f"{LIST}&limit={LIMITS[case]}")
    assert answer.status == 400
    assert answer.code == "bad_parameter"


QUERIES = {
    "41 twice": "state=waiting&limit=5&limit=6",
    "42 unknown": "state=waiting&sort=name",
    "42 other case": "State=waiting",
    "42 missing": "limit=5",
    "42 unknown value": "state=sleeping",
    "42 separator of old": "state=waiting;limit=5",
    "34 bad utf-8": "state=waiting&cursor=%ff",
    "44 wait": "state=waiting&wait=9999d",
    "many": "&".join(f"a{i}=1" for i in range(100)),
}


@pytest.mark.parametrize("case", QUERIES)
def test_odd_queries_get_400(api: ApiServer, case: str) -> None:
    answer = api.get(f"/api/v1/queues/notes/jobs?{QUERIES[case]}")
    assert answer.status == 400
    assert answer.code == "bad_parameter"


def test_a_query_where_none_belongs_gets_400(api: ApiServer) -> None:
    for path in ("/api/v1/queue/metrics?a=1", "/health/live?x", "/metrics?a"):
        assert api.get(path).status == 400


def test_43_cursors_that_this_api_did_not_make_are_refused(api: ApiServer) -> None:
    for i in range(3):
        body = {"name": "take_note", "data": {"text": str(i)}}
        assert api.post("/api/v1/queues/notes/jobs", body).status == 201
    page = api.get(f"{LIST}&limit=1")
    cursor = page.json["meta"]["nextCursor"]
    assert cursor
    assert len(api.get(f"{LIST}&limit=1&cursor={cursor}").data["jobs"]) == 1
    for forged in ("x", "AAAA", cursor[:-4], cursor[::-1], f"{cursor}A", "a" * 1024):
        answer = api.get(f"{LIST}&cursor={forged}")
        assert answer.status == 400, forged
    other_list = f"/api/v1/queues/notes/jobs?state=delayed&cursor={cursor}"
    assert api.get(other_list).status == 400
    for odd in ("", "%00", quote("{x}"), "a" * 1025):
        assert api.get(f"{LIST}&cursor={odd}").status == 400


def test_unknown_names_are_404_and_reading_creates_nothing(api: ApiServer) -> None:
    for method, path in (
        ("GET", "/api/v1/queue/metrics/nowhere"),
        ("GET", "/api/v1/queue/dead-letter/nowhere"),
        ("POST", "/api/v1/queue/clean/nowhere"),
        ("POST", "/api/v1/queue/retry/nowhere/x"),
        ("POST", "/api/v1/queue/retry/notes/x"),
        ("GET", "/api/v1/queues/nowhere/jobs?state=waiting"),
        ("POST", "/api/v1/queues/nowhere/pause"),
        ("GET", "/api/v1/jobs/nothing"),
        ("DELETE", "/api/v1/jobs/nothing"),
        ("POST", "/api/v1/jobs/nothing/cancel"),
        ("GET", "/api/v1/schedules/nothing"),
        ("GET", "/nowhere"),
    ):
        answer = api.request(method, path)
        assert answer.status == 404, path
        assert answer.code == "not_found"
    names = {
        queue["queueName"] for queue in api.get("/api/v1/queue/metrics").data["queues"]
    }
    assert "nowhere" not in names


def test_19_other_methods_get_405_with_those_allowed(api: ApiServer) -> None:
    for method in ("DELETE", "PUT", "PATCH", "HEAD"):
        answer = api.request(method, "/api/v1/queue/metrics")
        assert answer.status == 405
        assert "GET" in answer.headers["allow"]
