"""Bad bodies against the real gunicorn: cases 46 to 61 of the list of bad inputs.

Each gets a clear error that does not quote the body, and changes nothing.
"""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.api_server import ApiServer, serve

JOBS = "/api/v1/queues/notes/jobs"
LIMIT = 2 * 1024 * 1024
SECRET = "hunter2"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder: Path = tmp_path_factory.mktemp("body")
    with serve(f"sqlite:///{folder}/jobs.db", folder) as server:
        yield server


@pytest.fixture
def nothing_changes(api: ApiServer) -> Iterator[None]:
    before = enqueued(api)
    yield
    assert enqueued(api) == before


def enqueued(api: ApiServer) -> int:
    detail = api.get("/api/v1/queue/metrics/notes").data
    return int(detail["counters"].get("enqueued", 0))


def job(data: str) -> bytes:
    """A job whose data is this JSON text."""
    return b'{"name": "take_note", "data": %s}' % data.encode()


def opts(options: str) -> bytes:
    """A job whose options are this JSON text."""
    return b'{"name": "take_note", "data": {}, "opts": %s}' % options.encode()


def padded(size: int) -> bytes:
    """A good job of exactly so many bytes."""
    return job("{}").ljust(size)


NOT_JSON = {
    "46 nested arrays": job("[" * 100_000 + "]" * 100_000),
    "47 nested objects": job('{"a":' * 100_000 + "1" + "}" * 100_000),
    "46 one level too deep": job("[" * 64 + "]" * 64),
    "48 a million open brackets": b"[" * 1_000_000,
    "49 NaN": job('{"number": NaN}'),
    "49 Infinity": job('{"number": Infinity}'),
    "49 1e999": job('{"number": 1e999}'),
    "50 5000 digits": job(f'{{"number": {"9" * 5000}}}'),
    "51 duplicate key": job('{"text": "a", "text": "b"}'),
    "51 duplicate key on top": b'{"name": "take_note", "name": "plain", "data": {}}',
    "52 lone surrogate": job(r'{"text": "\ud800"}'),
    "52 bad utf-8": b'{"name": "take_note", "data": {"text": "\xff"}}',
    "52 overlong utf-8": b'{"name": "take_note", "data": {"text": "\xc0\xaf"}}',
    "52 byte order mark": b"\xef\xbb\xbf" + job("{}"),
    "52 utf-16": job("{}").decode().encode("utf-16"),
    "53 raw control character": b'{"name": "take_note", "data": {"text": "a\x01"}}',
    "54 empty": b"",
    "54 spaces": b"   \r\n",
    "61 trailing garbage": job("{}") + b"x",
    "61 two values": job("{}") + job("{}"),
    "61 comment": b"/* hi */" + job("{}"),
    "61 single quotes": b"{'name': 'take_note'}",
    "61 trailing comma": b'{"name": "take_note", "data": {},}',
}


@pytest.mark.parametrize("case", NOT_JSON)
@pytest.mark.usefixtures("nothing_changes")
def test_what_is_not_strict_json_gets_400(api: ApiServer, case: str) -> None:
    answer = api.post(JOBS, NOT_JSON[case])
    assert answer.status == 400
    assert answer.code == "bad_json"
    assert answer.json["detail"]


INVALID = {
    "54 an array": (b"[]", ""),
    "54 a string": (b'"x"', ""),
    "54 a number": (b"1", ""),
    "54 null": (b"null", ""),
    "58 unknown field": (b'{"name": "take_note", "data": {}, "x": 1}', "/x"),
    "58 unknown option": (
        opts('{"delay": 5}'),
        "/opts/delay",
    ),
    "58 string for a number": (
        opts('{"delayMs": "1"}'),
        "/opts/delayMs",
    ),
    "58 true for a number": (
        opts('{"priority": true}'),
        "/opts/priority",
    ),
    "58 1.0 for a whole number": (
        opts('{"priority": 1.0}'),
        "/opts/priority",
    ),
    "58 null for what is required": (b'{"name": null, "data": {}}', "/name"),
    "58 required is missing": (b'{"name": "take_note"}', "/data"),
    "58 wrong type in the payload": (job('{"number": "1"}'), "/data/number"),
    "58 unknown field in the payload": (job('{"no": 1}'), "/data/no"),
    "50 2^64 milliseconds": (
        opts(f'{{"delayMs": {2**64}}}'),
        "/opts/delayMs",
    ),
    "73 negative delay": (
        opts('{"delayMs": -1}'),
        "/opts/delayMs",
    ),
    "45 no such time": (opts('{"runAt": "2026-02-30T00:00:00Z"}'), "/opts/runAt"),
    "45 leap second": (opts('{"runAt": "2026-12-31T23:59:60Z"}'), "/opts/runAt"),
    "45 local time": (opts('{"runAt": "2026-01-01T00:00:00"}'), "/opts/runAt"),
    "45 year 0": (opts('{"runAt": "0000-01-01T00:00:00Z"}'), "/opts/runAt"),
    "45 past the end": (opts('{"runAt": "9999-12-31T23:59:59-23:59"}'), "/opts/runAt"),
    "delay and time": (
        opts('{"delayMs": 5, "runAt": "2099-01-01T00:00:00Z"}'),
        "/opts/runAt",
    ),
    "unknown type": (b'{"name": "nobody", "data": {}}', "/name"),
    "type of another queue": (b'{"name": "count_note", "data": {}}', "/name"),
    "plain huey task": (b'{"name": "plain", "data": {}}', "/name"),
    "bad job id": (
        opts('{"jobId": "a b"}'),
        "/opts/jobId",
    ),
}


