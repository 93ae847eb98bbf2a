"""Asking a run: a short-lived job, answered by a worker that knows the workflow."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from workflows.client.monitoring import served_queues
from workflows.client.service.errors import (
    BusyError,
    DeadlineError,
    QueryFailedError,
    QueryRejectedError,
)
from workflows.client.service.sending import send
from workflows.common import QueryRejectCondition
from workflows.runtime.ids import new_id
from workflows.runtime.queries import QueryTask
from workflows.store import JobKind, NewJob, RunRecord, RunStatus, Store

Json = Mapping[str, Any]
CLEAN = frozenset({RunStatus.RUNNING, RunStatus.COMPLETED, RunStatus.CONTINUED_AS_NEW})
LOOK_S = 1.0


class Queries:
    """The queries of one process; at most `limit` are open at once."""

    def __init__(self, store: Store, *, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._open = threading.BoundedSemaphore(limit)

    def ask(
        self,
        run: RunRecord,
        name: str,
        arguments: Sequence[Json],
        *,
        headers: Json,
        reject: QueryRejectCondition | None,
        timeout_s: float,
    ) -> Json | None:
        """Return the payload that the query's handler gave.

        The answer is of the run's state with everything that was accepted before.

        Raises:
            QueryRejectedError, QueryFailedError: see there.
            DeadlineError: no worker answered within `timeout_s`.
            BusyError: too many queries are open in this process.
        """
        if rejects(reject, run.status):
            raise QueryRejectedError(run.status)
        if not self._open.acquire(blocking=False):
            msg = f"{self._limit} queries are open in this process; try again later"
            raise BusyError(msg)
        try:
            job = query_job(run, name, arguments, headers, timeout_s)
            said = self._answer(run, job, timeout_s)
        finally:
            self._open.release()
        if "failure" in said:
            raise QueryFailedError(said["failure"])
        result: Json | None = said.get("result")
        return result

    def _answer(self, run: RunRecord, job: NewJob, timeout_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        send(lambda: self._store.enqueue([job], request_id=job.id))
        while (rest := deadline - time.monotonic()) > 0:
            answer = self._store.wait_value(
                "result", job.id, timeout_s=min(rest, LOOK_S)
            )
            if answer is not None:
                said: dict[str, Any] = msgspec.json.decode(answer)
                return said
        msg = f"the query was not answered within {timeout_s:g} s"
        now = self._store.now()
        if run.task_queue not in served_queues(self._store.list_workers(), now):
            msg += f": no living worker serves the task queue {run.task_queue!r}"
        raise DeadlineError(msg)


def rejects(condition: QueryRejectCondition | None, status: RunStatus) -> bool:
    """Return whether a run of this status is not to be queried."""
    if condition is QueryRejectCondition.NOT_OPEN:
        return status is not RunStatus.RUNNING
    if condition is QueryRejectCondition.NOT_COMPLETED_CLEANLY:
        return status not in CLEAN
    return False


def query_job(
    run: RunRecord,
    name: str,
    arguments: Sequence[Json],
    headers: Json,
    timeout_s: float,
) -> NewJob:
    """Return the job of a query; its id is also the key of its answer."""
    task = QueryTask(
        query_id=new_id(),
        workflow_id=run.workflow_id,
        run_id=run.run_id,
        name=name,
        arguments=[dict(each) for each in arguments],
        headers={key: dict(each) for key, each in headers.items()},
        inbox_seq=run.inbox_seq,
    )
    return NewJob(
        id=f"query:{task.query_id}",
        queue=run.task_queue,
        type=f"query/{run.type}",
        payload=task.to_json(),
        kind=JobKind.QUERY,
        run_id=run.run_id,
        expires_ms=max(1, round(timeout_s * 1000)),
    )
