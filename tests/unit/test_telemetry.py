"""Logs: one handler, readable or JSON, and no password in either."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from workflows.telemetry import LogFormat, adopt_huey_logs, configure_logging, mask


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A stream to log to; logging is put back afterwards."""
    root, huey = logging.getLogger(), logging.getLogger("huey")
    handlers, level = root.handlers[:], root.level
    yield io.StringIO()
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level
    huey.handlers.clear()


def logged(stream: io.StringIO, form: LogFormat, message: str, **facts: object) -> str:
    configure_logging("INFO", form, stream=stream)
    logging.getLogger("workflows.test").info(message, extra=facts)
    return stream.getvalue().strip()


def test_text_lines_carry_the_facts(stream: io.StringIO) -> None:
    line = logged(stream, "text", "settled", count=3, job_id="a b")
    assert line.endswith('INFO workflows.test settled count=3 job_id="a b"')


def test_json_lines_are_one_object_with_the_facts(stream: io.StringIO) -> None:
    line = json.loads(logged(stream, "json", "settled", count=3, job_id="ü\n1"))
    assert line["message"] == "settled"
    assert line["level"] == "INFO"
    assert line["count"] == 3
    assert line["job_id"] == "ü\n1"
    assert "taskName" not in line


def test_json_lines_carry_the_traceback(stream: io.StringIO) -> None:
    configure_logging("INFO", "json", stream=stream)
    try:
        raise RuntimeError("redis://:geheim@host/0")
    except RuntimeError:
        logging.getLogger("workflows.test").exception("failed")
    line = json.loads(stream.getvalue())
    assert "RuntimeError: redis://:***@host/0" in line["error"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_line_shows_a_password(form: LogFormat, stream: io.StringIO) -> None:
    line = logged(stream, form, "using redis://me:geheim@host", url="unix://:geheim@/s")
    assert "geheim" not in line
    assert line.count("***") == 2


def test_handlers_of_huey_write_no_line_twice(stream: io.StringIO) -> None:
    logging.getLogger("huey").addHandler(logging.StreamHandler(stream))
    configure_logging("INFO", "text", stream=stream)
    adopt_huey_logs()
    logging.getLogger("huey").info("ready")
    assert stream.getvalue().count("ready") == 1


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://:pw@host", "redis://:***@host"),
        ("rediss://me:p:w@host/0 x", "rediss://me:***@host/0 x"),
        ("redis://:p/w@host", "redis://:***@host"),
        ("redis://h/0?a=1&password=pw&b=2", "redis://h/0?a=1&password=***&b=2"),
        ("unix://me:pw@/run/redis.sock", "unix://me:***@/run/redis.sock"),
        ("at redis://:it's@host/0", "at redis://:***@host/0"),
        ('redis://:p"w@host', "redis://:***@host"),
        ("rediss://h/0?ssl_password=pw", "rediss://h/0?ssl_password=***"),
        ("mail me@home: now", "mail me@home: now"),
    ],
)
def test_mask_hides_passwords_in_urls_only(text: str, masked: str) -> None:
    assert mask(text) == masked
