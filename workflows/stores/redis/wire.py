"""Bytes as the scripts read them.

Their msgpack reader knows no binary type, so bytes travel as its strings, which may
hold any bytes there.
"""

from struct import pack
from typing import Any

from msgspec import Raw

Packed = tuple[Any, ...]


def raw(value: bytes) -> Raw:
    """Return bytes as a msgpack string."""
    size = len(value)
    if size < 0x20:
        return Raw(b"%c%b" % (0xA0 | size, value))
    if size < 0x100:
        return Raw(b"\xd9%c%b" % (size, value))
    if size < 0x10000:
        return Raw(b"\xda%b%b" % (pack(">H", size), value))
    return Raw(b"\xdb%b%b" % (pack(">I", size), value))
