"""What every adapter refuses before it writes anything: one rule, one text.

Per operation one function; each raises InvalidArgumentError, which says what was
wrong and what is accepted.
"""

import sys
from collections.abc import Sequence, Sized

from workflows.engine.states import TERMINAL, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_STEP,
    Bury,
    Cancel,
    Claim,
    Close,
    Commit,
    Complete,
    Deadlines,
    Detach,
    Expire,
    InboxEntry,
    JobKind,
    NewJob,
    NewRun,
    QueueLimits,
    Release,
    Retry,
    Return,
    RunRef,
    RunStatus,
    Schedule,
    Settlement,
    StartRun,
    task_job_id,
)

MAX_INTEGER = 2**53 - 1  # up to here every engine and JSON reader counts exactly
MAX_AMOUNT = 2**63 - 1  # what a counter takes at once
MAX_PRIORITY = sys.float_info.max
MAX_EVENTS = 10 * MAX_STEP  # that one write appends
KINDS = frozenset(
    {Complete, Retry, Bury, Return, Release, Cancel, Expire, Detach, Commit}
)
LEAVE_TASK = frozenset({Commit, Retry, Release, Return})  # what a workflow task takes
PLAIN = frozenset({JobKind.PLAIN})
ENQUEUED = frozenset({JobKind.PLAIN, JobKind.QUERY})
ACTIVITY = frozenset({JobKind.ACTIVITY})
_TASKS = task_job_id("")  # how the ids of workflow tasks begin


# -- producers and workers --


def check_enqueue(jobs: Sequence[NewJob], request_id: str) -> None:
    """Refuse jobs that are not acceptable, or too many."""
    _check_text("the request_id", request_id)
    _check_jobs(jobs, ENQUEUED)


def check_exchange(settlements: Sequence[Settlement], claim: Claim | None) -> None:
    """Refuse what cannot be settled, follow-ups included, or claimed."""
    _check_count("settlements", settlements)
    for settlement in settlements:
        _check_settlement(settlement)
    if claim is not None:
        _check_claim(claim)


def check_renew(leases: Sequence[tuple[str, str]], lease_ms: int) -> None:
    """Refuse too many leases, or a length that means nothing."""
    _check_count("leases", leases)
    _check_positive("lease_ms", lease_ms)


def check_sweep(interval_ms: int, limit: int) -> None:
    """Refuse an empty or too large step, or an interval that nothing can keep."""
    check_limit(limit)
    _check_integer("interval_ms", interval_ms)


def check_bury_unknown(grace_ms: int, interval_ms: int, limit: int) -> None:
    """Refuse as `check_sweep`."""
    check_sweep(interval_ms, limit)
    _check_integer("grace_ms", grace_ms)


def check_limit(limit: int) -> None:
    """Refuse a step that is empty or too large."""
    if not 1 <= limit <= MAX_STEP:
        _refuse(f"a limit is 1 to {MAX_STEP}, not {limit}")


# -- operators --


def check_due(delay_ms: int, run_at: int | None) -> None:
    """Refuse two due times at once, and one that nothing can keep."""
    if delay_ms and run_at is not None:
        _refuse("set delay_ms or run_at, not both")
    _check_integer("delay_ms", delay_ms)
    _check_integer("run_at", run_at)


def check_prune(
    state: JobState, age_ms: int | None, keep: int | None, limit: int
) -> None:
    """Refuse a live state, and bounds below nothing."""
    check_limit(limit)
    if state not in TERMINAL:
        _refuse(f"{state} jobs are live: only ended ones are pruned")
    _check_natural("age_ms", age_ms)
    _check_natural("keep", keep)


def check_queue(queue: str, limits: QueueLimits) -> None:
    """Refuse a queue without a name, or with limits as `check_limits`."""
    _check_text("the name of a queue", queue)
    check_limits(limits)


def check_limits(limits: QueueLimits) -> None:
    """Refuse limits that let nothing pass, and half a rate."""
    _check_positive("concurrency", limits.concurrency)
    _check_positive("rate_max", limits.rate_max)
    _check_positive("rate_ms", limits.rate_ms)
    if (limits.rate_max is None) != (limits.rate_ms is None):
        _refuse("a rate needs both rate_max and rate_ms")


# -- schedules --


def check_schedule(schedule: Schedule) -> None:
    """Refuse a schedule whose jobs would not be acceptable."""
    _check_text("the id of a schedule", schedule.id)
    _check_text("the queue of a schedule", schedule.queue)
    _check_text("the type of a schedule", schedule.type)
    _check_priority(schedule.priority)
    _check_integer("next_at", schedule.next_at)
    _check_integer("expires_ms", schedule.expires_ms)
    _check_natural("max_stalls", schedule.max_stalls)


