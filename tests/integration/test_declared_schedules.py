"""What consumers make of the schedules in their code, also while it changes."""

import pytest
from huey import crontab
from pydantic import BaseModel

from tests.clock import ManualClock
from tests.conftest import MakeStore
from workflows.engine.states import JobState
from workflows.huey import WorkflowHuey
from workflows.huey.consumer import declare, make_ticker
from workflows.huey.wrapper import JobWrapper
from workflows.store import Store

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


class Note(BaseModel):
    text: str = "a"


@pytest.fixture
def kept(make_store: MakeStore, clock: ManualClock) -> Store:
    return make_store("sqlite", clock)


def periodic(store: Store, **times: str) -> WorkflowHuey:
    """A version of the code whose periodic task runs at these times."""
    huey = WorkflowHuey("shop", store=store)
    huey.periodic_task(crontab(**times), name="tidy")(lambda: None)
    return huey


def repeating(store: Store, every: float) -> WorkflowHuey:
    """A version of the code whose job repeats so often (seconds)."""
    huey = WorkflowHuey("shop", store=store)
    job: JobWrapper = huey.job(queue="shop", payload=Note, name="tidy")(lambda _: None)
    job.repeat(every=every, payload=Note())
    return huey


def pending(store: Store) -> int:
    info = store.get_queue("shop")
    return info.counts[JobState.WAITING] if info else 0


def test_new_times_of_a_periodic_task_hold_within_minutes(
    kept: Store, clock: ManualClock
) -> None:
    old = periodic(kept, minute="0", hour="3")
    declare(old)
    make_ticker(old).fire_schedules()

    new = periodic(kept, minute="*")
    declare(new)
    ticker = make_ticker(new)
    for _ in range(6):
        clock.advance(MINUTE_MS)
        ticker.fire_schedules()
    assert pending(kept) >= 1


def test_a_periodic_task_that_was_missed_is_skipped_as_in_huey(
    kept: Store, clock: ManualClock
) -> None:
    huey = periodic(kept, minute="*")
    declare(huey)
    clock.advance(HOUR_MS)
    make_ticker(huey).fire_schedules()
    assert pending(kept) == 0


def test_an_older_process_does_not_bring_an_older_timetable_back(
    kept: Store, clock: ManualClock
) -> None:
    hourly, daily = repeating(kept, 3600), repeating(kept, 24 * 3600)
    declare(hourly)
    declare(daily)  # the new code; a process with the old one still runs
    ticker = make_ticker(hourly)
    clock.advance(24 * HOUR_MS)
    ticker.fire_schedules()
    assert pending(kept) == 1
    (schedule,) = kept.list_schedules()
    assert schedule.next_at is not None
    assert schedule.next_at % (24 * HOUR_MS) == 0
