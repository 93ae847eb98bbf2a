"""Local activities: run inside a workflow task, in threads of this process.

Their end becomes a marker of the task's commit, so a worker that dies before it runs
them again. Short retries happen here; a wait longer than the threshold goes back to
the workflow as a timer.
"""

import queue
import threading
import time
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from workflows.engine.activation import (
    Backoff,
    Cancelled,
    Completed,
    Failed,
    Resolution,
)
from workflows.engine.activity_retry import Again
from workflows.engine.activity_task import ActivityTask
from workflows.engine.commands import ScheduleLocalActivity
from workflows.engine.failure_json import (
    TimeoutKind,
    cancelled_failure,
    timeout_failure,
)
from workflows.engine.local_activities import LocalOutcome
from workflows.engine.replay import Replay
from workflows.engine.retry_policy import read_policy
from workflows.engine.timeouts import ActivityTimeouts, ActivityTimes, on_failure
from workflows.runtime.activity_run import (
    ActivityHost,
    Failing,
    Outcome,
    Succeeded,
    run_attempt,
)
from workflows.runtime.lease import MS, Lease, boot_ns
from workflows.store import Deadlines, JobKind, LeasedJob

THRESHOLD_MS = 10_000  # a longer wait is the workflow's: shorter than a task may last


class LocalRunner:
    """Runs the local activities of one workflow task."""

    def __init__(self, host: ActivityHost, replay: Replay, *, namespace: str) -> None:
        self._host = host
        self._replay = replay
        self._namespace = namespace
        self._ended: queue.SimpleQueue[LocalOutcome | BaseException]
        self._ended = queue.SimpleQueue()
        self._running: dict[int, ScheduleLocalActivity] = {}
        self._wake = threading.Event()
        self._lock = threading.Lock()

    # -- LocalActivities ---------------------------------------------------------------

    def start(self, command: ScheduleLocalActivity, at: int) -> None:
        """Begin one in a thread of its own."""
        self._running[command.seq] = command
        threading.Thread(
            target=self._run_or_tell,
            args=(command, at, boot_ns()),
            name=f"local-{command.activity_type}",
            daemon=True,
        ).start()

    def cancel(self, seq: int) -> None:
        """Resolve it as cancelled now; what its function still returns is dropped."""
        command = self._running.get(seq)
        if command is not None:
            failure = cancelled_failure(message="Activity cancelled")
            self._end(seq, Cancelled(failure=failure), at=0, attempt=1)

    def wait(self) -> Sequence[LocalOutcome]:
        """Block until at least one has ended. Raises what went wrong around one."""
        found = [self._next()]
        while not self._ended.empty():
            found.append(self._next())
        return found

    def _next(self) -> LocalOutcome:
        ended = self._ended.get()
        if isinstance(ended, LocalOutcome):
            return ended
        msg = "a local activity could not be run"
        raise RuntimeError(msg) from ended

    def stop(self) -> None:
        """Drop what still runs: the task is over."""
        with self._lock:
            self._running.clear()
        self._wake.set()

    # -- one activity ------------------------------------------------------------------

    def _run_or_tell(self, command: ScheduleLocalActivity, at: int, begun: int) -> None:
        try:
            self._run(command, at, begun)
        except BaseException as error:  # noqa: BLE001 - or the task waits for ever
            self._ended.put(error)

    def _run(self, command: ScheduleLocalActivity, at: int, begun: int) -> None:
        attempt = command.attempt
        scheduled_at = command.scheduled_at or at
        while command.seq in self._running:
            now = at + (boot_ns() - begun) // MS
            outcome = self._attempt(command, attempt, scheduled_at, now)
            now = at + (boot_ns() - begun) // MS
            resolution = self._resolve(command, outcome, attempt, scheduled_at, now)
            if not isinstance(resolution, Again):
                self._end(command.seq, resolution, at=now, attempt=attempt)
                return
            threshold = command.local_retry_threshold_ms or THRESHOLD_MS
            attempt += 1
            if resolution.delay_ms > threshold:
                later = Backoff(
                    attempt=attempt,
                    delay_ms=resolution.delay_ms,
                    scheduled_at=scheduled_at,
                )
                self._end(command.seq, later, at=now, attempt=attempt - 1)
                return
            self._wake.wait(resolution.delay_ms / 1000)

    def _end(
        self, seq: int, resolution: Resolution | Backoff, *, at: int, attempt: int
    ) -> None:
        with self._lock:
            if self._running.pop(seq, None) is None:
                return
        self._ended.put(
            LocalOutcome(seq=seq, resolution=resolution, at=at, attempt=attempt)
        )

    def _attempt(
        self, command: ScheduleLocalActivity, attempt: int, scheduled_at: int, now: int
    ) -> Outcome:
        job = self._job(command, attempt, scheduled_at, now)
        lease = Lease(job, ends_ns=2**63, granted_ns=boot_ns())
        limits: list[tuple[int, TimeoutKind]] = []
        if command.schedule_to_close_ms:  # of all attempts: what is left of it
            left = scheduled_at + command.schedule_to_close_ms - now
            limits.append((max(left, 0), "SCHEDULE_TO_CLOSE"))
        if command.start_to_close_ms:
            limits.append((command.start_to_close_ms, "START_TO_CLOSE"))
        if not limits:
            return run_attempt(self._host, self._task(command), lease, local=True)
        return self._limited(command, lease, *min(limits, key=itemgetter(0)))

    def _limited(
        self,
        command: ScheduleLocalActivity,
        lease: Lease,
        limit_ms: int,
        kind: TimeoutKind,
    ) -> Outcome:
        """Run it with a time limit; a function that goes on then is left alone."""
        done: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        task = self._task(command)
        threading.Thread(
            target=lambda: done.put(run_attempt(self._host, task, lease, local=True)),
            daemon=True,
        ).start()
        try:
            return done.get(timeout=limit_ms / 1000)
        except queue.Empty:
            return Failing(failure=dict(timeout_failure(kind)))

    def _resolve(
        self,
        command: ScheduleLocalActivity,
        outcome: Outcome,
        attempt: int,
        scheduled_at: int,
        now: int,
    ) -> Resolution | Again:
        if isinstance(outcome, Succeeded):
            return Completed(result=outcome.result)
        cause: Any = outcome.failure if isinstance(outcome, Failing) else {}
        times = ActivityTimes(
            scheduled_at=scheduled_at, attempt_at=now, started_at=now, attempt=attempt
        )
        spans = ActivityTimeouts(schedule_to_close=command.schedule_to_close_ms)
        policy = read_policy(command.retry_policy)
        then = on_failure(cause, spans, times, policy, now=now)
        if isinstance(then, Again):
            return then
        return Failed(failure=cause)

    def _task(self, command: ScheduleLocalActivity) -> ActivityTask:
        kind = self._replay.started.get("workflowType", {}).get("name", "")
        return ActivityTask(
            activity_id=command.activity_id,
            activity_type=command.activity_type,
            workflow_id=self._replay.workflow_id,
            workflow_type=kind,
            run_id=self._replay.run_id,
            namespace=self._namespace,
            scheduled_event_id=0,
            arguments=[dict(each) for each in command.arguments],
            headers={name: dict(each) for name, each in command.headers.items()},
            retry_policy=dict(command.retry_policy or {}),
        )

    def _job(
        self, command: ScheduleLocalActivity, attempt: int, scheduled_at: int, now: int
    ) -> LeasedJob:
        return LeasedJob(
            id=f"local:{self._replay.run_id}:{command.seq}",
            queue=self._host.task_queue,
            type=f"activity/{command.activity_type}",
            payload=b"",
            headers=b"",
            token=f"{time.monotonic_ns()}",
            attempt=attempt,
            stalls=0,
            priority=0,
            created_at=scheduled_at,
            ready_at=now,
            first_started_at=scheduled_at,
            started_at=now,
            expires_at=None,
            lease_until=0,
            trace="",
            kind=JobKind.ACTIVITY,
            run_id=self._replay.run_id,
            deadlines=Deadlines(
                start_to_close_ms=command.start_to_close_ms,
                schedule_to_close_ms=command.schedule_to_close_ms,
            ),
        )
