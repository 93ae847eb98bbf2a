"""What a decision does to the store beside its events: the effects of one Commit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workflows.engine import inbox
from workflows.engine.activity_task import ActivityTask, activity_job_id
from workflows.engine.commands import (
    CancelActivity,
    CancelChild,
    CancelExternal,
    CancelTimer,
    ScheduleActivity,
    SignalExternal,
    StartChild,
    StartTimer,
)
from workflows.engine.decision import Decision, Issued
from workflows.engine.proto_json import span_ms
from workflows.runtime.new_runs import DEFAULT_PRIORITY, RunFacts, child_run
from workflows.store import (
    CancelActivity as CancelActivityJob,
)
from workflows.store import (
    Deadlines,
    Deliver,
    InboxEntry,
    JobKind,
    NewJob,
    NewTimer,
    RunRef,
)
from workflows.store import (
    StartChild as StartChildRun,
)


@dataclass(slots=True)
class Effects:
    """The lists of a Commit, in the order of the commands."""

    timers: list[NewTimer] = field(default_factory=list)
    cancel_timers: list[str] = field(default_factory=list)
    activities: list[NewJob] = field(default_factory=list)
    cancel_activities: list[CancelActivityJob] = field(default_factory=list)
    children: list[StartChildRun] = field(default_factory=list)
    deliveries: list[Deliver] = field(default_factory=list)


def effects_of(facts: RunFacts, decision: Decision) -> Effects:
    """Return the effects of a decision's commands. Markers and upserts have none."""
    effects = Effects()
    for issued in decision.issued:
        make = _EFFECTS.get(type(issued.command))
        if make is not None:
            make(effects, facts, issued, decision.at)
    return effects


def entry(made: inbox.Entry) -> InboxEntry:
    """Return an engine's entry as the store takes it."""
    return InboxEntry(kind=made.kind, data=made.data)


# -- one function per command ----------------------------------------------------------


def _timer(effects: Effects, _: RunFacts, issued: Issued, at: int) -> None:
    key, command = issued.attributes["timerId"], issued.command
    assert isinstance(command, StartTimer)  # noqa: S101 - by the table below
    effects.timers.append(
        NewTimer(
            key=key,
            due_at=at + command.duration_ms,
            entry=entry(inbox.timer_fired(key, issued.event_id)),
        )
    )


def _cancel_timer(effects: Effects, _: RunFacts, issued: Issued, __: int) -> None:
    effects.cancel_timers.append(issued.attributes["timerId"])


def _activity(effects: Effects, facts: RunFacts, issued: Issued, _: int) -> None:
    command, attributes = issued.command, issued.attributes
    assert isinstance(command, ScheduleActivity)  # noqa: S101 - by the table below
    task = ActivityTask(
        activity_id=command.activity_id,
        activity_type=command.activity_type,
        workflow_id=facts.workflow_id,
        workflow_type=facts.workflow_type,
        run_id=facts.run_id,
        namespace=facts.namespace,
        scheduled_event_id=issued.event_id,
        arguments=[dict(each) for each in command.arguments],
        headers={name: dict(each) for name, each in command.headers.items()},
        retry_policy=dict(attributes.get("retryPolicy") or {}),
        priority=command.priority,
    )
    effects.activities.append(
        NewJob(
            id=activity_job_id(facts.run_id, issued.event_id),
            queue=command.task_queue or facts.task_queue,
            type=f"activity/{command.activity_type}",
            payload=task.to_json(),
            priority=command.priority or DEFAULT_PRIORITY,
            kind=JobKind.ACTIVITY,
            run_id=facts.run_id,
            deadlines=Deadlines(
                schedule_to_start_ms=_ms(attributes, "scheduleToStartTimeout"),
                start_to_close_ms=_ms(attributes, "startToCloseTimeout"),
                schedule_to_close_ms=_ms(attributes, "scheduleToCloseTimeout"),
                heartbeat_ms=_ms(attributes, "heartbeatTimeout"),
            ),
        )
    )


def _cancel_activity(effects: Effects, facts: RunFacts, issued: Issued, _: int) -> None:
    scheduled = int(issued.attributes["scheduledEventId"])
    effects.cancel_activities.append(
        CancelActivityJob(
            job_id=activity_job_id(facts.run_id, scheduled),
            entry=entry(inbox.activity_cancelled(scheduled)),
        )
    )


def _child(effects: Effects, facts: RunFacts, issued: Issued, at: int) -> None:
    command = issued.command
    assert isinstance(command, StartChild)  # noqa: S101 - by the table below
    policy = command.parent_close_policy
    run = child_run(facts, issued.attributes, issued.event_id, policy, at)
    reuse: Any = command.id_reuse_policy
    child = inbox.Run(
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        workflow_type=command.workflow_type,
        namespace=facts.namespace,
    )
    effects.children.append(
        StartChildRun(
            run=run,
            reuse=reuse,
            started=entry(inbox.child_started(issued.event_id, child)),
            refused=entry(inbox.child_start_failed(issued.event_id, child)),
        )
    )


def _signal(effects: Effects, facts: RunFacts, issued: Issued, _: int) -> None:
    command = issued.command
    assert isinstance(command, SignalExternal)  # noqa: S101 - by the table below
    target = inbox.Run(
        workflow_id=command.child_workflow_id or command.workflow_id,
        run_id=command.run_id,
        namespace=facts.namespace,
    )
    said = inbox.signal(
        command.name, command.arguments, headers=command.headers, sender=_me(facts)
    )
    effects.deliveries.append(
        Deliver(
            to=_ref(target),
            entry=entry(said),
            done=entry(inbox.external_signalled(issued.event_id, target)),
            missing=entry(inbox.external_signal_failed(issued.event_id, target)),
            child_only=bool(command.child_workflow_id),
        )
    )


def _cancel_external(effects: Effects, facts: RunFacts, issued: Issued, _: int) -> None:
    execution = issued.attributes["workflowExecution"]
    target = inbox.Run(
        workflow_id=execution["workflowId"],
        run_id=execution.get("runId", ""),
        namespace=facts.namespace,
    )
    reason = issued.attributes.get("reason", "")
    asked = inbox.cancel(reason, sender=_me(facts), initiated_id=issued.event_id)
    effects.deliveries.append(
        Deliver(
            to=_ref(target),
            entry=entry(asked),
            done=entry(inbox.external_cancel_requested(issued.event_id, target)),
            missing=entry(inbox.external_cancel_failed(issued.event_id, target)),
            child_only=isinstance(issued.command, CancelChild),
        )
    )


def _me(facts: RunFacts) -> inbox.Run:
    return inbox.Run(workflow_id=facts.workflow_id, run_id=facts.run_id)


def _ref(target: inbox.Run) -> RunRef:
    return RunRef(workflow_id=target.workflow_id, run_id=target.run_id or None)


def _ms(attributes: Mapping[str, Any], name: str) -> int | None:
    return span_ms(attributes.get(name))


Make = Callable[[Effects, RunFacts, Issued, int], None]
_EFFECTS: dict[type, Make] = {
    StartTimer: _timer,
    CancelTimer: _cancel_timer,
    ScheduleActivity: _activity,
    CancelActivity: _cancel_activity,
    StartChild: _child,
    CancelChild: _cancel_external,
    SignalExternal: _signal,
    CancelExternal: _cancel_external,
}
