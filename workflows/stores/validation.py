"""What an adapter refuses before it writes anything."""

import math
from collections.abc import Iterable, Sequence

from workflows.engine.states import TERMINAL, JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_STEP,
    Claim,
    JobKind,
    NewJob,
    QueueLimits,
    Retry,
    Settlement,
    task_job_id,
)

_TASK_PREFIX = task_job_id("")
MAX_INTEGER = 2**53  # what every engine and JSON reader keeps exactly


def check_jobs(jobs: Sequence[NewJob]) -> None:
    """Refuse jobs that are not acceptable, or too many."""
    if len(jobs) > MAX_STEP:
        msg = f"{len(jobs)} jobs in one call; at most {MAX_STEP}"
        raise InvalidArgumentError(msg)
    for job in jobs:
        check_job(job)
        if job.kind is not JobKind.PLAIN or job.run_id or job.deadlines is not None:
            _check_query(job)
        elif job.id.startswith(_TASK_PREFIX):
            msg = f"the job id {job.id!r}: those that begin so are of workflow tasks"
            raise InvalidArgumentError(msg)


def _check_query(job: NewJob) -> None:
    """Of engine-owned jobs only queries are enqueued."""
    if job.kind is not JobKind.QUERY or not job.run_id or job.deadlines is not None:
        msg = (
            f"job {job.id!r}, {job.kind} of run {job.run_id!r}: only plain jobs, "
            "without a run and deadlines, and queries of a run are enqueued"
        )
        raise InvalidArgumentError(msg)


def check_job(job: NewJob) -> None:
    """Refuse a job that is not acceptable, whatever its kind."""
    for name in ("id", "queue", "type"):
        check_text(f"the {name} of a job", getattr(job, name))
    if job.dedup_id is not None:
        check_text("the dedup_id of a job", job.dedup_id)
    if not math.isfinite(job.priority):
        msg = f"priority {job.priority} of job {job.id!r}"
        raise InvalidArgumentError(msg)
    check_due(job.delay_ms, job.run_at)
    if job.expires_ms is not None:
        check_integer("expires_ms", job.expires_ms)
    check_integer("max_stalls", job.max_stalls)


def check_text(what: str, text: str) -> None:
    """Refuse an empty text, and one that has no UTF-8 form or holds NUL."""
    if not text or "\0" in text:
        msg = f"{what} is empty or holds NUL: {text!r}"
        raise InvalidArgumentError(msg)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            msg = f"{what} is not text: {text!r}"
            raise InvalidArgumentError(msg) from None


def check_integer(what: str, number: int) -> None:
    """Refuse a number that not every engine can keep."""
    if not -MAX_INTEGER <= number <= MAX_INTEGER:
        msg = f"{what} is out of range: {number}"
        raise InvalidArgumentError(msg)


def check_due(delay_ms: int, run_at: int | None) -> None:
    """Refuse two due times at once."""
    if delay_ms and run_at is not None:
        msg = "set delay_ms or run_at, not both"
        raise InvalidArgumentError(msg)
    check_integer("delay_ms", delay_ms)
    check_integer("run_at", run_at or 0)


def due(now: int, delay_ms: int, run_at: int | None) -> int:
    """Return the time that a delay or a due time means."""
    return now + delay_ms if run_at is None else run_at


def check_limit(limit: int) -> None:
    """Refuse a step that is empty or too large."""
    if not 1 <= limit <= MAX_STEP:
        msg = f"limit {limit}; it is 1 to {MAX_STEP}"
        raise InvalidArgumentError(msg)


def check_limits(limits: QueueLimits) -> None:
    """Refuse limits that let nothing pass, and half a rate."""
    numbers = (limits.concurrency, limits.rate_max, limits.rate_ms)
    if any(number is not None and number < 1 for number in numbers):
        msg = f"limits are at least 1: {limits}"
        raise InvalidArgumentError(msg)
    if (limits.rate_max is None) != (limits.rate_ms is None):
        msg = "a rate needs both rate_max and rate_ms"
        raise InvalidArgumentError(msg)


def check_terminal(state: JobState) -> None:
    """Refuse a state that jobs leave again."""
    if state not in TERMINAL:
        msg = f"{state} is not a terminal state"
        raise InvalidArgumentError(msg)


def check_settlements(settlements: Iterable[Settlement]) -> None:
    """Refuse settlements whose follow-ups or due times are not acceptable."""
    for settlement in settlements:
        if settlement.jobs:
            check_jobs(settlement.jobs)
        if settlement.join is not None:
            check_jobs([settlement.join.job])
        if type(settlement) is Retry:
            check_due(settlement.delay_ms, settlement.run_at)


def check_claim(claim: Claim) -> None:
    """Refuse a claim without an id, or with numbers that mean nothing."""
    check_text("the id of a claim", claim.id)
    numbers = (claim.slots, claim.prefetch, claim.suspects)
    if min(numbers) < 0 or claim.lease_ms < 1:
        msg = f"a claim of {numbers} slots, {claim.lease_ms} ms"
        raise InvalidArgumentError(msg)
