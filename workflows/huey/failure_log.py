"""Says in the log that an attempt failed and what becomes of its job."""

import logging

from huey.exceptions import RETRYING_EXCEPTIONS

from workflows.engine.failure import failure_of
from workflows.exceptions import WorkflowsError
from workflows.store import Bury, LeasedJob, Retry, Settlement

logger = logging.getLogger("workflows.huey")


def log_failure(job: LeasedJob, end: Settlement, error: BaseException) -> None:
    """Write a warning for a retry, an error for a dead letter, else nothing.

    A dead letter comes with its stack trace unless the error is one of ours: these
    say what is wrong by themselves. Who asked for a retry (a lock, a rate limit)
    failed nothing.
    """
    failure = failure_of(error)
    what = f"{failure.type}: {' | '.join(failure.message.splitlines())}"
    about = f"job_id={job.id} type={job.type} attempt={job.attempt}"
    if isinstance(end, Retry):
        asked = isinstance(error, RETRYING_EXCEPTIONS)
        level = logging.INFO if asked else logging.WARNING
        logger.log(
            level, "job_retried %s delay_ms=%s error=%s", about, end.delay_ms, what
        )
    elif isinstance(end, Bury):
        ours = isinstance(error, WorkflowsError)
        stack = "" if ours else f"\n{failure.stack_trace.rstrip()}"
        logger.error("job_dead %s reason=%s error=%s%s", about, end.reason, what, stack)