def check_firing(slot: int, next_at: int | None, jobs: Sequence[NewJob]) -> None:
    """Refuse slots that nothing can keep, and jobs as `check_enqueue`."""
    _check_integer("slot", slot)
    _check_integer("next_at", next_at)
    _check_jobs(jobs)


# -- values and reads --


def check_ttl(ttl_ms: int | None) -> None:
    """Refuse a time to live that nothing can keep."""
    _check_integer("ttl_ms", ttl_ms)


def check_amount(amount: int) -> None:
    """Refuse to add more at once than a counter takes."""
    if not -MAX_AMOUNT <= amount <= MAX_AMOUNT:
        _refuse(f"amount is out of range: {amount}")


def check_minute(since_minute: int) -> None:
    """Refuse a minute that nothing can keep."""
    _check_integer("since_minute", since_minute)


# -- runs --


def check_start_run(start: StartRun, request_id: str) -> None:
    """Refuse a run that is not acceptable, and half an order to terminate."""
    _check_text("the request_id", request_id)
    _check_run(start.run)
    if (start.terminate is None) == (start.conflict == "terminate_existing"):
        _refuse("terminate_existing needs `terminate`, and nothing else takes it")
    if start.terminate is not None:
        _check_close(start.terminate, start.run.workflow_id)
        if start.terminate.next_run is not None:
            _refuse("a run that is terminated has no next run")
    if start.signal is not None:
        _check_entry(start.signal)


def check_send_to_run(run: RunRef, entry: InboxEntry, request_id: str) -> None:
    """Refuse a reference or an entry that means nothing."""
    _check_text("the request_id", request_id)
    check_run_ref(run)
    _check_entry(entry)


def check_close_run(run: RunRef, close: Close, request_id: str) -> None:
    """Refuse a reference that means nothing, and an end that is none."""
    _check_text("the request_id", request_id)
    check_run_ref(run)
    _check_close(close, run.workflow_id)


def check_run_ref(run: RunRef) -> None:
    """Refuse a reference that cannot name a run."""
    _check_text("a workflow id", run.workflow_id)


def check_start(start: int) -> None:
    """Refuse an event number that cannot be."""
    _check_positive("start", start)


def check_prune_runs(age_ms: int, limit: int) -> None:
    """Refuse a step that is empty or too large, and an age below nothing."""
    check_limit(limit)
    _check_natural("age_ms", age_ms)


# -- parts --


def _check_jobs(
    jobs: Sequence[NewJob], kinds: frozenset[JobKind] = PLAIN, run_id: str = ""
) -> None:
    _check_count("jobs", jobs)
    for job in jobs:
        _check_job(job, kinds)
        if run_id and job.run_id != run_id:
            _refuse(f"activity {job.id!r} is not of run {run_id!r}")


def _check_job(job: NewJob, kinds: frozenset[JobKind] = PLAIN) -> None:
    _check_text("the id of a job", job.id)
    if job.id.startswith(_TASKS):
        _refuse(f"ids that begin with {_TASKS} are for workflow tasks: {job.id!r}")
    if job.kind is not JobKind.PLAIN or job.kind not in kinds:
        _check_owned_job(job, kinds)
    _check_text("the queue of a job", job.queue)
    _check_text("the type of a job", job.type)
    if job.dedup_id is not None:
        _check_text("the dedup_id of a job", job.dedup_id)
    _check_priority(job.priority)
    check_due(job.delay_ms, job.run_at)
    _check_integer("expires_ms", job.expires_ms)
    _check_natural("max_stalls", job.max_stalls)


def _check_owned_job(job: NewJob, kinds: frozenset[JobKind]) -> None:
    if job.kind not in kinds:
        _refuse(f"a job of kind {job.kind} is not accepted here: {job.id!r}")
    _check_text("the run_id of a job", job.run_id)
    deadlines = job.deadlines or Deadlines()
    for name in Deadlines.__slots__:
        _check_natural(name, getattr(deadlines, name))


def _check_settlement(settlement: Settlement) -> None:
    kind = type(settlement)
    if kind not in KINDS:
        _refuse(f"{kind.__name__} is not a kind of settlement")
    if settlement.job_id.startswith(_TASKS) and kind not in LEAVE_TASK:
        _refuse(f"a workflow task ends by a Commit, not by {kind.__name__}")
    if isinstance(settlement, Commit):
        _check_commit(settlement)
    if settlement.jobs:
        _check_jobs(settlement.jobs)
    if settlement.join is not None:
        _check_job(settlement.join.job)
    for value in settlement.values:
        check_ttl(value.ttl_ms)
    if type(settlement) is Retry:
        check_due(settlement.delay_ms, settlement.run_at)


