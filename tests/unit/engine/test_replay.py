"""One workflow task after the other, live and replayed."""

from collections.abc import Generator, Sequence

import pytest

from tests.unit.engine.story import (
    START,
    Item,
    Script,
    Story,
    activity,
    child,
    fresh,
    started,
)
from workflows.engine import commands as c
from workflows.engine import flags, inbox, task_writer
from workflows.engine.activation import (
    Activation,
    Cancelled,
    CancelRequested,
    ChildNotStarted,
    ChildStarted,
    Completed,
    Failed,
    FireTimer,
    Initialize,
    NotifyPatch,
    Query,
    ResolveActivity,
    ResolveCancelExternal,
    ResolveChild,
    ResolveChildStart,
    ResolveSignalExternal,
    Signal,
)
from workflows.engine.draining import drained
from workflows.engine.events import EventType
from workflows.engine.history import Event, decode_event, encode_event
from workflows.engine.limits import Limits
from workflows.engine.nondeterminism import NondeterminismError
from workflows.exceptions import InvalidArgumentError

Steps = Generator[Sequence[c.Command], Activation, None]
PAYLOAD = {"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "MQ=="}
CHILD = inbox.Run(workflow_id="child-1", run_id="child-run", workflow_type="Ship")


def always(*steps: Sequence[c.Command]) -> Script:
    """A script that says these commands, whatever it is told."""

    def script(_: Activation) -> Steps:
        for step in steps:
            _ = yield step

    return script


def test_the_first_task_writes_its_events_in_temporals_order() -> None:
    story = Story(always([activity(), c.StartTimer(seq=1, duration_ms=1500)]))
    decision = story.task()
    assert story.types == [
        "WORKFLOW_EXECUTION_STARTED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_COMPLETED",
        "ACTIVITY_TASK_SCHEDULED",
        "TIMER_STARTED",
    ]
    assert [one.event_id for one in decision.issued] == [5, 6]
    assert (decision.length, decision.taken, decision.completed_id) == (1, 0, 4)
    assert story.events[5].attributes == {
        "timerId": "1",
        "startToFireTimeout": "1.500s",
        "workflowTaskCompletedEventId": "4",
    }


def test_the_first_activation_begins_with_initialize_whatever_came_before() -> None:
    story = Story(always([]), input={"payloads": [PAYLOAD]})
    story.task(inbox.cancel("no more"), inbox.signal("go", [PAYLOAD]))
    (jobs,) = story.jobs
    begin, signal, cancel = jobs
    assert isinstance(begin, Initialize)
    assert (begin.arguments, begin.seed) == ((PAYLOAD,), "run-1")
    assert signal == Signal(name="go", arguments=(PAYLOAD,))
    assert cancel == CancelRequested(reason="no more")


def test_signals_come_before_all_other_jobs_of_a_task() -> None:
    story = Story(always([c.StartTimer(seq=1, duration_ms=1)], []))
    story.task()
    story.task(inbox.timer_fired("1", 5), inbox.signal("go"))
    assert story.last_jobs() == (Signal(name="go", arguments=()), FireTimer(seq=1))
    assert story.commands[1:] == ["TIMER_FIRED", "WORKFLOW_EXECUTION_SIGNALED"]


def test_the_flags_stand_in_the_first_completion_alone() -> None:
    story = Story(always([], []))
    story.task()
    story.task(inbox.signal("go"))
    first, second = (e for e in story.events if e.type == "WORKFLOW_TASK_COMPLETED")
    assert first.attributes["sdkMetadata"]["langUsedFlags"] == [1]
    assert "sdkMetadata" not in second.attributes
    assert story.replay.flags == {1}


def test_a_run_keeps_the_rules_of_its_first_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = Story(always([], [], []))
    story.task()
    monkeypatch.setattr(flags, "CURRENT", frozenset({1, 2}))  # a newer program
    story.task(inbox.signal("go"))
    newer, fake = fresh(always([], [], []))
    newer.feed(story.history)
    item = Item(9, story.at + 1, inbox.signal("go").data)
    newer.task([item], at=story.at + 1, rules=flags.CURRENT)
    assert [one.flags for one in story.fake.seen] == [{1}] * 2
    assert [one.flags for one in fake.seen] == [{1}] * 3


def test_a_history_without_flags_gets_none_later() -> None:
    replay, fake = fresh(always([], []))
    replay.feed([started()])
    events = replay.task([], at=START + 1).events
    newer, fake = fresh(always([], []))
    newer.feed([started(), *events])
    item = Item(1, START + 2, inbox.signal("go").data)
    last = [decode_event(each) for each in newer.task([item], at=START + 2).events][-1]
    assert "sdkMetadata" not in last.attributes
    assert [one.flags for one in fake.seen] == [frozenset()] * 2


def test_rules_that_this_program_does_not_know_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(flags, "CURRENT", frozenset({1, 7}))
        story = Story(always([]))
        story.task()
    replay, _ = fresh(always([]))
    with pytest.raises(NondeterminismError, match="newer program began") as caught:
        replay.feed(story.history)
    assert "[1, 7]" in str(caught.value)
    assert "patched" not in str(caught.value)


def test_flags_of_another_engine_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(always([]))
    monkeypatch.setattr(task_writer, "SDK_NAME", "temporal-python")
    monkeypatch.setattr(flags, "CURRENT", frozenset({99}))
    story.task(check=False)
    monkeypatch.undo()
    replay, _ = fresh(always([]))
    replay.feed(story.history)
    assert replay.flags == frozenset()


def test_entries_about_nothing_that_waits_are_taken_and_write_nothing() -> None:
    story = Story(always([]))
    story.task()
    decision = story.task(inbox.timer_fired("1", 99))
    assert (decision.taken, decision.events) == (1, ())
    assert len(story.fake.seen) == 1


def test_of_two_ends_of_an_activity_the_first_holds() -> None:
    story = Story(always([activity()], []))
    story.task()
    start = inbox.Start(
        at=START, attempt=3, identity="w2", last_failure={"message": "x"}
    )
    story.task(
        inbox.activity_completed(5, start, PAYLOAD),
        inbox.activity_timed_out(5, start, {"message": "late"}, "RETRY_STATE_TIMEOUT"),
    )
    assert story.commands[1:] == ["ACTIVITY_TASK_STARTED", "ACTIVITY_TASK_COMPLETED"]
    assert story.events[5].attributes == {
        "scheduledEventId": "5",
        "identity": "w2",
        "attempt": 3,
        "lastFailure": {"message": "x"},
    }
    assert story.events[6].attributes["startedEventId"] == "6"
    assert story.last_jobs() == (
        ResolveActivity(seq=1, resolution=Completed(result=PAYLOAD)),
    )


def test_a_failed_activity_is_an_activity_failure_with_its_cause() -> None:
    story = Story(always([activity()], []))
    story.task()
    start = inbox.Start(at=START, identity="w2")
    cause = {"message": "no money", "applicationFailureInfo": {"type": "Broke"}}
    retry = "RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED"
    story.task(inbox.activity_failed(5, start, cause, retry))
    (job,) = story.last_jobs()
    assert isinstance(job, ResolveActivity)
    assert isinstance(job.resolution, Failed)
    assert job.resolution.failure == {
        "message": "Activity task failed",
        "cause": cause,
        "activityFailureInfo": {
            "activityType": {"name": "charge"},
            "activityId": "1",
            "scheduledEventId": "5",
            "startedEventId": "6",
            "identity": "w2",
            "retryState": retry,
        },
    }


def test_an_activity_that_never_started_times_out_without_a_start() -> None:
    story = Story(always([activity()], []))
    story.task()
    retry = "RETRY_STATE_TIMEOUT"
    story.task(inbox.activity_timed_out(5, None, {"message": "queue"}, retry))
    assert story.commands[1:] == ["ACTIVITY_TASK_TIMED_OUT"]


# -- cancelling ------------------------------------------------------------------------


def test_a_timer_cancelled_in_its_own_task_leaves_no_trace() -> None:
    story = Story(always([c.StartTimer(seq=1, duration_ms=9), c.CancelTimer(seq=1)]))
    assert story.task().issued == ()


def test_a_cancelled_timer_names_the_event_that_started_it() -> None:
    story = Story(always([c.StartTimer(seq=1, duration_ms=9)], [c.CancelTimer(seq=1)]))
    story.task()
    (issued,) = story.task(inbox.signal("go")).issued
    assert issued.attributes["startedEventId"] == "5"
    assert story.types[-1] == "TIMER_CANCELED"


def test_a_timer_that_fired_in_the_same_task_is_not_cancelled() -> None:
    story = Story(always([c.StartTimer(seq=1, duration_ms=9)], [c.CancelTimer(seq=1)]))
    story.task()
    assert story.task(inbox.timer_fired("1", 5), inbox.signal("go")).issued == ()


def test_an_activity_cancelled_in_its_own_task_resolves_and_leaves_no_trace() -> None:
    script = always([activity(), c.CancelActivity(seq=1)], [])
    story = Story(script)
    assert story.task().issued == ()
    (job,) = story.last_jobs()
    assert isinstance(job, ResolveActivity)
    assert isinstance(job.resolution, Cancelled)
    assert len(story.jobs) == 2


def test_try_cancel_resolves_in_a_further_activation_of_the_same_task() -> None:
    story = Story(always([activity()], [c.CancelActivity(seq=1)], []))
    story.task()
    (issued,) = story.task(inbox.signal("go")).issued
    assert story.types[-1] == "ACTIVITY_TASK_CANCEL_REQUESTED"
    assert issued.attributes["scheduledEventId"] == "5"
    (job,) = story.last_jobs()
    assert isinstance(job, ResolveActivity)
    assert isinstance(job.resolution, Cancelled)
    failure = job.resolution.failure
    assert failure["message"] == "Activity cancelled"
    assert failure["cause"] == {"canceledFailureInfo": {}}
    assert (
        failure["activityFailureInfo"]["retryState"] == "RETRY_STATE_CANCEL_REQUESTED"
    )


def test_the_end_of_a_try_cancelled_activity_is_written_and_told_nobody() -> None:
    story = Story(always([activity()], [c.CancelActivity(seq=1)], []))
    story.task()
    story.task(inbox.signal("go"))
    told = len(story.fake.seen)
    decision = story.task(inbox.activity_cancelled(5))
    assert decision.events
    assert "latestCancelRequestedEventId" in story.events[10].attributes
    assert len(story.fake.seen) == told
    assert not story.replay.pending.by_event


def test_wait_cancellation_completed_waits_for_the_activity() -> None:
    kind = c.CancellationType.WAIT_CANCELLATION_COMPLETED
    story = Story(
        always([activity(cancellation_type=kind)], [c.CancelActivity(seq=1)], [])
    )
    story.task()
    story.task(inbox.signal("go"))
    assert len(story.jobs) == 2
    start = inbox.Start(at=START)
    story.task(inbox.activity_completed(5, start, PAYLOAD))
    assert story.last_jobs() == (
        ResolveActivity(seq=1, resolution=Completed(result=PAYLOAD)),
    )


def test_an_abandoned_activity_resolves_and_nobody_is_asked() -> None:
    kind = c.CancellationType.ABANDON
    story = Story(
        always([activity(cancellation_type=kind)], [c.CancelActivity(seq=1)], [])
    )
    story.task()
    assert story.task(inbox.signal("go")).issued == ()
    (job,) = story.last_jobs()
    assert isinstance(job, ResolveActivity)
    story.task(inbox.activity_completed(5, inbox.Start(at=START), None))
    assert len(story.jobs) == 3


def test_a_second_cancel_request_is_dropped() -> None:
    story = Story(always([], []))
    story.task(inbox.cancel("one"))
    assert story.task(inbox.cancel("two")).events == ()


# -- children --------------------------------------------------------------------------


def test_a_child_starts_and_completes() -> None:
    story = Story(always([child()], [], []))
    story.task()
    story.task(inbox.child_started(5, CHILD))
    assert story.last_jobs() == (
        ResolveChildStart(seq=1, resolution=ChildStarted(run_id="child-run")),
    )
    story.task(inbox.child_completed(5, CHILD, PAYLOAD))
    assert story.last_jobs() == (
        ResolveChild(seq=1, resolution=Completed(result=PAYLOAD)),
    )
    end = next(
        e for e in story.events if e.type == "CHILD_WORKFLOW_EXECUTION_COMPLETED"
    )
    assert end.attributes["startedEventId"] == "6"


def test_a_child_whose_id_is_taken_is_not_started() -> None:
    story = Story(always([child()], []))
    story.task()
    story.task(inbox.child_start_failed(5, CHILD))
    failed = ChildNotStarted(workflow_id="child-1", workflow_type="Ship")
    assert story.last_jobs() == (ResolveChildStart(seq=1, resolution=failed),)


def test_a_child_cancelled_in_its_own_task_was_never_scheduled() -> None:
    story = Story(always([child(), c.CancelChild(seq=1, reason="why")], []))
    assert story.task().issued == ()
    (job,) = story.last_jobs()
    assert isinstance(job, ResolveChildStart)
    assert isinstance(job.resolution, Cancelled)
    message = job.resolution.failure["message"]
    assert message == "Child Workflow Execution cancelled before scheduled: why"


@pytest.mark.parametrize(
    ("kind", "asks", "resolves"),
    [
        (c.CancellationType.TRY_CANCEL, True, True),
        (c.CancellationType.WAIT_CANCELLATION_COMPLETED, True, False),
        (c.CancellationType.WAIT_CANCELLATION_REQUESTED, True, False),
        (c.CancellationType.ABANDON, False, True),
    ],
)
def test_a_child_is_cancelled_by_its_cancellation_type(
    *, kind: c.CancellationType, asks: bool, resolves: bool
) -> None:
    cancel = c.CancelChild(seq=1, reason="r")
    story = Story(always([child(cancellation_type=kind)], [], [cancel], []))
    story.task()
    story.task(inbox.child_started(5, CHILD))
    issued = story.task(inbox.signal("go")).issued
    assert isinstance(story.last_jobs()[0], ResolveChild) is resolves
    assert bool(issued) is asks
    if asks:
        attributes = issued[0].attributes
        assert attributes["childWorkflowOnly"] is True
        assert attributes["workflowExecution"]["runId"] == "child-run"
        told = len(story.jobs)
        story.task(inbox.external_cancel_requested(issued[0].event_id, CHILD))
        assert len(story.jobs) == told


@pytest.mark.parametrize("end", ["failed", "cancelled", "timed_out", "terminated"])
def test_a_child_that_ends_badly_is_a_child_failure(end: str) -> None:
    story = Story(always([child()], [], []))
    story.task()
    story.task(inbox.child_started(5, CHILD))
    cause = {"message": "broke", "applicationFailureInfo": {}}
    retry = "RETRY_STATE_TIMEOUT"
    story.task(
        {
            "failed": lambda: inbox.child_failed(5, CHILD, cause, retry),
            "cancelled": lambda: inbox.child_cancelled(5, CHILD),
            "timed_out": lambda: inbox.child_timed_out(5, CHILD, retry),
            "terminated": lambda: inbox.child_terminated(5, CHILD),
        }[end]()
    )
    (job,) = story.last_jobs()
    assert isinstance(job, ResolveChild)
    assert isinstance(job.resolution, Failed | Cancelled)
    failure = job.resolution.failure
    assert failure["message"] == f"Child Workflow execution {end.replace('_', ' ')}"
    assert failure["childWorkflowExecutionFailureInfo"]["startedEventId"] == "6"


# -- other runs ------------------------------------------------------------------------


def test_a_signal_to_another_run_resolves_when_it_is_delivered() -> None:
    ask = c.SignalExternal(seq=1, name="go", arguments=(), workflow_id="other")
    story = Story(always([ask], []))
    story.task()
    other = inbox.Run(workflow_id="other")
    story.task(inbox.external_signalled(5, other))
    assert story.last_jobs() == (ResolveSignalExternal(seq=1),)


def test_a_signal_to_nobody_fails_with_temporals_type() -> None:
    ask = c.SignalExternal(seq=1, name="go", arguments=(), child_workflow_id="child-1")
    story = Story(always([ask], []))
    (issued,) = story.task().issued
    assert issued.attributes["childWorkflowOnly"] is True
    story.task(inbox.external_signal_failed(5, CHILD))
    (job,) = story.last_jobs()
    assert isinstance(job, ResolveSignalExternal)
    assert job.failure is not None
    info = job.failure["applicationFailureInfo"]
    assert info["type"] == "ExternalWorkflowExecutionNotFound"


def test_a_signal_taken_back_in_its_own_task_is_not_sent() -> None:
    ask = c.SignalExternal(seq=1, name="go", arguments=(), workflow_id="other")
    story = Story(always([ask, c.CancelSignal(seq=1)], []))
    assert story.task().issued == ()
    (job,) = story.last_jobs()
    assert isinstance(job, ResolveSignalExternal)
    assert job.failure is not None
    assert job.failure["message"] == "Signal was cancelled before being sent"


def test_a_cancel_request_to_another_run_resolves() -> None:
    story = Story(always([c.CancelExternal(seq=1, workflow_id="other")], []))
    story.task()
    story.task(inbox.external_cancel_failed(5, inbox.Run(workflow_id="other")))
    (job,) = story.last_jobs()
    assert isinstance(job, ResolveCancelExternal)
    assert job.failure is not None


# -- the end ---------------------------------------------------------------------------


def test_the_first_terminal_command_wins_and_comes_last() -> None:
    first = c.CompleteWorkflow(result=PAYLOAD)
    second = c.FailWorkflow(failure={"message": "no"})
    story = Story(always([first, activity(), second]))
    decision = story.task()
    assert decision.terminal == first
    assert [one.command for one in decision.issued] == [activity()]
    assert story.replay.closed
    with pytest.raises(InvalidArgumentError, match="closed"):
        story.task(inbox.signal("go"))


def test_a_closed_history_replays_and_answers_queries() -> None:
    story = Story(always([activity()], [c.CompleteWorkflow(result=None)]))
    story.task()
    story.task(inbox.activity_completed(5, inbox.Start(at=START), None))
    closed = Event(EventType.WORKFLOW_EXECUTION_COMPLETED, story.at)
    replay, _ = fresh(story.script)
    replay.feed([*story.history, encode_event(closed)])
    assert replay.closed
    answer = replay.query(Query(query_id="q", name="state", arguments=()))
    assert answer.result == {"data": "answer"}


def test_a_query_before_the_first_task_is_refused() -> None:
    story = Story(always([]))
    with pytest.raises(InvalidArgumentError, match="first workflow task"):
        story.replay.query(Query(query_id="q", name="state", arguments=()))


def test_a_failed_task_takes_nothing_and_the_next_one_begins_where_it_began() -> None:
    def broken(_: Activation) -> Steps:
        yield from ()
        raise ValueError("bug")

    failing = Story(broken)
    with pytest.raises(ValueError, match="bug"):
        failing.task(inbox.signal("go"))
    events = failing.replay.failed_task({"message": "bug"}, at=START + 1, identity="w")
    kinds = [decode_event(one).type for one in events]
    assert kinds == [
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_FAILED",
    ]
    assert decode_event(events[2]).attributes["startedEventId"] == "3"
    assert failing.replay.failed_task({}, at=START + 1, attempt=2) == ()
    repaired, fake = fresh(always([]))
    repaired.feed([started(), *events])
    decision = repaired.task(
        [Item(1, START + 5, inbox.signal("go").data)], at=START + 9, attempt=2
    )
    assert [type(job) for job in fake.seen[0].jobs] == [Initialize, Signal]
    assert decision.length == 4


def test_what_a_failed_task_drained_is_told_by_the_next_one() -> None:
    item = Item(1, START + 5, inbox.signal("go").data)
    failing, _ = fresh(always([]))
    failing.feed([started()])
    said = drained([item], [], 1)
    events = failing.failed_task({"message": "bug"}, at=START + 9, drained=said)
    assert events[0] == said[0]
    assert decode_event(events[-1]).attributes["startedEventId"] == "4"
    assert failing.failed_task({}, at=START + 9, attempt=2, drained=said) == said
    repaired, fake = fresh(always([]))
    repaired.feed([started(), *events])
    assert repaired.task([], at=START + 20, attempt=2).length == 5
    assert [type(job) for job in fake.seen[0].jobs] == [Initialize, Signal]


def test_continue_as_new_is_suggested_from_the_limit_on() -> None:
    story = Story(always([], []), limits=Limits(suggest_events=6))
    story.task()
    assert not story.fake.seen[0].continue_as_new_suggested
    story.task(inbox.signal("go"))
    assert story.fake.seen[1].continue_as_new_suggested


def test_memo_and_search_attributes_follow_their_changes() -> None:
    null = {"metadata": {"encoding": "YmluYXJ5L251bGw="}}
    story = Story(
        always(
            [
                c.UpsertMemo(fields={"a": null, "b": PAYLOAD}),
                c.UpsertSearchAttributes(attributes={"city": PAYLOAD}),
            ]
        ),
        memo={"fields": {"a": PAYLOAD}},
    )
    story.task()
    assert story.replay.memo == {"b": PAYLOAD}
    assert story.replay.search_attributes == {"city": PAYLOAD}


# -- patches ---------------------------------------------------------------------------


def test_a_patch_is_recorded_once_with_the_attribute_that_names_it() -> None:
    mark = c.SetPatchMarker(patch_id="v2", deprecated=False)
    story = Story(always([mark, mark], [mark]))
    story.task()
    assert story.commands == ["MARKER_RECORDED", "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"]
    assert "TemporalChangeVersion" in story.replay.search_attributes
    assert story.task(inbox.signal("go")).issued == ()


def test_replay_tells_of_a_patch_before_the_code_asks() -> None:
    mark = c.SetPatchMarker(patch_id="v2", deprecated=False)
    story = Story(always([mark], []))
    story.task()
    replay, fake = fresh(story.script)
    replay.feed(story.history)
    assert fake.seen[0].jobs[1] == NotifyPatch(patch_id="v2")


def test_a_failed_task_right_behind_a_completed_one_does_not_join_them() -> None:
    story = Story(always([], []))
    story.task()
    events = story.replay.failed_task({"message": "bug"}, at=story.at + 1)
    story.history += events
    repaired, _ = fresh(story.script)
    repaired.feed(story.history)
    item = Item(1, START + 5000, inbox.signal("go").data)
    decision = repaired.task([item], at=START + 6000)
    again, fake = fresh(story.script)
    again.feed([*story.history, *decision.events])
    assert [one.at for one in fake.seen] == [START + 1000, START + 6000]
    assert [one.history_length for one in fake.seen] == [3, 10]


# -- limits ----------------------------------------------------------------------------


def test_more_than_may_be_pending_at_once_fails_the_task() -> None:
    two = [activity(1), activity(2)]
    Story(always(two), limits=Limits(max_pending=2)).task()
    story = Story(always(two, [activity(3)]), limits=Limits(max_pending=2))
    story.task()
    with pytest.raises(InvalidArgumentError, match="3 activities would be pending"):
        story.task(inbox.signal("go"))


def test_an_event_has_no_empty_fields_but_those_of_temporal() -> None:
    story = Story(always([activity(), child(), c.UpsertMemo(fields={"a": PAYLOAD})]))
    story.task(inbox.signal("go"))
    for event in story.events:
        empty = {name for name, value in event.attributes.items() if not value}
        assert empty <= {"header", "priority"}, event
