"""Filters of lists, and why a run waits."""

from dataclasses import replace

import pytest

from workflows.client.service.describing import (
    PendingActivity,
    PendingTask,
    PendingTimer,
    RunDescription,
)
from workflows.client.service.why import Served, why
from workflows.client.visibility import RunFilter, parse_filter, status_name
from workflows.exceptions import InvalidArgumentError
from workflows.store import RunRecord, RunStatus

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (None, RunFilter()),
        ("  ", RunFilter()),
        ("WorkflowType = 'A'", RunFilter(type="A")),
        ('`WorkflowId`="it\'s"', RunFilter(workflow_id="it's")),
        (
            "executionstatus='TIMED_OUT' and WorkflowType=\"B C\"",
            RunFilter(status=RunStatus.TIMED_OUT, type="B C"),
        ),
        (
            "ExecutionStatus = 'ContinuedAsNew' GROUP BY ExecutionStatus",
            RunFilter(status=RunStatus.CONTINUED_AS_NEW, by_status=True),
        ),
        ("group by ExecutionStatus", RunFilter(by_status=True)),
    ],
)
def test_a_filter_is_read(query: str | None, wanted: RunFilter) -> None:
    assert parse_filter(query) == wanted


@pytest.mark.parametrize(
    "query",
    [
        "WorkflowType",
        "WorkflowType = A",
        "WorkflowType = 'A' OR WorkflowId = 'b'",
        "WorkflowType = 'A' AND",
        "WorkflowType = 'A' WorkflowId = 'b'",
        "WorkflowType = 'A' AND WorkflowType = 'B'",
        "Colour = 'red'",
        "ExecutionStatus = 'tired'",
    ],
)
def test_another_filter_is_refused(query: str) -> None:
    with pytest.raises(InvalidArgumentError):
        parse_filter(query)


@pytest.mark.parametrize("status", RunStatus)
def test_every_status_has_a_name_that_is_read_back(status: RunStatus) -> None:
    query = f"ExecutionStatus = '{status_name(status)}'"
    assert parse_filter(query).status is status


# -- why -------------------------------------------------------------------------------

RUN = RunRecord(
    workflow_id="w",
    run_id="r",
    first_run_id="r",
    type="T",
    task_queue="q",
    task_type="workflow/T",
    status=RunStatus.RUNNING,
    started_at=1,
    closed_at=None,
    length=1,
    size=1,
    last_at=5,
    inbox=0,
    inbox_seq=0,
    deadline_at=None,
    cancel_requested=False,
    priority=3,
    parent=None,
    next_run_id=None,
    info=b"",
    failure=b"",
)
BARE = RunDescription(run=RUN, now=100)
TASK = PendingTask(
    state="scheduled",
    attempt=1,
    scheduled_at=2,
    due_at=None,
    started_at=None,
    worker=None,
)
ACTIVITY = PendingActivity(
    activity_id="1",
    type="a",
    queue="q",
    state="scheduled",
    attempt=1,
    maximum_attempts=0,
    scheduled_at=3,
    started_at=None,
    next_attempt_at=None,
    heartbeat_at=None,
    heartbeat_details=[],
    last_failure=None,
    worker=None,
    detached=False,
)
ALL = Served(types={"q": ["workflow/T", "activity/a"]}, paused=())
NONE = Served(types={}, paused=())
OTHER = Served(types={"q": ["workflow/U"]}, paused=())
PAUSED = Served(types=ALL.types, paused=["q"])
FAILED = {"message": "no line"}


@pytest.mark.parametrize(
    ("found", "served", "what", "unblock"),
    [
        (BARE, ALL, "a signal", "somebody signals"),
        (replace(BARE, task=TASK), ALL, "from the queue 'q'", "a free slot"),
        (replace(BARE, task=TASK), NONE, "from the queue 'q'", "start one"),
        (replace(BARE, task=TASK), OTHER, "from the queue", "knows the workflow 'T'"),
        (replace(BARE, task=TASK), PAUSED, "from the queue 'q'", "resume it"),
        (replace(BARE, task=replace(TASK, due_at=200)), ALL, "first", "time"),
        (
            replace(BARE, task=replace(TASK, attempt=4), failure=FAILED),
            ALL,
            "fails (attempt 4): no line",
            "correct the workflow's code",
        ),
        (
            replace(BARE, task=replace(TASK, state="started", worker="me")),
            ALL,
            "worker me",
            "another takes over",
        ),
        (replace(BARE, activities=(ACTIVITY,)), NONE, "activity 'a'", "start one"),
        (
            replace(BARE, activities=(replace(ACTIVITY, started_at=4, worker="me"),)),
            ALL,
            "worker me runs",
            "the activity ends",
        ),
        (
            replace(BARE, activities=(replace(ACTIVITY, detached=True),)),
            ALL,
            "from outside",
            "by token or ids",
        ),
        (
            replace(
                BARE,
                activities=(
                    replace(ACTIVITY, next_attempt_at=200, last_failure=FAILED),
                ),
            ),
            ALL,
            "the retry of activity 'a' (id 1, attempt 1); it failed last with: no line",
            "time; or correct",
        ),
        (
            replace(BARE, timers=(PendingTimer(timer_id="1", due_at=200),)),
            ALL,
            "timer 1",
            "time",
        ),
        (
            replace(BARE, children=(replace(RUN, workflow_id="kid"),)),
            ALL,
            "child workflow 'kid'",
            "'kid'",
        ),
    ],
)
def test_a_run_says_what_it_waits_for(
    found: RunDescription, served: Served, what: str, unblock: str
) -> None:
    (wait,) = why(found, served)
    assert what in wait.what
    assert unblock in wait.unblock


def test_a_closed_run_waits_for_nothing() -> None:
    closed = replace(RUN, status=RunStatus.FAILED, closed_at=9)
    assert why(replace(BARE, run=closed), ALL) == []
