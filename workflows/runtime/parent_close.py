"""Closing the children of closed runs: an upkeep job per parent, in bounded steps.

The close of a parent writes the job; the ticker of any worker runs it, whatever types
that worker knows. A step acts on children for a short time and hands the rest to the
next one, so that a ticker is never held up long. Every act may be repeated.
"""

import logging
from collections.abc import Callable, Sequence

import msgspec

from workflows.engine import inbox
from workflows.engine.states import JobState
from workflows.exceptions import ConflictError, NotFoundError, StoreError
from workflows.runtime.closing import PARENT_CLOSE, UPKEEP_QUEUE, parent_close_job
from workflows.runtime.effects import entry
from workflows.runtime.lease import MS, boot_ns
from workflows.runtime.new_runs import close_policy
from workflows.runtime.terminating import terminate
from workflows.store import (
    Claim,
    Complete,
    LeasedJob,
    NewJob,
    QueueClaim,
    Retry,
    RunPage,
    RunRecord,
    RunRef,
    RunStatus,
    Settlement,
    Store,
)

logger = logging.getLogger("workflows.runtime")

PAGE = 100  # children looked at in one step of a job
JOBS = 20  # claimed at once
TURN_NS = 30 * MS  # then each job ends its step at its first child
BACKOFF_MS = (1_000, 60_000)  # after a failed step: doubled from the first to the last
BY_PARENT = "by parent close policy"


class ParentClose:
    """What one process does of it."""

    def __init__(
        self, store: Store, new_id: Callable[[], str], identity: str, owner: str
    ) -> None:
        self._store = store
        self._new_id = new_id
        self._identity, self._owner = identity, owner
        self._until = 0  # of this turn

    def step(self) -> None:
        """Do a step of every job that waits, as far as a short time goes."""
        self._until = boot_ns() + TURN_NS
        while self._step() and boot_ns() < self._until:
            pass

    def _step(self) -> bool:
        """Do a step of some jobs; whether there were any."""
        if not self._store.list_jobs(UPKEEP_QUEUE, JobState.WAITING, limit=1).jobs:
            return False  # looking is cheaper than claiming, which is a write
        claim = Claim(
            id=self._new_id(),
            owner=self._owner,
            queues=(QueueClaim(UPKEEP_QUEUE, (PARENT_CLOSE,), JOBS),),
            slots=JOBS,
        )
        jobs = self._store.exchange((), claim).jobs
        if jobs:
            self._store.exchange([self._settlement(job) for job in jobs])
        return bool(jobs)

    def _settlement(self, job: LeasedJob) -> Settlement:
        try:
            rest = self._act(job)
        except StoreError:
            raise  # the lease runs out, and another ticker goes on
        except Exception as error:  # noqa: BLE001 - logged, and tried again later
            logger.warning("parent_close_failed job_id=%s error=%r", job.id, error)
            low, high = BACKOFF_MS
            return Retry(
                job_id=job.id,
                token=job.token,
                failure=repr(error).encode(),
                delay_ms=min(low * 2 ** min(job.attempt - 1, 10), high),
            )
        return Complete(job_id=job.id, token=job.token, jobs=rest)

    def _act(self, job: LeasedJob) -> tuple[NewJob, ...]:
        """Act on some children; return the job of what is left.

        It ends only with a walk over all that finds nothing to do: a child that
        continues as new meanwhile has left its policy to a run that is not seen yet.
        """
        said = msgspec.json.decode(job.payload)
        run_id, cursor, acted = said["runId"], said["cursor"], said.get("acted", False)
        page = self._children(run_id, cursor)
        open_ones = [child for child in page.runs if _policy(child)]
        if open_ones:
            self._close_some(open_ones)
            return (parent_close_job(run_id, cursor, acted=True),)
        if page.cursor is not None:
            return (parent_close_job(run_id, page.cursor, acted=acted),)
        return (parent_close_job(run_id),) if acted else ()

    def _close_some(self, children: Sequence[RunRecord]) -> None:
        """Close one, and as many as time allows; one that fails hinders no other."""
        closed, failed = 0, None
        for child in children:
            try:
                self._close(child)
                closed += 1
            except StoreError:
                raise
            except Exception as error:
                logger.exception("child_not_closed run_id=%s", child.run_id)
                failed = error
            if closed and boot_ns() >= self._until:
                return
        if failed is not None and not closed:
            raise failed

    def _children(self, run_id: str, cursor: str | None) -> RunPage:
        return self._store.list_runs(
            parent_run_id=run_id, status=RunStatus.RUNNING, limit=PAGE, cursor=cursor
        )

    def _close(self, child: RunRecord) -> None:
        if _policy(child) == "terminate":
            terminate(
                self._store, child.workflow_id, child.run_id, BY_PARENT, self._identity
            )
            return
        whose = child.parent
        sender = (
            inbox.Run(workflow_id=whose.workflow_id, run_id=whose.run_id)
            if whose
            else None
        )
        said = inbox.cancel(identity=self._identity, sender=sender)
        ref = RunRef(workflow_id=child.workflow_id, run_id=child.run_id)
        request = f"parent-close:{child.run_id}"
        try:
            self._store.send_to_run(ref, entry(said), request_id=request)
        except (NotFoundError, ConflictError):
            return  # it closed by itself


def _policy(child: RunRecord) -> str:
    """Return what is left to do with a child; empty: nothing."""
    policy = close_policy(child.info)
    if policy == "request_cancel" and child.cancel_requested:
        return ""
    return policy if policy in {"terminate", "request_cancel"} else ""
