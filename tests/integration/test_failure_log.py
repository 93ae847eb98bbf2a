"""What the log of a worker says of attempts that fail, on a real SQLite file."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from workflows.exceptions import NonRetryableError
from workflows.huey import WorkflowHuey

EXPLAINED = "there is no such customer"
UNEXPECTED = "first line\nsecond line"


class Parcel(BaseModel):
    explained: bool = False


def send(parcel: Parcel) -> None:
    if parcel.explained:
        raise NonRetryableError(EXPLAINED)
    raise ValueError(UNEXPECTED)


@pytest.fixture
def huey(tmp_path: Path) -> Iterator[WorkflowHuey]:
    huey = WorkflowHuey("log", url=f"sqlite:///{tmp_path}/log.db")
    yield huey
    huey.store.close()


def lines(
    huey: WorkflowHuey, caplog: pytest.LogCaptureFixture, **payload: bool
) -> list[tuple[int, str]]:
    """Run one job to its end; return what was logged at a warning and above."""
    caplog.set_level(logging.WARNING)
    job = huey.job(queue="parcels", payload=Parcel, name="send", retry=2)(send)
    job.enqueue(Parcel(**payload), job_id="p1")
    while task := huey.dequeue():
        huey.execute(task)
    return [(record.levelno, record.getMessage()) for record in caplog.records]


def test_a_failed_attempt_is_a_warning_and_a_dead_letter_an_error_with_its_stack(
    huey: WorkflowHuey, caplog: pytest.LogCaptureFixture
) -> None:
    retried, dead = lines(huey, caplog)
    assert retried[0] == logging.WARNING
    assert retried[1] == (
        "job_retried job_id=p1 type=send attempt=1 delay_ms=0 "
        "error=ValueError: first line | second line"
    )
    first, *stack = dead[1].splitlines()
    assert dead[0] == logging.ERROR
    assert first == (
        "job_dead job_id=p1 type=send attempt=2 reason=exhausted "
        "error=ValueError: first line | second line"
    )
    assert stack[-1] == "    raise ValueError(UNEXPECTED)"


def test_an_error_that_explains_itself_is_one_line(
    huey: WorkflowHuey, caplog: pytest.LogCaptureFixture
) -> None:
    [(level, line)] = lines(huey, caplog, explained=True)
    assert level == logging.ERROR
    assert line == (
        "job_dead job_id=p1 type=send attempt=1 reason=non_retryable "
        f"error=NonRetryableError: {EXPLAINED}"
    )
