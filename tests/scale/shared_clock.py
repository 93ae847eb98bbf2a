"""A clock that several processes share and one of them can put forward."""

import mmap
import struct
import time
from pathlib import Path

_OFFSET = struct.Struct("<q")


class SharedClock:
    """The time in ms plus an offset that lies in a file; any process may advance it."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_OFFSET.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _OFFSET.size)

    def __call__(self) -> int:
        offset: int = _OFFSET.unpack_from(self._map)[0]
        return time.time_ns() // 1_000_000 + offset

    def advance(self, ms: int) -> None:
        """Put it forward, for everybody at once."""
        _OFFSET.pack_into(self._map, 0, _OFFSET.unpack_from(self._map)[0] + ms)
