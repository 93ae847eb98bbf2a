"""The close of a run as the store takes it: last event, parent, next run, children."""

from collections.abc import Mapping
from typing import Any

import msgspec

from workflows.engine.close import Closing, ClosingRun, close_by_command
from workflows.engine.commands import ContinueAsNew
from workflows.engine.decision import Decision
from workflows.engine.machines import Child
from workflows.engine.replay import Replay
from workflows.runtime.new_runs import RunFacts, new_run
from workflows.store import Close, InboxEntry, JobKind, NewJob, Parent, RunStatus

UPKEEP_QUEUE, PARENT_CLOSE = "workflows.upkeep", "parent_close"  # queue, job type


def close_of(facts: RunFacts, replay: Replay, decision: Decision) -> Close:
    """Return the close that a decision's terminal command means."""
    assert decision.terminal is not None  # noqa: S101 - the caller asked
    closing = close_by_command(
        ClosingRun(
            workflow_id=facts.workflow_id,
            run_id=facts.run_id,
            started=facts.started,
            began_at=facts.began_at,
            memo=replay.memo,
            search_attributes=replay.search_attributes,
        ),
        decision.terminal,
        completed_id=decision.completed_id,
        new_run_id=facts.new_run_id(),
        at=decision.at,
    )
    return close_record(
        closing,
        workflow_id=facts.workflow_id,
        run_id=facts.run_id,
        parent=parent_of(facts.started),
        children=replay.pending.count(Child) > 0,
        parent_close_policy=facts.parent_close_policy,
        carry=isinstance(decision.terminal, ContinueAsNew),
    )


def close_record(
    closing: Closing,
    *,
    workflow_id: str,
    run_id: str,
    parent: Parent | None,
    children: bool,
    parent_close_policy: str,
    carry: bool = False,
) -> Close:
    """Return a close for the store. `children`: some may be open.

    A next run is the parent's child as this one was, `parent_close_policy` too.
    """
    outcome, following = closing.outcome, closing.next_run
    return Close(
        status=RunStatus(closing.status),
        events=(closing.event,),
        outcome=InboxEntry(kind=outcome.kind, data=outcome.data) if outcome else None,
        jobs=(parent_close_job(run_id),) if children else (),
        next_run=(
            new_run(
                following,
                workflow_id=workflow_id,
                parent=parent,
                parent_close_policy=parent_close_policy,
            )
            if following
            else None
        ),
        carry=carry,
    )


def parent_close_job(
    run_id: str, cursor: str | None = None, *, acted: bool = False
) -> NewJob:
    """Return the job that applies parent-close policies to a closed run's children.

    It walks over them: `cursor` is where it is, `acted` whether it found any to close.
    """
    return NewJob(
        id=f"parent-close:{run_id}",
        queue=UPKEEP_QUEUE,
        type=PARENT_CLOSE,
        payload=msgspec.json.encode(
            {"runId": run_id, "cursor": cursor, "acted": acted}
        ),
        kind=JobKind.UPKEEP,
    )


def parent_of(started: Mapping[str, Any]) -> Parent | None:
    """Return the parent that a run's first event names."""
    whose = started.get("parentWorkflowExecution")
    if whose is None:
        return None
    return Parent(workflow_id=whose["workflowId"], run_id=whose.get("runId", ""))
