"""Cursors of pages: opaque text that fits one list and shows damage."""

import base64
import hashlib

from api.problems import Code, Problem

CHECK_BYTES = 6


def write_cursor(cursor: str | None, *, scope: str) -> str | None:
    """Return a store's cursor as text for callers; `scope` names the list."""
    if cursor is None:
        return None
    raw = cursor.encode()
    return base64.urlsafe_b64encode(_check(raw, scope) + raw).decode().rstrip("=")


def read_cursor(text: str | None, *, scope: str) -> str | None:
    """Return the store's cursor of what `write_cursor` made for the same list.

    Raises:
        Problem: 400 for anything else.
    """
    if text is None:
        return None
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        check, raw = data[:CHECK_BYTES], data[CHECK_BYTES:]
        cursor = raw.decode()
    except ValueError:
        check, raw, cursor = b"", b"", ""
    if check != _check(raw, scope):
        msg = "The parameter 'cursor' is not a cursor of this list."
        raise Problem(Code.BAD_PARAMETER, msg)
    return cursor


def _check(raw: bytes, scope: str) -> bytes:
    """Return a checksum (of no secret: a cursor grants nothing)."""
    return hashlib.sha256(scope.encode() + b"\0" + raw).digest()[:CHECK_BYTES]
