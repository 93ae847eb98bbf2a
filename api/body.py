"""Request bodies: read within a size and a time, decoded strictly."""

import json
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from gunicorn.http.errors import ParseException

from api.problems import Code, Problem
from api.read_deadlines import READ_DEADLINES

MAX_DEPTH = 64
READ_STEP = 64 * 1024
NO_BODY = object()  # None is the body `null`

_JSON_TYPE = re.compile(
    r'application/json[ \t]*(;[ \t]*charset="?utf-8"?[ \t]*)?', re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How large a body may be (bytes) and how long it may take to come (s)."""

    max_bytes: int = 2 * 1024 * 1024
    seconds: float = 10.0


class Input(Protocol):
    """What WSGI gives as `wsgi.input`."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""


def read_json(environ: Mapping[str, Any], limits: BodyLimits) -> Any:
    """Return the decoded body of a request, or NO_BODY.

    Raises:
        Problem: 400, 408, 413 or 415, each with its reason.
    """
    raw = read_raw(environ, limits)
    if not raw:
        return NO_BODY
    if not environ.get("CONTENT_TYPE"):
        msg = "Send Content-Type: application/json with the body."
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, msg)
    return decode_json(raw)


def read_raw(environ: Mapping[str, Any], limits: BodyLimits) -> bytes:
    """Return the bytes of a request's body of JSON, as they came.

    Raises:
        Problem: 400, 408, 413 or 415, each with its reason. What was not read is
            given up, and the connection with it.
    """
    try:
        _check_media_type(environ)
        return _read(environ, limits)
    except Problem:
        _give_up(environ["wsgi.input"])
        raise


def _check_media_type(environ: Mapping[str, Any]) -> None:
    """Refuse media types and codings that are not ours, even for an empty body."""
    kind = environ.get("CONTENT_TYPE") or ""
    if kind and not _JSON_TYPE.fullmatch(kind):
        msg = "Send application/json (charset utf-8)."
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, msg)
    coding = environ.get("HTTP_CONTENT_ENCODING", "identity")
    if coding.strip().lower() != "identity":
        msg = "Send the body without Content-Encoding."
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, msg)


def _read(environ: Mapping[str, Any], limits: BodyLimits) -> bytes:
    """Read the whole body, framed by its length or in chunks."""
    too_large = f"The body may have at most {limits.max_bytes} bytes."
    length = int(environ.get("CONTENT_LENGTH") or 0)
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    if length > limits.max_bytes:
        raise Problem(Code.BODY_TOO_LARGE, too_large)
    if not length and not chunked:
        return b""
    deadline = time.monotonic() + limits.seconds
    late = f"The body did not arrive within {limits.seconds:g} s."
    connection: socket.socket | None = environ.get("gunicorn.socket")
    try:
        with READ_DEADLINES.watch(connection, deadline):
            want = limits.max_bytes + 1 if chunked else length
            raw = _read_up_to(environ["wsgi.input"], want, connection, deadline)
    except TimeoutError:
        raise Problem(Code.REQUEST_TIMEOUT, late) from None
    except (OSError, ParseException):
        if time.monotonic() >= deadline:
            raise Problem(Code.REQUEST_TIMEOUT, late) from None
        msg = "The body's framing is malformed."
        raise Problem(Code.BAD_BODY, msg) from None
    if len(raw) > limits.max_bytes:
        raise Problem(Code.BODY_TOO_LARGE, too_large)
    if not chunked and len(raw) < length:
        if time.monotonic() >= deadline:
            raise Problem(Code.REQUEST_TIMEOUT, late)
        msg = "The body is shorter than its Content-Length."
        raise Problem(Code.BAD_BODY, msg)
    return raw


def _read_up_to(
    source: Input, want: int, connection: socket.socket | None, deadline: float
) -> bytes:
    """Read until `want` bytes or the end; no single wait goes past the deadline."""
    parts: list[bytes] = []
    have = 0
    timeout = connection.gettimeout() if connection else None
    try:
        while have < want:
            if connection:
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
            part = source.read(min(READ_STEP, want - have))
            if not part:
                break
            parts.append(part)
            have += len(part)
    finally:
        if connection:
            connection.settimeout(timeout)
    return b"".join(parts)


def _give_up(source: Any) -> None:
    """Tell gunicorn not to drain the rest of the body, but to close."""
    if hasattr(source, "failed"):
        source.failed = True


def decode_json(raw: bytes) -> Any:
    """Decode JSON strictly: UTF-8, exact integers, finite numbers, one key once.

    Raises:
        Problem: 400.
    """
    if not raw.strip(b" \t\r\n"):
        raise Problem(Code.BAD_JSON, "The body is empty.")
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"The body is not JSON: {_place(error)}"
        raise Problem(Code.BAD_JSON, msg) from None
    except RecursionError:
        value = None
        depth = MAX_DEPTH + 1
    else:
        depth = _depth(value)
    if depth > MAX_DEPTH:
        msg = f"The JSON is nested deeper than {MAX_DEPTH} levels."
        raise Problem(Code.BAD_JSON, msg)
    json.loads(raw, object_pairs_hook=_unique, parse_int=len, parse_float=len)
    return value


def _place(error: Exception) -> str:
    """Return where decoding stopped, without quoting the body."""
    found = re.search(r"\(byte (\d+)\)", str(error))
    return f"malformed at byte {found[1]}." if found else "malformed."


def _depth(value: Any) -> int:
    """Return how deep arrays and objects are nested, up to MAX_DEPTH + 1."""
    level = [value]
    for depth in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        level = [item for item in below if isinstance(item, dict | list)]
        if not level:
            return depth + 1
    return MAX_DEPTH + 1


def _unique(pairs: list[tuple[str, Any]]) -> None:
    """Refuse an object that names a key twice: readers disagree on what it means."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise Problem(Code.BAD_JSON, "An object of the JSON names a key twice.")
