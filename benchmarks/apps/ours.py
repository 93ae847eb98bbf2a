"""This project: the default `@huey.job` path, with model, history and metrics."""

import os
from pathlib import Path

from pydantic import BaseModel

from benchmarks.stamps import StampWriter
from workflows.huey import WorkflowHuey

_stamps = StampWriter(Path(os.environ["BENCH_STAMPS"]))
huey = WorkflowHuey("bench", url=os.environ["BENCH_URL"])


class Work(BaseModel):
    """The payload, as in the other systems."""

    n: int
    sent: int
    text: str


@huey.job(queue="bench", payload=Work, retry={"attempts": 3})
def work(payload: Work) -> None:
    """Do nothing but note the start."""
    _stamps.add(payload.sent)


def send(n: int, sent: int, text: str) -> None:
    """Enqueue one job."""
    work.enqueue(Work(n=n, sent=sent, text=text))


def send_many(first: int, count: int, sent: int, text: str) -> None:
    """Enqueue in one call."""
    numbers = range(first, first + count)
    work.enqueue_many([Work(n=n, sent=sent, text=text) for n in numbers])


def send_later(n: int, due: int, text: str, delay_s: float) -> None:
    """Enqueue one job to run after a delay."""
    work.schedule(Work(n=n, sent=due, text=text), delay=delay_s)
