"""Failing what waits for a type that no living worker has known for minutes.

As in Temporal, where the worker that polls the queue fails it: an attempt of an
activity fails with a retryable NotFoundError and its policy goes on, a workflow task
fails and its run is seen as failing. Nothing is lost: a worker that knows the type
finds the activity's next attempt, and the task.
"""

import logging
from collections.abc import Callable
from dataclasses import replace

from workflows.engine.activation import Initialize
from workflows.engine.activity_task import ActivityTask
from workflows.engine.workflow_instance import WorkflowInstance
from workflows.exceptions import ApplicationError, StoreError
from workflows.runtime.activity_run import ActivityHost, unheard_of
from workflows.runtime.activity_settling import settlement_of
from workflows.runtime.run_cache import RunCache
from workflows.runtime.ticker import UNKNOWN_GRACE_MS
from workflows.runtime.workflow_tasks import WorkflowHost, run_task
from workflows.store import Claim, JobKind, LeasedJob, QueueClaim, Store

logger = logging.getLogger("workflows.runtime")

BATCH = 100  # jobs of one type that fail at once


class UnknownTypes:
    """What one process does of it. `workflow_types`: those that it knows itself."""

    def __init__(
        self,
        store: Store,
        tasks: WorkflowHost,
        activities: ActivityHost,
        workflow_types: tuple[str, ...],
        new_id: Callable[[], str],
        *,
        grace_ms: int = UNKNOWN_GRACE_MS,
    ) -> None:
        self._store = store
        self._activities = activities
        self._known = workflow_types
        self._new_id = new_id
        self._grace_ms = grace_ms
        self._identity = tasks.identity
        self._owner = tasks.owner
        # It may know the type, for another queue than the one where this one waits.
        self._tasks = replace(tasks, make_instance=self._refuse, cache=RunCache(0))

    def fail(self) -> None:
        """Fail what has waited too long; after `bury_unknown`, which tells of it."""
        for queue, name in self._store.list_unknown(grace_ms=self._grace_ms):
            claim = Claim(
                id=self._new_id(),
                owner=self._owner,
                queues=(QueueClaim(queue, (name,), BATCH),),
                slots=BATCH,
            )
            jobs = self._store.exchange((), claim).jobs
            logger.error(
                "type_unknown queue=%s type=%s jobs=%d", queue, name, len(jobs)
            )
            for job in jobs:
                self._try_to_fail(job)

    def _try_to_fail(self, job: LeasedJob) -> None:
        """Fail it; one that cannot be failed leaves no other with a lease unused."""
        try:
            self._fail(job)
        except StoreError:
            raise
        except Exception:
            logger.exception("unknown_type_not_failed job_id=%s", job.id)

    def _fail(self, job: LeasedJob) -> None:
        if job.kind is JobKind.WORKFLOW_TASK:
            run_task(self._tasks, job, inline=False)
        elif job.kind is JobKind.ACTIVITY:
            task = ActivityTask.from_json(job.payload)
            outcome = unheard_of(self._activities, task, job.queue)
            settlement = settlement_of(
                task,
                job,
                outcome,
                identity=self._identity,
                now=job.started_at,
                asked_to_cancel=lambda: self._asked_to_cancel(job.id),
            )
            self._store.exchange([settlement])

    def _asked_to_cancel(self, job_id: str) -> bool:
        record = self._store.get_job(job_id)
        return record is not None and record.cancel_requested

    def _refuse(self, start: Initialize) -> WorkflowInstance:
        known = ", ".join(sorted(self._known))
        msg = (
            f"Workflow class {start.workflow_type} is not registered on this worker, "
            f"available workflows: {known}"
        )
        raise ApplicationError(msg, type="NotFoundError")
