"""Activities that are completed from elsewhere: by task token, or by their ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from workflows.client.service.outcomes import find_run
from workflows.client.service.sending import send
from workflows.engine import failure_json
from workflows.engine.activity_task import ActivityTask, run_id_of
from workflows.engine.proto_json import payloads
from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError, NotFoundError
from workflows.runtime.activity_run import (
    Failing,
    Outcome,
    Succeeded,
    WasCancelled,
)
from workflows.runtime.activity_settling import settlement_of
from workflows.store import (
    UNTIL_CLOSED,
    Beat,
    JobRecord,
    LeasedJob,
    PendingWork,
    RunRef,
    RunStatus,
    SettleStatus,
    Store,
)

Json = Mapping[str, Any]
GONE = (  # these three texts are Temporal's
    "invalid activityID or activity already timed out or invoking workflow is completed"
)
CLOSED = "workflow execution already completed"
NOT_PENDING = (
    "cannot find pending activity with ActivityID {}, check workflow execution history "
    "for more details"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRef:
    """Names an activity of a run; without a run id of the current one."""

    workflow_id: str
    run_id: str | None
    activity_id: str


def read_token(token: bytes) -> tuple[str, str]:
    """Return job id and lease token of a task token.

    Raises:
        InvalidArgumentError: it is none.
    """
    try:
        job_id, lease = token.decode().rsplit(" ", 1)
    except (UnicodeError, ValueError):
        msg = "not a task token of an activity"
        raise InvalidArgumentError(msg) from None
    return job_id, lease


class AsyncActivities:
    """The four things that can be said of an activity from outside.

    All raise NotFoundError if the attempt is over, or its run is closed.
    """

    def __init__(self, store: Store, identity: str) -> None:
        self._store = store
        self._identity = identity

    def complete(self, which: ActivityRef | bytes, result: Json) -> None:
        """End it with a result."""
        self._end(which, Succeeded(result=dict(result)))

    def fail(
        self, which: ActivityRef | bytes, failure: Json, details: Sequence[Json] = ()
    ) -> None:
        """End the attempt with a failure; `details`: a last heartbeat's."""
        if details:
            self.heartbeat(which, details)
        self._end(which, Failing(failure=dict(failure)))

    def report_cancellation(
        self, which: ActivityRef | bytes, details: Sequence[Json] = ()
    ) -> None:
        """End it as cancelled.

        Raises:
            InvalidArgumentError: nobody asked for its cancellation.
        """
        holder = payloads(details) if details else None
        failure = dict(failure_json.cancelled_failure(holder, "Cancelled"))
        self._end(which, WasCancelled(failure=failure))

    def heartbeat(self, which: ActivityRef | bytes, details: Sequence[Json]) -> Beat:
        """Say that it lives; the answer says whether its cancellation is asked for."""
        record, token = self._find(which)
        data = msgspec.json.encode(list(details)) if details else b""
        beat = send(lambda: self._store.beat(record.id, token, data))
        if not beat.held:
            raise self._gone(record.id)
        return beat

    # -- parts --

    def _end(self, which: ActivityRef | bytes, outcome: Outcome) -> None:
        """End an attempt; one that waits can only be completed, by its ids."""
        status, job_id, token = self._settle(which, outcome)
        while token == "" and status is SettleStatus.LOST:  # it has started meanwhile
            status, job_id, token = self._settle(which, outcome)
        if status is not SettleStatus.OK:
            raise self._gone(job_id)

    def _settle(
        self, which: ActivityRef | bytes, outcome: Outcome
    ) -> tuple[SettleStatus, str, str]:
        """Settle the attempt that is there now; return its job and its token too."""
        record, token = self._find(which, pending=isinstance(outcome, Succeeded))
        if isinstance(outcome, WasCancelled) and not record.cancel_requested:
            msg = "nobody asked to cancel this activity"
            raise InvalidArgumentError(msg)
        now = self._store.now()
        settlement = settlement_of(
            ActivityTask.from_json(record.payload),
            _leased(record, token, now),
            outcome,
            identity=self._identity,
            now=now,
            asked_to_cancel=lambda: record.cancel_requested,
        )
        tries = 0

        def settle() -> SettleStatus:
            nonlocal tries
            tries += 1
            return self._store.exchange([settlement]).statuses[0]

        status = send(settle)
        # What was sent again may have been done the first time.
        done = tries > 1 and status in _REPEATED
        return SettleStatus.OK if done else status, record.id, token

    def _find(
        self, which: ActivityRef | bytes, *, pending: bool = False
    ) -> tuple[JobRecord, str]:
        """Return the activity and its token, empty if it waits and may (`pending`)."""
        if isinstance(which, bytes):
            job_id, token = read_token(which)
            record = self._store.get_job(job_id)
            if record is None or record.state is not JobState.ACTIVE:
                raise self._gone(job_id)
            return record, token
        ref = RunRef(workflow_id=which.workflow_id, run_id=which.run_id)
        run = find_run(self._store, ref)
        if run.status is not RunStatus.RUNNING:
            raise NotFoundError(CLOSED)
        work = self._store.pending_work(run.run_id)
        for record in work.activities if work else ():
            if _activity_id(record) == which.activity_id:
                return record, _token(work, record, pending=pending)
        raise NotFoundError(NOT_PENDING.format(which.activity_id))

    def _gone(self, job_id: str) -> NotFoundError:
        """Say why an attempt does not count any more."""
        loaded = self._store.load_run(run_id_of(job_id), start=UNTIL_CLOSED)
        closed = loaded is not None and loaded.run.status is not RunStatus.RUNNING
        return NotFoundError(CLOSED if closed else GONE)


_REPEATED = (SettleStatus.ALREADY, SettleStatus.LOST)


def _token(work: PendingWork | None, record: JobRecord, *, pending: bool) -> str:
    if work is not None and record.id in work.tokens:
        return work.tokens[record.id]
    if pending:
        return ""
    msg = f"the activity {_activity_id(record)!r} has not started yet"
    raise NotFoundError(msg)


def _activity_id(record: JobRecord) -> str:
    return ActivityTask.from_json(record.payload).activity_id


def _leased(record: JobRecord, token: str, now: int) -> LeasedJob:
    """Return an activity as its worker had it, or would have it now."""
    started = (record.started_at or record.created_at) if token else now
    return LeasedJob(
        id=record.id,
        queue=record.queue,
        type=record.type,
        payload=record.payload,
        headers=record.headers,
        token=token,
        attempt=record.attempts_made + 1,
        stalls=record.stalls,
        priority=record.priority,
        created_at=record.created_at,
        ready_at=record.ready_at,
        first_started_at=started,
        started_at=started,
        expires_at=record.expires_at,
        lease_until=record.lease_until or 0,
        trace=record.trace,
        kind=record.kind,
        run_id=record.run_id,
        deadlines=record.deadlines,
        close_at=record.close_at,
        details=record.details,
        failure=record.failure,
    )
