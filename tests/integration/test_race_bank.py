"""Races that other queues were reported for, on real consumers: docs/race-bank.md."""

import threading
import time
from contextlib import ExitStack

import pytest
from pydantic import BaseModel

from tests.conftest import ADAPTERS, MakeStore
from tests.integration.test_host_faults import consumer, state_of, until
from workflows.engine.states import JobState
from workflows.huey import WorkflowHuey

DELAYED = 10_000


class Note(BaseModel):
    number: int = 0


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_job_that_outlasts_its_lease_many_times_runs_once(
    kind: str, make_store: MakeStore
) -> None:
    huey = WorkflowHuey("long", store=make_store(kind), lease=0.6, sweep_interval=0.1)
    starts: list[int] = []

    @huey.job(queue="long", payload=Note)
    def last_long(note: Note) -> None:
        starts.append(note.number)
        threading.Event().wait(3)  # five leases

    result = last_long.enqueue(Note(number=7))
    with ExitStack() as both:
        for _ in range(2):
            both.enter_context(consumer(huey))
        until(lambda: state_of(huey, result.id) is JobState.COMPLETED)
    record = huey.store.get_job(result.id)
    assert record is not None
    assert (starts, record.stalls, record.attempts_made) == ([7], 0, 1)


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_result_that_comes_before_its_wait_begins_is_found(
    kind: str, make_store: MakeStore
) -> None:
    huey = WorkflowHuey("waits", store=make_store(kind))
    double = huey.task(name="double")(lambda n: 2 * n)
    with consumer(huey):
        for n in range(60):
            result = double(n)
            time.sleep((n % 6) / 1000)  # the wait begins before, at, after the end
            assert result.get(blocking=True, timeout=10) == 2 * n


@pytest.mark.parametrize("kind", ADAPTERS)
def test_delayed_jobs_are_nowhere_but_in_the_store(
    kind: str, make_store: MakeStore
) -> None:
    huey = WorkflowHuey("later", store=make_store(kind))
    note = huey.job(queue="later", payload=Note)(lambda _note: None)
    for first in range(0, DELAYED, 1000):
        numbers = range(first, first + 1000)
        note.enqueue_many((Note(number=n), {"delay": 3600}) for n in numbers)
    soon = note.enqueue(Note())
    with consumer(huey):
        until(lambda: state_of(huey, soon.id) is JobState.COMPLETED)
        queue = huey.store.get_queue("later")
    assert queue is not None
    assert queue.counts[JobState.DELAYED] == DELAYED
    assert queue.counts[JobState.ACTIVE] == queue.counts[JobState.WAITING] == 0
