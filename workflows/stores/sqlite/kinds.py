"""Kinds of jobs as the column `kind` names them; NULL there is a plain job."""

from workflows.store import JobKind, task_job_id

ACTIVITY = JobKind.ACTIVITY.value
TASK = JobKind.WORKFLOW_TASK.value
QUERY = JobKind.QUERY.value
UPKEEP = JobKind.UPKEEP.value
EXEMPT = frozenset({TASK, QUERY, UPKEEP})  # from concurrency and rate
IMMORTAL = frozenset({TASK, UPKEEP})  # no stalls end them
_TASK_PREFIX = len(task_job_id(""))
FOREVER = 2**53 - 1  # the lease of a detached activity


def job_kind(column: str | None) -> JobKind:
    """Return the kind that a column says."""
    return JobKind.PLAIN if column is None else JobKind(column)


def owner_run(kind: str | None, job_id: str, run_id: str | None) -> str:
    """Return the run that a job belongs to; a workflow task says it in its id."""
    return job_id[_TASK_PREFIX:] if kind == TASK else run_id or ""


def takes_place(kind: str | None, lease_until: int | None) -> bool:
    """Return whether an active job takes a place in its queue's concurrency."""
    return kind not in EXEMPT and lease_until != FOREVER
