"""Answers queries: on the run's committed state, never in its history."""

import logging
from typing import Any

import msgspec

from workflows.engine.activation import Query
from workflows.exceptions import PayloadError
from workflows.runtime.codec import SyncConverter
from workflows.runtime.workflow_tasks import WorkflowHost, load, new_replay
from workflows.store import (
    Complete,
    LeasedJob,
    LoadedRun,
    Retry,
    RunStatus,
    Settlement,
    Value,
)

logger = logging.getLogger("workflows.runtime")

LOOK_AGAIN_MS = 5  # while entries that the query must see are not handled yet
ANSWER_MS = 60_000  # how long an answer waits for its asker


class QueryTask(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What travels in a query's job. `inbox_seq`: the newest entry it must see."""

    query_id: str
    workflow_id: str
    run_id: str
    name: str
    arguments: list[dict[str, Any]] = []
    headers: dict[str, dict[str, Any]] = {}
    inbox_seq: int = 0

    def to_json(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.encode(self)

    @staticmethod
    def from_json(data: bytes) -> "QueryTask":
        """Read what `to_json` wrote. Raises PayloadError."""
        try:
            return msgspec.json.decode(data, type=QueryTask)
        except (msgspec.MsgspecError, UnicodeError) as error:
            msg = f"not a query task: {error}"
            raise PayloadError(msg) from None


def answer(host: WorkflowHost, job: LeasedJob) -> Settlement:
    """Return the settlement of a query: its answer, or later if it must wait."""
    task = QueryTask.from_json(job.payload)
    with host.cache.borrow(task.run_id) as slot:
        loaded = load(host, task.run_id, slot)
        if loaded is None:
            return _settled(job, task, _failure(host.converter, "workflow not found"))
        if _must_wait(loaded, task):
            return Retry(
                job_id=job.id, token=job.token, delay_ms=LOOK_AGAIN_MS, spend=False
            )
        try:
            if slot.replay is None:
                slot.replay = new_replay(host, loaded.run)
            slot.replay.feed(loaded.events)
            found = slot.replay.query(_query(task))
        except Exception as error:
            slot.drop()
            logger.warning("query_failed run_id=%s", task.run_id, exc_info=error)
            return _settled(job, task, {"failure": host.converter.failure(error)})
    if found.failure is not None:
        return _settled(job, task, {"failure": found.failure})
    return _settled(job, task, {"result": found.result})


def _must_wait(loaded: LoadedRun, task: QueryTask) -> bool:
    """Return whether the run has not handled yet what the query must see.

    What a failed task drained is in the history, but nobody handled it.
    """
    if loaded.run.status is not RunStatus.RUNNING:
        return False
    if loaded.run.failure and loaded.run.inbox_seq:
        return True
    unseen = any(item.seq <= task.inbox_seq for item in loaded.inbox)
    return unseen or loaded.run.length <= 1


def _query(task: QueryTask) -> Query:
    return Query(
        query_id=task.query_id,
        name=task.name,
        arguments=tuple(task.arguments),
        headers=task.headers,
    )


def _failure(converter: SyncConverter, message: str) -> dict[str, Any]:
    return {"failure": converter.failure(RuntimeError(message))}


def _settled(job: LeasedJob, task: QueryTask, said: dict[str, Any]) -> Settlement:
    value = Value(
        key=f"query:{task.query_id}", value=msgspec.json.encode(said), ttl_ms=ANSWER_MS
    )
    return Complete(job_id=job.id, token=job.token, values=(value,))
