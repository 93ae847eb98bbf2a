"""What an adapter refuses of runs and commits before it writes anything."""

import math
from collections.abc import Iterable, Sequence

from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    Close,
    Commit,
    Deadlines,
    InboxEntry,
    JobKind,
    NewJob,
    NewRun,
    RunRef,
    RunStatus,
    Settlement,
    StartRun,
)
from workflows.stores.validation import check_integer, check_job, check_jobs, check_text


def check_start(start: StartRun) -> None:
    """Refuse a start with a bad value."""
    check_new_run(start.run)
    if start.signal is not None:
        check_entry(start.signal)
    if start.conflict == "terminate_existing" and start.terminate is None:
        msg = "conflict terminate_existing needs `terminate`: how the open run ends"
        raise InvalidArgumentError(msg)
    if start.terminate is not None:
        check_close(start.terminate, start.run.workflow_id)
        if start.terminate.next_run is not None:
            msg = "the open run is followed by the one that starts: set no next_run"
            raise InvalidArgumentError(msg)


def check_new_run(run: NewRun) -> None:
    """Refuse a run with a bad value."""
    for name in ("workflow_id", "run_id", "type", "task_queue", "task_type"):
        check_text(f"the {name} of a run", getattr(run, name))
    if not math.isfinite(run.priority):
        msg = f"priority {run.priority} of run {run.run_id!r}"
        raise InvalidArgumentError(msg)
    if run.deadline_ms is not None and run.deadline_at is not None:
        msg = f"run {run.run_id!r}: set deadline_ms or deadline_at, not both"
        raise InvalidArgumentError(msg)
    for name in ("delay_ms", "deadline_ms", "deadline_at"):
        check_integer(name, getattr(run, name) or 0)
    _check_entries(run.inbox)


def check_ref(ref: RunRef) -> None:
    """Refuse a reference that names nothing."""
    check_text("a workflow id", ref.workflow_id)


def check_entry(entry: InboxEntry) -> None:
    """Refuse an entry without a kind."""
    check_text("the kind of an inbox entry", entry.kind)
    if entry.max_waiting is not None and entry.max_waiting < 1:
        msg = f"max_waiting is 1 or more, not {entry.max_waiting}"
        raise InvalidArgumentError(msg)


def _check_entries(entries: Iterable[InboxEntry | None]) -> None:
    for entry in entries:
        if entry is not None:
            check_entry(entry)


def check_close(close: Close, workflow_id: str | None = None) -> None:
    """Refuse an end that is none, or a next run of another workflow."""
    if close.status is RunStatus.RUNNING:
        msg = "a run does not close as running"
        raise InvalidArgumentError(msg)
    _check_entries([close.outcome])
    check_jobs(close.jobs)
    if close.next_run is None:
        if close.carry:
            msg = "carry needs a next_run, which the signals move to"
            raise InvalidArgumentError(msg)
        return
    check_new_run(close.next_run)
    if workflow_id is not None and close.next_run.workflow_id != workflow_id:
        msg = (
            f"the next run is of workflow {close.next_run.workflow_id!r}, the run that "
            f"closes of {workflow_id!r}"
        )
        raise InvalidArgumentError(msg)


def check_commits(settlements: Iterable[Settlement]) -> None:
    """Refuse settlements of which a commit is not acceptable."""
    for settlement in settlements:
        if isinstance(settlement, Commit):
            check_commit(settlement)
        elif settlement.outcome is not None:
            check_entry(settlement.outcome)


def check_commit(commit: Commit) -> None:
    """Refuse a commit with a bad value in it."""
    check_text("the run id of a commit", commit.run_id)
    for name in ("length", "at", "taken"):
        check_integer(name, getattr(commit, name))
    for timer in commit.timers:
        check_text("the key of a timer", timer.key)
        check_integer("due_at", timer.due_at)
        check_entry(timer.entry)
    _check_activities(commit.run_id, commit.activities)
    _check_entries(wish.entry for wish in commit.cancel_activities)
    for child in commit.children:
        check_new_run(child.run)
        _check_entries([child.started, child.refused])
    for delivery in commit.deliveries:
        check_ref(delivery.to)
        _check_entries([delivery.entry, delivery.done, delivery.missing])
    if commit.inline is not None:
        check_text("the token of an inline lease", commit.inline.token)
        if commit.inline.lease_ms < 1:
            msg = f"an inline lease of {commit.inline.lease_ms} ms"
            raise InvalidArgumentError(msg)
    if commit.close is not None:
        check_close(commit.close)
    _check_new_ids(commit)
    if commit.retry is not None:
        _check_retry(commit)


def _check_new_ids(commit: Commit) -> None:
    """Two new runs of one commit have two ids."""
    ids = [child.run.run_id for child in commit.children]
    if commit.close is not None and commit.close.next_run is not None:
        ids.append(commit.close.next_run.run_id)
    if len(ids) != len(set(ids)):
        msg = f"two new runs with one id in a commit of run {commit.run_id!r}: {ids}"
        raise InvalidArgumentError(msg)


def _check_retry(commit: Commit) -> None:
    """A failed task has no effects but events."""
    if commit.retry is not None:
        check_integer("delay_ms", commit.retry.delay_ms)
    beside = (
        *(commit.timers, commit.cancel_timers, commit.activities, commit.children),
        *(commit.cancel_activities, commit.deliveries, commit.inline, commit.close),
        *(commit.failed, commit.jobs, commit.values, commit.join),
    )
    if any(beside) or commit.info is not None:
        msg = "with `retry` only `events` and `taken` may be set"
        raise InvalidArgumentError(msg)


def _check_activities(run_id: str, jobs: Sequence[NewJob]) -> None:
    for job in jobs:
        check_job(job)
        if job.kind is not JobKind.ACTIVITY or job.run_id != run_id:
            msg = (
                f"job {job.id!r} in a commit of run {run_id!r} has to be an activity "
                f"of that run; it is {job.kind} of {job.run_id!r}"
            )
            raise InvalidArgumentError(msg)
        if job.dedup_id is not None:
            msg = f"activity {job.id!r} has a dedup_id: only plain jobs have one"
            raise InvalidArgumentError(msg)
        if job.expires_ms is not None:
            msg = f"activity {job.id!r} does not expire: set its deadlines instead"
            raise InvalidArgumentError(msg)
        _check_deadlines(job.deadlines)


def _check_deadlines(deadlines: Deadlines | None) -> None:
    if deadlines is None:
        return
    spans = (
        *(deadlines.schedule_to_start_ms, deadlines.start_to_close_ms),
        *(deadlines.schedule_to_close_ms, deadlines.heartbeat_ms),
    )
    for span in spans:
        check_integer("a timeout", span or 0)
        if span is not None and span < 1:
            msg = f"a timeout of {span} ms; at least 1, or None for none"
            raise InvalidArgumentError(msg)
