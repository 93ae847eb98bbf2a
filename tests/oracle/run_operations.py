"""The oracle's run operations: what clients, workers and upkeep ask for by name."""

from tests.oracle.memory import Run
from tests.oracle.runs import Runs
from workflows.engine.states import JobState
from workflows.exceptions import ConflictError, InboxFullError
from workflows.store import (
    MAX_STEP,
    Beat,
    Close,
    InboxEntry,
    JobKind,
    RunRef,
    Started,
    StartRun,
    StartStatus,
    Step,
)
from workflows.stores import run_validation, validation


class RunOperations(Runs):
    """Start, send, close, beat, prune."""

    def start_run(self, start: StartRun, *, request_id: str) -> Started:
        run_validation.check_start(start)
        validation.check_text("a request id", request_id)
        key = ("start", start.run.workflow_id, request_id)
        if key not in self._requests:
            self._requests[key] = self._start(start)
        answer: Started = self._requests[key]
        return answer

    def _start(self, start: StartRun) -> Started:
        new, signals = start.run, [start.signal] if start.signal else []
        current = self._current_run(new.workflow_id)
        if self._may_start(new.workflow_id, start.reuse):
            self._check_new_id(new.run_id)
            return started(StartStatus.STARTED, self._create(new, signals))
        assert current is not None
        if current.open and start.conflict == "use_existing":
            check_room(current, start.signal)
            self._receive(current, start.signal)
            return started(StartStatus.EXISTING, current)
        if current.open and start.conflict == "terminate_existing":
            assert start.terminate is not None
            if start.replaces not in {None, current.id}:
                raise ConflictError(f"run {current.id!r} is open")
            check_seen(current, start.terminate)
            self._check_new_id(new.run_id)
            self._close(current, start.terminate, self.now())
            return started(StartStatus.STARTED, self._create(new, signals))
        return started(StartStatus.REFUSED, current)

    def send_to_run(self, run: RunRef, entry: InboxEntry, *, request_id: str) -> str:
        run_validation.check_ref(run)
        run_validation.check_entry(entry)
        validation.check_text("a request id", request_id)
        key = ("send", run.workflow_id, request_id)
        if key not in self._requests:
            found = self._open_run(run)
            check_room(found, entry)
            self._receive(found, entry)
            self._requests[key] = found.id
        run_id: str = self._requests[key]
        return run_id

    def close_run(self, run: RunRef, close: Close, *, request_id: str) -> str:
        run_validation.check_ref(run)
        run_validation.check_close(close, run.workflow_id)
        validation.check_text("a request id", request_id)
        key = ("close", run.workflow_id, request_id)
        if key not in self._requests:
            found = self._open_run(run)
            check_seen(found, close)
            if close.next_run is not None:
                self._check_new_id(close.next_run.run_id)
            self._close(found, close, self.now())
            self._requests[key] = found.id
        run_id: str = self._requests[key]
        return run_id

    def beat(self, job_id: str, token: str, details: bytes) -> Beat:
        job = self._jobs.get(job_id)
        if (
            job is None
            or job.new.kind is not JobKind.ACTIVITY
            or job.state is not JobState.ACTIVE
            or self._lease((job_id, token)) is not job.lease
            or not self._runs[job.new.run_id].open
        ):
            return Beat(held=False, cancel_requested=False)
        job.beat_at, job.details = self.now(), details
        return Beat(held=True, cancel_requested=job.cancel_requested)

    def prune_runs(self, *, age_ms: int, limit: int = MAX_STEP) -> Step:
        validation.check_limit(limit)
        before = self.now() - age_ms
        runs = [
            run
            for run in self._runs.values()
            if run.closed_at is not None and run.closed_at < before
        ]
        runs.sort(key=lambda run: run.closed_at or 0)  # else as they started
        for run in runs[:limit]:
            self._forget_run(run)
        return Step(len(runs[:limit]), len(runs) > limit)

    def _forget_run(self, run: Run) -> None:
        del self._runs[run.id]
        if self._current[run.new.workflow_id] == run.id:
            del self._current[run.new.workflow_id]
        for job in [job for job in self._jobs.values() if job.new.run_id == run.id]:
            del self._jobs[job.new.id]
            if job.lease is not None:
                self._free(job.lease)


def check_seen(run: Run, close: Close) -> None:
    if close.seen not in (None, (len(run.events), run.inbox_seq)):
        raise ConflictError(f"run {run.id!r} has gone on")


def check_room(run: Run, entry: InboxEntry | None) -> None:
    limit = entry.max_waiting if entry is not None else None
    if limit is not None and len(run.inbox) >= limit:
        raise InboxFullError(run.new.workflow_id, limit)


def started(status: StartStatus, run: Run) -> Started:
    return Started(
        status=status,
        run_id=run.id,
        first_run_id=run.first_run_id,
        run_status=run.status,
    )
