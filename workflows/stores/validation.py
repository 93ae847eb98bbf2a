"""What every adapter refuses before it writes anything: one rule, one text.

Per operation one function; each raises InvalidArgumentError, which says what was
wrong and what is accepted.
"""

import sys
from collections.abc import Sequence, Sized
from dataclasses import replace

from workflows.engine.states import TERMINAL, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_LOG_LINE,
    MAX_STEP,
    Bury,
    Cancel,
    Claim,
    Commit,
    Complete,
    Dedup,
    Detach,
    Expire,
    JobKind,
    NewJob,
    QueueLimits,
    Release,
    Report,
    Retry,
    Return,
    Schedule,
    Settlement,
    task_job_id,
)

MAX_INTEGER = 2**53 - 1  # up to here every engine and JSON reader counts exactly
MAX_AMOUNT = 2**63 - 1  # what a counter takes at once
MAX_PRIORITY = sys.float_info.max
KINDS = frozenset(
    {Complete, Retry, Bury, Return, Release, Cancel, Expire, Commit, Detach}
)
TASK_PREFIX = task_job_id("")


# -- producers and workers --


def check_enqueue(jobs: Sequence[NewJob], request_id: str) -> None:
    """Refuse jobs that are not acceptable, or too many."""
    check_text("the request_id", request_id)
    for job in jobs:
        if job.dedup is not None:
            _check_dedup(job, job.dedup)
    check_jobs([replace(job, dedup=None) if job.dedup else job for job in jobs])


def _check_dedup(job: NewJob, dedup: Dedup) -> None:
    if job.dedup_id is None:
        _refuse(f"job {job.id!r} says what becomes of duplicates, but has no dedup_id")
    _check_positive("ttl_ms of a dedup", dedup.ttl_ms)
    if dedup.extend and dedup.ttl_ms is None:
        _refuse(f"job {job.id!r}: only a dedup with ttl_ms can extend")


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


def check_report(report: Report) -> None:
    """Refuse too many lines, and lines that are too long or no text."""
    _check_count("lines", report.lines)
    for line in report.lines:
        if "\0" in line:
            _refuse("a log line holds NUL")
        if _bytes_of(line) > MAX_LOG_LINE:
            _refuse(f"a log line is at most {MAX_LOG_LINE} bytes of UTF-8")


def _bytes_of(line: str) -> int:
    try:
        return len(line.encode())
    except UnicodeEncodeError:
        msg = "a log line has no UTF-8 form"
        raise InvalidArgumentError(msg) from None


def check_sweep(interval_ms: int, limit: int) -> None:
    """Refuse an empty or too large step, or an interval that nothing can keep."""
    check_limit(limit)
    check_integer("interval_ms", interval_ms)


def check_grace(grace_ms: int) -> None:
    """Refuse a grace that is no time."""
    _check_natural("grace_ms", grace_ms)


def check_bury_unknown(grace_ms: int, interval_ms: int, limit: int) -> None:
    """Refuse as `check_sweep`."""
    check_sweep(interval_ms, limit)
    check_integer("grace_ms", grace_ms)


def check_limit(limit: int) -> None:
    """Refuse a step that is empty or too large."""
    if not 1 <= limit <= MAX_STEP:
        _refuse(f"a limit is 1 to {MAX_STEP}, not {limit}")


# -- operators --


def check_due(delay_ms: int, run_at: int | None) -> None:
    """Refuse two due times at once, and one that nothing can keep."""
    if delay_ms and run_at is not None:
        _refuse("set delay_ms or run_at, not both")
    check_integer("delay_ms", delay_ms)
    check_integer("run_at", run_at)


def check_amendment(priority: float | None) -> None:
    """Refuse a priority that is none."""
    if priority is not None:
        _check_priority(priority)


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
    check_text("the name of a queue", queue)
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
    check_text("the id of a schedule", schedule.id)
    check_text("the queue of a schedule", schedule.queue)
    check_text("the type of a schedule", schedule.type)
    _check_priority(schedule.priority)
    check_integer("next_at", schedule.next_at)
    check_integer("expires_ms", schedule.expires_ms)
    _check_natural("max_stalls", schedule.max_stalls)


