"""The ledgers: what was acknowledged and what ran, fsynced, outside the store.

Every line is one JSON object, appended by one write to a file opened for appending,
so that lines of many processes never mix, and synced before the writer goes on.
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]

ACKS = "acks.jsonl"  # by producers: an id that the store has acknowledged
RUNS = "runs.jsonl"  # by jobs: start, effect, fail
FAULTS = "faults.jsonl"  # by the harness: what it did to whom
RECORDS = "records.jsonl"  # the final dump of the store


class Ledger:
    """Appends to one ledger."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._pid = 0

    def add(self, **line: Any) -> None:
        """Append a line with the time (monotonic ns, one clock for all processes)."""
        if self._pid != os.getpid():  # also after a fork
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            self._file = os.open(self._path, flags, 0o644)
            self._pid = os.getpid()
        text = json.dumps({**line, "at": time.monotonic_ns()}) + "\n"
        os.write(self._file, text.encode())
        os.fdatasync(self._file)


def read(path: Path) -> list[Line]:
    """Return all lines of a ledger; a file that is not there has none."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line]


class Tail:
    """Reads a ledger while it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = 0  # how far it has read, in bytes

    def new(self) -> list[Line]:
        """Return the lines that were added since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self.place)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self.place += len(whole)
        return [json.loads(line) for line in whole.splitlines()]
