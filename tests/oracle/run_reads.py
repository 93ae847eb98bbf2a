"""What the oracle tells of runs."""

import json
from collections import Counter
from collections.abc import Mapping

from tests.oracle.memory import Run
from tests.oracle.reads import Reads, record
from tests.oracle.runs import Runs
from tests.oracle.values import Values
from workflows.engine.states import JobState
from workflows.exceptions import InvalidArgumentError
from workflows.store import (
    MAX_STEP,
    JobKind,
    LoadedRun,
    Overdue,
    PendingWork,
    RunPage,
    RunRecord,
    RunRef,
    RunStatus,
)
from workflows.stores import validation


class RunReads(Reads, Values, Runs):
    """Everything about runs that changes nothing, and waiting."""

    def get_run(self, run: RunRef) -> RunRecord | None:
        found = self._resolve(run)
        return run_record(found) if found else None

    def load_run(self, run_id: str, *, start: int = 1) -> LoadedRun | None:
        run = self._runs.get(run_id)
        if run is None:
            return None
        return LoadedRun(
            run=run_record(run),
            events=tuple(run.events[max(0, start - 1) :]),
            inbox=tuple(run.inbox),
            now=self.now(),
        )

    def read_history(
        self, run_id: str, *, start: int = 1, limit: int = MAX_STEP
    ) -> tuple[bytes, ...]:
        validation.check_limit(limit)
        loaded = self.load_run(run_id, start=start)
        return loaded.events[:limit] if loaded else ()

    def pending_work(self, run_id: str) -> PendingWork | None:
        run = self._runs.get(run_id)
        if run is None:
            return None
        task, activities = self._task(run), self._activities(run)
        mine = [(x, timer) for x, timer in self._timers() if x is run]
        return PendingWork(
            task=record(task) if task else None,
            activities=tuple(record(job) for job in activities),
            timers={timer.key: timer.due_at for _, timer in mine},
            children=tuple(
                run_record(child)
                for child in self._runs.values()
                if child.open and child.new.parent and child.new.parent.run_id == run_id
            ),
            tokens={job.new.id: job.lease.token for job in activities if job.lease},
        )

    def list_runs(
        self,
        *,
        status: RunStatus | None = None,
        type: str | None = None,
        workflow_id: str | None = None,
        parent_run_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> RunPage:
        validation.check_limit(limit)
        last = None if cursor is None else read_cursor(cursor)
        found = [
            run
            for run in sorted(self._runs.values(), key=place, reverse=True)
            if (last is None or place(run) < last)
            and status in {None, run.status}
            and type in {None, run.new.type}
            and workflow_id in {None, run.new.workflow_id}
            and parent_run_id in {None, run.new.parent and run.new.parent.run_id}
        ]
        page = found[:limit]
        more = len(found) > limit
        return RunPage(
            tuple(run_record(run) for run in page),
            json.dumps(place(page[-1])) if more else None,
        )

    def count_runs(self) -> Mapping[RunStatus, int]:
        return Counter(run.status for run in self._runs.values())

    def list_unknown(self, *, grace_ms: int) -> list[tuple[str, str]]:
        validation.check_grace(grace_ms)
        until, fails = self.now() - grace_ms, {JobKind.ACTIVITY, JobKind.WORKFLOW_TASK}
        waiting = {
            (job.new.queue, job.new.type)
            for job in self._in_state(JobState.WAITING)
            if job.new.kind in fails
        }
        since = self._unknown_since
        return sorted(pair for pair in waiting if since.get(pair, until + 1) <= until)[
            :MAX_STEP
        ]

    def list_overdue(self, *, limit: int = MAX_STEP) -> list[Overdue]:
        validation.check_limit(limit)
        found = [
            (run.deadline_at, run.id, Overdue(run=run_record(run)))
            for run in self._runs.values()
            if run.open and run.deadline_at is not None
        ]
        for job in self._jobs.values():
            if job.new.kind is JobKind.ACTIVITY and job.deadline is not None:
                token = job.lease.token if job.lease else ""
                overdue = Overdue(activity=record(job), token=token)
                found.append((job.deadline, job.new.id, overdue))
        over = [each for each in found if each[0] <= self.now()]
        over.sort(key=lambda each: each[:2])
        return [overdue for _, _, overdue in over[:limit]]

    def wait_run(self, run_id: str, *, length: int, timeout_s: float) -> bool:
        run = self._runs.get(run_id)
        return run is None or not run.open or len(run.events) > length

    def wait_value(self, space: str, key: str, *, timeout_s: float) -> bytes | None:
        return self.pop_value(space, key)

    def fsck(self) -> list[str]:
        """What the rules of runs rule out, too."""
        faults = super().fsck()
        for run in self._runs.values():
            task, work = self._task(run), self._activities(run)
            if run.open and run.inbox and task is None:
                faults.append(f"{run.id}: an inbox and no task")
            if run.open and self._current[run.new.workflow_id] != run.id:
                faults.append(f"{run.id}: open and not current")
            pending = [job for job in work if job.state is not JobState.ACTIVE]
            if not run.open and (task or run.inbox or run.timers or pending):
                faults.append(f"{run.id}: closed, but not over")
        faults += [
            f"{job.new.id}: of no run"
            for job in self._jobs.values()
            if not job.plain
            and job.new.kind is not JobKind.UPKEEP
            and job.new.run_id not in self._runs
        ]
        return faults


def place(run: Run) -> tuple[int, str]:
    """Where a run stands in lists."""
    return run.started_at, run.id


def read_cursor(cursor: str) -> tuple[int, str]:
    try:
        started_at, run_id = json.loads(cursor)
    except (ValueError, TypeError):
        raise InvalidArgumentError("not a cursor of this store") from None
    if not isinstance(started_at, int) or not isinstance(run_id, str):
        raise InvalidArgumentError("not a cursor of this store")
    return started_at, run_id


def run_record(run: Run) -> RunRecord:
    """Return everything known of a run but its events."""
    return RunRecord(
        workflow_id=run.new.workflow_id,
        run_id=run.id,
        first_run_id=run.first_run_id,
        type=run.new.type,
        task_queue=run.new.task_queue,
        task_type=run.new.task_type,
        status=run.status,
        started_at=run.started_at,
        closed_at=run.closed_at,
        length=len(run.events),
        size=sum(len(event) for event in run.events),
        last_at=run.last_at,
        inbox=len(run.inbox),
        inbox_seq=run.inbox_seq,
        deadline_at=run.deadline_at,
        cancel_requested=run.cancel_requested,
        priority=run.new.priority,
        parent=run.new.parent,
        next_run_id=run.next_run_id,
        info=run.info,
        failure=run.failure,
    )