def check_firing(slot: int, next_at: int | None, jobs: Sequence[NewJob]) -> None:
    """Refuse slots that nothing can keep, and jobs as `check_enqueue`."""
    check_integer("slot", slot)
    check_integer("next_at", next_at)
    check_jobs(jobs)


# -- values and reads --


def check_ttl(ttl_ms: int | None) -> None:
    """Refuse a time to live that nothing can keep."""
    check_integer("ttl_ms", ttl_ms)


def check_amount(amount: int) -> None:
    """Refuse to add more at once than a counter takes."""
    if not -MAX_AMOUNT <= amount <= MAX_AMOUNT:
        _refuse(f"amount is out of range: {amount}")


def check_lines(after: int, limit: int) -> None:
    """Refuse a step as `check_limit`, and a number that no line has."""
    check_limit(limit)
    _check_natural("after", after)


def check_minute(since_minute: int) -> None:
    """Refuse a minute that nothing can keep."""
    check_integer("since_minute", since_minute)


# -- parts --


def check_jobs(jobs: Sequence[NewJob]) -> None:
    """Refuse jobs that a caller may not add, or too many."""
    _check_count("jobs", jobs)
    for job in jobs:
        check_job(job)
        if job.kind is not JobKind.PLAIN or job.run_id or job.deadlines is not None:
            _check_owned(job)
        elif job.id.startswith(TASK_PREFIX):
            _refuse(f"the job id {job.id!r}: those that begin so are workflow tasks'")


def _check_owned(job: NewJob) -> None:
    """Of engine-owned jobs only queries of a run, and upkeep of none, are enqueued."""
    fits = {(JobKind.QUERY, True), (JobKind.UPKEEP, False)}
    if (job.kind, bool(job.run_id)) not in fits or job.deadlines is not None:
        _refuse(
            f"job {job.id!r}, {job.kind} of run {job.run_id!r}: only plain jobs and "
            "upkeep, without a run and deadlines, and queries of a run are enqueued"
        )
    if job.dedup_id is not None:
        _refuse(f"{job.kind} {job.id!r} has a dedup_id: only plain jobs have one")


def check_job(job: NewJob) -> None:
    """Refuse a job that is not acceptable, whatever its kind."""
    check_text("the id of a job", job.id)
    check_text("the queue of a job", job.queue)
    check_text("the type of a job", job.type)
    if job.dedup is not None:
        _refuse(f"job {job.id!r}: only enqueue takes what becomes of duplicates")
    if job.dedup_id is not None:
        check_text("the dedup_id of a job", job.dedup_id)
    _check_priority(job.priority)
    check_due(job.delay_ms, job.run_at)
    check_integer("expires_ms", job.expires_ms)
    _check_natural("max_stalls", job.max_stalls)


def _check_settlement(settlement: Settlement) -> None:
    if type(settlement) not in KINDS:
        _refuse(f"{type(settlement).__name__} is not a kind of settlement")
    if settlement.jobs:
        check_jobs(settlement.jobs)
    if settlement.join is not None:
        check_job(settlement.join.job)
    for value in settlement.values:
        check_ttl(value.ttl_ms)
    if type(settlement) is Retry:
        check_due(settlement.delay_ms, settlement.run_at)


def _check_claim(claim: Claim) -> None:
    check_text("the id of a claim", claim.id)
    _check_natural("slots", claim.slots)
    _check_natural("prefetch", claim.prefetch)
    _check_natural("suspects", claim.suspects)
    _check_positive("lease_ms", claim.lease_ms)
    if claim.slots + claim.prefetch > MAX_STEP:
        total = claim.slots + claim.prefetch
        _refuse(f"a claim is for at most {MAX_STEP} jobs, not {total}")


def check_text(what: str, text: str) -> None:
    """Refuse an empty text, and one that not every engine keeps."""
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


def check_integer(what: str, number: int | None) -> None:
    """Refuse a number that not every engine keeps exactly."""
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
