"""When each job started: written by the workers, read by the one who measures.

A stamp is two 64-bit integers: the monotonic clock (ns) when the job's function was
entered, and the time that its payload carries (when it was sent, or was due). Every
worker process has one file, mapped into memory: a stamp costs well under a
microsecond, so that the measure does not weigh on what it measures.
"""

import itertools
import mmap
import os
import struct
import threading
import time
from pathlib import Path
from typing import NamedTuple

CAPACITY = 400_000  # stamps per process
_PAIR = struct.Struct("<qq")


class Stamp(NamedTuple):
    """One start of one job, both in ns of the monotonic clock."""

    started: int
    sent: int


class StampWriter:
    """Writes the stamps of this process; a forked child begins its own file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pid = 0
        self._opening = threading.Lock()

    def _open(self) -> None:
        path = self._folder / f"{os.getpid()}.stamps"
        with path.open("w+b") as file:
            file.truncate(CAPACITY * _PAIR.size)
            self._map = mmap.mmap(file.fileno(), CAPACITY * _PAIR.size)
        self._next = itertools.count()
        self._pid = os.getpid()

    def add(self, sent: int) -> None:
        """Note that a job which carries `sent` starts now."""
        if self._pid != os.getpid():
            with self._opening:
                if self._pid != os.getpid():
                    self._open()
        place = next(self._next) * _PAIR.size
        _PAIR.pack_into(self._map, place, time.monotonic_ns(), sent)


def read_stamps(folder: Path) -> list[Stamp]:
    """Return all stamps in the folder, by start."""
    stamps: list[Stamp] = []
    for path in folder.glob("*.stamps"):
        data = path.read_bytes()
        data = data[: len(data) // _PAIR.size * _PAIR.size]
        for started, sent in _PAIR.iter_unpack(data):
            if not started:
                break
            stamps.append(Stamp(started, sent))
    return sorted(stamps)


def count_stamps(folder: Path) -> int:
    """Return how many stamps there are, by bisection in each file."""
    total = 0
    for path in folder.glob("*.stamps"):
        with path.open("rb") as file:
            low, high = 0, path.stat().st_size // _PAIR.size
            while low < high:
                middle = (low + high) // 2
                file.seek(middle * _PAIR.size)
                if file.read(8).strip(b"\0"):
                    low = middle + 1
                else:
                    high = middle
            total += low
    return total
