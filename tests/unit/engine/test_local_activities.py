"""Local activities: run between the activations of a task, remembered as markers."""

from collections.abc import Generator, Sequence
from typing import Any

import pytest

from tests.unit.engine.story import START, Story, fresh, local_activity
from workflows.engine import commands as c
from workflows.engine import inbox
from workflows.engine.activation import (
    Activation,
    Backoff,
    Cancelled,
    Completed,
    Failed,
    Resolution,
    ResolveActivity,
)
from workflows.engine.failure_json import application_failure, timeout_failure
from workflows.engine.local_activities import LocalOutcome
from workflows.exceptions import InvalidArgumentError

DONE = Completed(result={"data": "MQ=="})


class Runner:
    """Ends local activities in the order of `ends`, each as it says."""

    def __init__(self, *ends: tuple[int, Resolution | Backoff]) -> None:
        self.ends = list(ends)
        self.log: list[str] = []
        self.at = 0

    def start(self, command: c.ScheduleLocalActivity, at: int) -> None:
        self.log.append(f"start {command.seq}")
        self.at = at

    def cancel(self, seq: int) -> None:
        self.log.append(f"cancel {seq}")

    def wait(self) -> Sequence[LocalOutcome]:
        self.at += 5
        seq, resolution = self.ends.pop(0)
        return [LocalOutcome(seq=seq, resolution=resolution, at=self.at)]


def says(*steps: Sequence[c.Command]) -> Any:
    def script(_: Activation) -> Generator[Sequence[c.Command], Activation, None]:
        for step in steps:
            _ = yield step

    return script


def ended(story: Story) -> list[int]:
    """Return the numbers of the local activities that ended, one an activation."""
    return [
        jobs[0].seq for jobs in story.jobs[1:] if isinstance(jobs[0], ResolveActivity)
    ]


def test_a_local_activity_ends_inside_its_task_and_becomes_a_marker() -> None:
    story = Story(says([local_activity()], [c.StartTimer(seq=1, duration_ms=1)]))
    story.task(local=Runner((1, DONE)))
    assert story.commands == ["MARKER_RECORDED", "TIMER_STARTED"]
    told = ResolveActivity(seq=1, resolution=DONE, local=True)
    assert story.last_jobs() == (told,)
    assert story.fake.seen[1].at == START + 1005


def test_ends_come_one_by_one_in_their_own_order_also_in_replay() -> None:
    story = Story(says([local_activity(1), local_activity(2)], [], []))
    story.task(local=Runner((2, DONE), (1, DONE)))
    assert ended(story) == [2, 1]


def test_one_that_follows_another_runs_in_the_same_task() -> None:
    story = Story(says([local_activity(1)], [local_activity(2)], []))
    runner = Runner((1, DONE), (2, DONE))
    story.task(local=runner)
    assert runner.log == ["start 1", "start 2"]
    assert story.commands == ["MARKER_RECORDED"] * 2


def test_a_failure_reaches_the_workflow_bare() -> None:
    failed = Failed(failure=application_failure("no", "Broken"))
    story = Story(says([local_activity()], []))
    story.task(local=Runner((1, failed)))
    (job,) = story.last_jobs()
    assert isinstance(job, ResolveActivity)
    assert job.resolution == failed


def test_a_timeout_reaches_the_workflow_in_an_activity_failure() -> None:
    failed = Failed(failure=timeout_failure("START_TO_CLOSE"))
    story = Story(says([local_activity()], []))
    story.task(local=Runner((1, failed)))
    (job,) = story.last_jobs()
    assert isinstance(job, ResolveActivity)
    assert isinstance(job.resolution, Failed)
    assert job.resolution.failure["message"] == "Local Activity timed out"
    assert job.resolution.failure["cause"] == failed.failure
    marker = story.events[story.id_of("MARKER_RECORDED") - 1]
    assert marker.attributes["failure"] == failed.failure


def test_a_long_retry_comes_back_as_a_backoff() -> None:
    backoff = Backoff(attempt=4, delay_ms=60_000, scheduled_at=START)
    story = Story(says([local_activity()], [c.StartTimer(seq=1, duration_ms=60_000)]))
    runner = Runner((1, backoff))
    runner.wait = lambda: [  # type: ignore[method-assign]
        LocalOutcome(seq=1, resolution=backoff, at=START + 1000, attempt=3)
    ]
    story.task(local=runner)
    (job,) = story.last_jobs()
    assert isinstance(job, ResolveActivity)
    assert job.resolution == backoff


def test_try_cancel_does_not_wait_for_it() -> None:
    cancel = c.CancelActivity(seq=1, local=True)
    story = Story(says([local_activity(1), local_activity(2)], [cancel], [], []))
    runner = Runner((2, DONE))
    story.task(local=runner)
    assert runner.log == ["start 1", "start 2", "cancel 1"]
    (job,) = story.last_jobs()
    assert isinstance(job, ResolveActivity)
    assert isinstance(job.resolution, Cancelled)
    assert job.resolution.failure["message"] == "Local Activity cancelled"
    assert story.commands == ["MARKER_RECORDED"] * 2


def test_waiting_for_the_cancellation_takes_what_it_still_returns() -> None:
    kind = c.CancellationType.WAIT_CANCELLATION_COMPLETED
    cancel = c.CancelActivity(seq=1, local=True)
    first = local_activity(1, cancellation_type=kind)
    story = Story(says([first, local_activity(2)], [cancel], []))
    runner = Runner((2, DONE), (1, DONE))
    story.task(local=runner)
    assert "cancel 1" in runner.log
    assert ended(story) == [2, 1]


def test_the_end_of_the_run_does_not_wait_for_them() -> None:
    end = c.CompleteWorkflow(result=None)
    story = Story(says([local_activity(1), local_activity(2)], [end]))
    runner = Runner((2, DONE))
    decision = story.task(local=runner)
    assert decision.terminal == end
    assert runner.log == ["start 1", "start 2", "cancel 1"]
    assert story.commands == ["MARKER_RECORDED"]


def test_an_inbox_entry_that_resolves_nothing_does_not_lose_one() -> None:
    story = Story(says([local_activity()], [], []))
    story.task(local=Runner((1, DONE)))
    story.task(inbox.signal("go"))
    assert not story.replay.pending.local


def test_without_anybody_to_run_it_the_task_fails() -> None:
    story = Story(says([local_activity()]))
    with pytest.raises(InvalidArgumentError, match="runs local activities"):
        story.task()


def test_an_end_that_a_later_task_recorded_comes_with_that_task() -> None:
    """Temporal's workers ask for more time by a task without commands."""
    story = Story(says([local_activity()], [c.StartTimer(seq=1, duration_ms=1)]))
    story.task(local=Runner((1, DONE)))
    first, rest = story.history[:4], story.history[4:]
    scheduled, started = story.history[1:3]
    replay, fake = fresh(story.script)
    replay.feed([*first, scheduled, started, first[3], *rest])
    assert [one.history_length for one in fake.seen] == [3, 6]
    assert sorted(replay.pending.by_event) == [9]
