"""The moves that every operation on runs is made of."""

from collections.abc import Iterable

from tests.oracle.memory import Job, Memory, Run, after
from workflows.engine.states import LIVE, PENDING, JobState
from workflows.exceptions import ConflictError, InvalidArgumentError, NotFoundError
from workflows.store import (
    Close,
    InboxEntry,
    InboxItem,
    JobKind,
    NewJob,
    NewRun,
    NewTimer,
    RunRef,
    RunStatus,
    task_job_id,
)

NOT_FAILED = {RunStatus.COMPLETED, RunStatus.CONTINUED_AS_NEW}


class Runs(Memory):
    """Runs come into being, hear of something, and close."""

    # -- lookups --

    def _current_run(self, workflow_id: str) -> Run | None:
        return self._runs.get(self._current.get(workflow_id, ""))

    def _resolve(self, ref: RunRef) -> Run | None:
        """The run that is meant, if all that is said of it is true."""
        run = self._current_run(ref.workflow_id)
        if ref.run_id is not None:
            run = self._runs.get(ref.run_id)
        if run is None or run.new.workflow_id != ref.workflow_id:
            return None
        return run if ref.first_run_id in {None, run.first_run_id} else None

    def _open_run(self, ref: RunRef) -> Run:
        run = self._resolve(ref)
        if run is None:
            raise NotFoundError(f"no run {ref}")
        if not run.open:
            raise ConflictError(f"run {run.id!r} is {run.status}")
        return run

    def _task(self, run: Run) -> Job | None:
        return self._jobs.get(task_job_id(run.id))

    def _activities(self, run: Run) -> list[Job]:
        return [
            job
            for job in self._in_state(*LIVE)
            if job.new.kind is JobKind.ACTIVITY and job.new.run_id == run.id
        ]

    # -- beginning --

    def _may_start(self, workflow_id: str, reuse: str) -> bool:
        """Whether a new run may follow the current one."""
        current = self._current_run(workflow_id)
        if current is None or reuse == "allow_duplicate":
            return current is None or not current.open
        failed = not current.open and current.status not in NOT_FAILED
        return reuse == "allow_duplicate_failed_only" and failed

    def _check_new_id(self, run_id: str) -> None:
        if run_id in self._runs:
            raise InvalidArgumentError(f"run {run_id!r} exists")

    def _create(self, new: NewRun, entries: Iterable[InboxEntry] = ()) -> Run:
        """Create a run with its first event, its inbox and its first task."""
        now = self.now()
        deadline_at = after(now, new.deadline_ms) or new.deadline_at
        run = Run(new, now, now, deadline_at, new.info, events=[new.started])
        self._runs[run.id] = run
        self._current[new.workflow_id] = run.id
        for entry in (*new.inbox, *entries):
            self._put(run, entry)
        self._make_task(run, new.delay_ms)
        return run

    def _make_task(self, run: Run, delay_ms: int = 0) -> None:
        task = NewJob(
            id=task_job_id(run.id),
            queue=run.new.task_queue,
            type=run.new.task_type,
            payload=b"",
            priority=run.new.priority,
            delay_ms=delay_ms,
            kind=JobKind.WORKFLOW_TASK,
            run_id=run.id,
        )
        self._insert(task)

    # -- the inbox --

    def _put(self, run: Run, entry: InboxEntry, at: int | None = None) -> bool:
        """Append an entry; of cancel entries a run takes one."""
        if entry.kind == "cancel":
            if run.cancel_requested:
                return False
            run.cancel_requested = True
        run.inbox_seq += 1
        when = self.now() if at is None else at
        item = InboxItem(seq=run.inbox_seq, at=when, kind=entry.kind, data=entry.data)
        run.inbox.append(item)
        return True

    def _receive(self, run: Run | None, entry: InboxEntry | None) -> bool:
        """Tell a run something; whether there is such an open run."""
        if run is None or not run.open:
            return False
        if entry is not None and self._put(run, entry):
            self._ensure_task(run)
        return True

    def _ensure_task(self, run: Run) -> None:
        """See to it that a run with something in its inbox has a task.

        A cancel request ends the delay of a start, not that after a failure.
        """
        task = self._task(run)
        if task is None:
            self._make_task(run)
        elif (
            run.cancel_requested
            and task.state is JobState.DELAYED
            and task.first_started_at is None
        ):
            self._pend(task, self.now())

    # -- timers --

    def _timers(self) -> list[tuple[Run, NewTimer]]:
        """All timers, in the order in which they fire."""
        timers = [(run, x) for run in self._runs.values() for x in run.timers.values()]
        return sorted(
            timers, key=lambda pair: (pair[1].due_at, pair[0].id, pair[1].key)
        )

    def _fire_timers(self, limit: int) -> int:
        now = self.now()
        due = [(run, timer) for run, timer in self._timers() if timer.due_at <= now]
        for run, timer in due[:limit]:
            del run.timers[timer.key]
            self._receive(run, timer.entry)
        return len(due[:limit])

    # -- the end --

    def _close(self, run: Run, close: Close, at: int) -> None:
        """Close an open run, with all that the contract puts into the same write."""
        run.events += close.events
        run.status, run.closed_at, run.last_at = close.status, self.now(), at
        run.timers.clear()
        self._remove_task(run)
        for job in self._activities(run):
            if job.state in PENDING:
                del self._jobs[job.new.id]
            else:
                job.cancel_requested = True
        if run.new.parent is not None:
            self._receive(self._runs.get(run.new.parent.run_id), close.outcome)
        for new in close.jobs:
            self._insert(new)
        if close.next_run is not None:
            run.next_run_id = close.next_run.run_id
            following = self._create(close.next_run)
            if close.carry:
                self._carry(run, following)
        run.inbox.clear()

    def _remove_task(self, run: Run) -> None:
        task = self._task(run)
        if task is not None:
            del self._jobs[task.new.id]
            if task.lease is not None:
                self._free(task.lease)

    def _carry(self, old: Run, new: Run) -> None:
        """Move the signals of one inbox to another, with their times."""
        for item in old.inbox:
            if item.kind == "signal":
                self._put(new, InboxEntry(kind=item.kind, data=item.data), item.at)