def _check_commit(commit: Commit) -> None:
    _check_text("the run_id of a commit", commit.run_id)
    for name in ("length", "taken"):
        _check_natural(name, getattr(commit, name))
    _check_integer("at", commit.at)
    _check_events(commit.events)
    _check_effects(commit)
    if commit.close is not None:
        _check_close(commit.close)
    if commit.inline is not None:
        _check_text("the token of an inline lease", commit.inline.token)
        _check_positive("lease_ms", commit.inline.lease_ms)
    if commit.retry is not None:
        _check_retried(commit)


def _check_effects(commit: Commit) -> None:
    for name in ("timers", "cancel_timers", "cancel_activities", "children"):
        _check_count(name, getattr(commit, name))
    _check_count("deliveries", commit.deliveries)
    for timer in commit.timers:
        _check_integer("due_at", timer.due_at)
        _check_entry(timer.entry)
    _check_jobs(commit.activities, ACTIVITY, commit.run_id)
    for child in commit.children:
        _check_run(child.run)
    ids = {child.run.run_id for child in commit.children}
    if len(ids) < len(commit.children):
        _refuse("two children of a commit have the same run id")
    for delivery in commit.deliveries:
        check_run_ref(delivery.to)


def _check_retried(commit: Commit) -> None:
    _check_natural("delay_ms", commit.retry.delay_ms if commit.retry else 0)
    for name in _NOT_RETRIED:
        if getattr(commit, name):
            _refuse(f"a failed workflow task has no {name}: only events and taken")


def _check_run(run: NewRun) -> None:
    for name in ("workflow_id", "run_id", "type", "task_queue", "task_type"):
        _check_text(f"the {name} of a run", getattr(run, name))
    _check_priority(run.priority)
    _check_natural("delay_ms", run.delay_ms)
    if run.deadline_ms is not None and run.deadline_at is not None:
        _refuse("set deadline_ms or deadline_at, not both")
    _check_integer("deadline_ms", run.deadline_ms)
    _check_integer("deadline_at", run.deadline_at)
    _check_count("inbox entries", run.inbox)
    for entry in run.inbox:
        _check_entry(entry)


def _check_close(close: Close, workflow_id: str = "") -> None:
    if close.status is RunStatus.RUNNING:
        _refuse("a closed run is not running")
    _check_events(close.events)
    _check_jobs(close.jobs)
    if close.next_run is None:
        if close.carry:
            _refuse("an inbox is carried to a next run: there is none")
        return
    _check_run(close.next_run)
    if workflow_id and close.next_run.workflow_id != workflow_id:
        _refuse(f"the next run of {workflow_id!r} has its workflow id")


def _check_entry(entry: InboxEntry) -> None:
    _check_text("the kind of an inbox entry", entry.kind)


def _check_events(events: Sized) -> None:
    if len(events) > MAX_EVENTS:
        _refuse(f"at most {MAX_EVENTS} events in one write, not {len(events)}")


_NOT_RETRIED = (
    *("timers", "cancel_timers", "activities", "cancel_activities", "children"),
    *("deliveries", "inline", "info", "close", "failed", "jobs", "values", "join"),
)


def _check_claim(claim: Claim) -> None:
    _check_text("the id of a claim", claim.id)
    _check_natural("slots", claim.slots)
    _check_natural("prefetch", claim.prefetch)
    _check_natural("suspects", claim.suspects)
    _check_positive("lease_ms", claim.lease_ms)
    if claim.slots + claim.prefetch > MAX_STEP:
        total = claim.slots + claim.prefetch
        _refuse(f"a claim is for at most {MAX_STEP} jobs, not {total}")


def _check_text(what: str, text: str) -> None:
    if not text or "\0" in text:
        _refuse(f"{what} is empty or holds NUL: {text!r}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            _refuse(f"{what} has no UTF-8 form: {text!r}")


def _check_priority(priority: float) -> None:
    if not -MAX_PRIORITY <= priority <= MAX_PRIORITY:  # NaN is neither
        _refuse(f"a priority is a finite number, not {priority}")


def _check_count(what: str, several: Sized) -> None:
    if len(several) > MAX_STEP:
        _refuse(f"at most {MAX_STEP} {what} in one call, not {len(several)}")


def _check_integer(what: str, number: int | None) -> None:
    if number is not None and not -MAX_INTEGER <= number <= MAX_INTEGER:
        _refuse(f"{what} is out of range: {number}")


def _check_natural(what: str, number: int | None) -> None:
    if number is not None and not 0 <= number <= MAX_INTEGER:
        _refuse(f"{what} is at least 0, at most 2**53 - 1: {number}")


def _check_positive(what: str, number: int | None) -> None:
    if number is not None and not 1 <= number <= MAX_INTEGER:
        _refuse(f"{what} is at least 1, at most 2**53 - 1: {number}")


def _refuse(msg: str) -> None:
    raise InvalidArgumentError(msg)
