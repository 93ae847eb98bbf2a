"""The oracle's commits: the checks in their order, then the effects in theirs."""

from dataclasses import dataclass

from tests.oracle.claims import Claims
from tests.oracle.memory import Job, Run
from workflows.engine.states import PENDING, DeadReason, JobState
from workflows.store import (
    CancelActivity,
    Commit,
    Deliver,
    InlineLease,
    JobKind,
    SettleStatus,
    StartChild,
)


@dataclass(slots=True)
class Committed:
    """What became of a commit."""

    status: SettleStatus
    state: JobState | None = None


class Commits(Claims):
    """One workflow task's result, all or nothing; its lease holds."""

    def _commit(self, lease: Job, commit: Commit) -> Committed:
        run = self._runs.get(commit.run_id)
        if run is None or not self._fits(lease, run, commit):
            return Committed(SettleStatus.CONFLICT)
        if drops_unseen(run, commit):
            return Committed(SettleStatus.AGAIN)
        run.inbox = [item for item in run.inbox if item.seq > commit.taken]
        run.events += commit.events
        run.last_at, run.failure = commit.at, b""
        assert lease.lease is not None
        self._free(lease.lease)
        self._settled.add((commit.job_id, commit.token))
        if commit.retry is not None:
            return self._fail(lease, run, commit)
        state = self._end_lease(lease, commit)
        self._apply(run, commit)
        if commit.close is not None:
            self._close(run, commit.close, commit.at)
        elif run.inbox:
            self._ensure_task(run)
            if lease.new.kind is JobKind.WORKFLOW_TASK:
                state = JobState.WAITING
        return Committed(SettleStatus.OK, state)

    # -- checks --

    def _fits(self, lease: Job, run: Run, commit: Commit) -> bool:
        """Whether the commit's picture of the run is true."""
        task = self._task(run)
        mine = lease is task
        if lease.new.kind is JobKind.ACTIVITY:
            mine = lease.new.run_id == run.id and not task and not commit.retry
        new_runs = [child.run for child in commit.children]
        next_run = commit.close.next_run if commit.close else None
        if next_run is not None:
            new_runs.append(next_run)
        return (
            mine
            and run.open
            and len(run.events) == commit.length
            and run.last_at <= commit.at <= self.now()
            and not any(new.run_id in self._runs for new in new_runs)
            and (next_run is None or next_run.workflow_id == run.new.workflow_id)
        )

    # -- the lease --

    def _fail(self, task: Job, run: Run, commit: Commit) -> Committed:
        """A failed task is due again later."""
        assert commit.retry is not None
        run.failure = commit.retry.failure
        self._spend(task, "retry", commit.retry.failure)
        self._count(task.new.queue, "retried", "retried")
        self._pend(task, self.now() + commit.retry.delay_ms)
        return Committed(SettleStatus.OK, task.state)

    def _end_lease(self, job: Job, commit: Commit) -> JobState:
        """The task, or the activity, is done."""
        if commit.failed and job.new.kind is JobKind.ACTIVITY:
            self._spend(job, "dead")
            self._die(job, DeadReason.EXHAUSTED)
        else:
            self._spend(job, "completed")
            self._finish(job, JobState.COMPLETED)
        return job.state

    # -- effects --

    def _apply(self, run: Run, commit: Commit) -> None:
        for timer in commit.timers:
            run.timers[timer.key] = timer
        for key in commit.cancel_timers:
            run.timers.pop(key, None)
        for new in commit.activities:
            self._insert(new)
        for wish in commit.cancel_activities:
            self._cancel_activity(run, wish)
        for child in commit.children:
            self._start_child(run, child)
        for delivery in commit.deliveries:
            self._deliver(run, delivery)
        if commit.inline is not None:
            self._lease_inline(run, commit.inline)
        if commit.info is not None:
            run.info = commit.info

    def _lease_inline(self, run: Run, wish: InlineLease) -> None:
        job = self._jobs.get(wish.job_id)
        if job and job in self._activities(run) and self._may_run(job):
            self._grant(job, wish.token, wish.owner, wish.lease_ms)

    def _cancel_activity(self, run: Run, wish: CancelActivity) -> None:
        job = self._jobs.get(wish.job_id)
        if job is None or job not in self._activities(run):
            return
        if job.state in PENDING:
            del self._jobs[wish.job_id]
            self._put(run, wish.entry)
        else:
            job.cancel_requested = True

    def _start_child(self, run: Run, child: StartChild) -> None:
        may = self._may_start(child.run.workflow_id, child.reuse)
        if may:
            self._create(child.run)
        self._put(run, child.started if may else child.refused)

    def _deliver(self, run: Run, delivery: Deliver) -> None:
        target = self._resolve(delivery.to)
        parent = target.new.parent if target else None
        if delivery.child_only and (parent is None or parent.run_id != run.id):
            target = None
        if target and target.new.workflow_id == run.new.workflow_id:
            target = None
        found = self._receive(target, delivery.entry)
        if target and delivery.entry.kind == "cancel":
            found = True  # a closed run needs no cancelling
        answer = delivery.done if found else delivery.missing
        if answer is not None:
            self._put(run, answer)


def drops_unseen(run: Run, commit: Commit) -> bool:
    """Whether a close would drop entries that the committer has not seen."""
    if commit.close is None:
        return False
    unseen = [item for item in run.inbox if item.seq > commit.taken]
    if commit.close.carry:
        unseen = [item for item in unseen if item.kind != "signal"]
    return bool(unseen)