@pytest.mark.parametrize("case", INVALID)
@pytest.mark.usefixtures("nothing_changes")
def test_what_has_the_wrong_shape_gets_422_with_its_place(
    api: ApiServer, case: str
) -> None:
    body, path = INVALID[case]
    answer = api.post(JOBS, body)
    assert answer.status == 422, answer.body
    assert answer.code == "invalid_body"
    assert path in [fault["path"] for fault in answer.json["errors"]]


@pytest.mark.usefixtures("nothing_changes")
def test_every_fault_is_named_with_its_place(api: ApiServer) -> None:
    jobs = [
        {"name": "take_note", "data": {"text": 1, "number": "x"}},
        {"name": "take_note", "data": {"text": "fine"}},
        {"name": "nobody", "data": {}},
    ]
    answer = api.post("/api/v1/queues/notes/batches", {"jobs": jobs})
    assert answer.status == 422
    places = {fault["path"] for fault in answer.json["errors"]}
    assert places == {"/jobs/0/data/text", "/jobs/0/data/number", "/jobs/2/name"}


@pytest.mark.usefixtures("nothing_changes")
def test_errors_never_quote_the_body(api: ApiServer) -> None:
    for body in (
        job(f'{{"number": "{SECRET}"}}'),
        b'{"name": "%s", "data": {}}' % SECRET.encode(),
        b'{"name": "take_note", "data": {"text": "%s' % SECRET.encode(),
    ):
        answer = api.post(JOBS, body)
        assert answer.status in {400, 422}
        assert SECRET.encode() not in answer.body


EXACT = {
    "50 2^53 + 1": str(2**53 + 1),
    "50 2^64": str(2**64),
    "50 400 digits": "9" * 400,
    "53 NUL in a string": r'"a\u0000b"',
    "59 tags of codecs": '{"__proto__": 1, "$t": "set", "$m": {}, "$base64": "x"}',
    "60 keys that collide": json.dumps({str(2**61 - 1 + i): i for i in range(1000)}),
    "57 many small keys": json.dumps({f"k{i}": i for i in range(10_000)}),
    "46 as deep as allowed": "[" * 61 + "]" * 61,
}


@pytest.mark.parametrize("case", EXACT)
def test_unusual_data_is_kept_exactly(api: ApiServer, case: str) -> None:
    answer = api.post(JOBS, job(f'{{"tags": {{"it": {EXACT[case]}}}}}'))
    assert answer.status == 201, answer.body
    kept = api.get(f"/api/v1/jobs/{answer.data['jobId']}").data
    assert kept["data"]["tags"]["it"] == json.loads(EXACT[case])


@pytest.mark.parametrize(
    ("size", "status"), [(LIMIT - 1, 201), (LIMIT, 201), (LIMIT + 1, 413)]
)
def test_57_a_body_may_have_two_mebibytes(
    api: ApiServer, size: int, status: int
) -> None:
    before = enqueued(api)
    answer = api.post(JOBS, padded(size))
    assert answer.status == status
    assert enqueued(api) == before + (status == 201)


@pytest.mark.parametrize(("size", "status"), [(260_000, 201), (262_145, 422)])
def test_57_a_payload_may_have_256_kibibytes(
    api: ApiServer, size: int, status: int
) -> None:
    before = enqueued(api)
    answer = api.post(JOBS, job(f'{{"text": "{"x" * size}"}}'))
    assert answer.status == status
    if status == 422:
        assert answer.json["errors"][0]["path"] == "/data"
    assert enqueued(api) == before + (status == 201)


MEDIA = {
    "missing": "",
    "text": "text/plain",
    "malformed": "application/json;;;=",
    "form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data; boundary=x",
    "other charset": "application/json; charset=utf-16",
    "problem": "application/problem+json",
}


@pytest.mark.parametrize("case", MEDIA)
@pytest.mark.usefixtures("nothing_changes")
def test_55_other_media_types_get_415(api: ApiServer, case: str) -> None:
    answer = api.post(JOBS, job("{}"), Content_Type=MEDIA[case])
    assert answer.status == 415
    assert answer.code == "unsupported_media_type"


@pytest.mark.usefixtures("nothing_changes")
def test_55_a_form_gets_415_even_when_it_is_empty(api: ApiServer) -> None:
    """A page of another origin can send such a form without being asked."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = api.request(
        "POST", "/api/v1/queues/notes/pause", headers={**form, "Content-Length": "0"}
    )
    assert answer.status == 415


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
@pytest.mark.usefixtures("nothing_changes")
def test_56_compressed_bodies_get_415(api: ApiServer, coding: str) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    answer = api.post(JOBS, bomb, Content_Encoding=coding)
    assert answer.status == 415


@pytest.mark.usefixtures("nothing_changes")
def test_a_body_where_none_belongs_is_refused(api: ApiServer) -> None:
    assert api.post("/api/v1/queues/notes/resume", {"limit": 1}).status == 422
    answer = api.request("GET", "/api/v1/queue/metrics", {"x": 1})
    assert answer.status == 422


@pytest.mark.parametrize("body", [b"null", b"[]", b'""', b"0"])
@pytest.mark.usefixtures("nothing_changes")
def test_a_body_that_may_be_missing_must_be_an_object(
    api: ApiServer, body: bytes
) -> None:
    assert api.post("/api/v1/queue/clean/notes", body).status == 422
    assert api.post("/api/v1/queues/notes/resume", body).status == 422


@pytest.mark.parametrize("limit", [0, -1, 10_001, "5", 1.5, None, True, 10**30])
@pytest.mark.usefixtures("nothing_changes")
def test_clean_refuses_limits_out_of_range(api: ApiServer, limit: object) -> None:
    answer = api.post("/api/v1/queue/clean/notes", {"limit": limit})
    assert answer.status == 422
    assert answer.json["errors"][0]["path"] == "/limit"
