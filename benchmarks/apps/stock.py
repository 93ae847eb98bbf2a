"""Plain Huey: what a user of `RedisHuey` or `SqliteHuey` runs."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from huey import RedisHuey, SqliteHuey

from benchmarks.stamps import StampWriter

_stamps = StampWriter(Path(os.environ["BENCH_STAMPS"]))


def _make(url: str) -> Any:
    if url.startswith("redis:"):
        return RedisHuey("bench", url=url)
    return SqliteHuey("bench", filename=urlsplit(url).path)


huey = _make(os.environ["BENCH_URL"])


@huey.task()  # type: ignore[untyped-decorator]
def work(n: int, sent: int, text: str) -> None:  # noqa: ARG001 - the payload
    """Do nothing but note the start."""
    _stamps.add(sent)


def send(n: int, sent: int, text: str) -> None:
    """Enqueue one job."""
    work(n, sent, text)


def send_many(first: int, count: int, sent: int, text: str) -> None:
    """Plain Huey has no bulk call: one after the other."""
    for n in range(first, first + count):
        work(n, sent, text)


def send_later(n: int, due: int, text: str, delay_s: float) -> None:
    """Enqueue one job to run after a delay."""
    work.schedule((n, due, text), delay=delay_s)
