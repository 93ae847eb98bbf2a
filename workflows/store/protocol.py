"""The store protocol: every operation an adapter has.

What holds for all of them (time, order, limits, errors) stands in the package's own
docstring.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from workflows.engine.states import JobState
from workflows.store.claims import Claim, Renewed, Swept
from workflows.store.jobs import Enqueued, NewJob
from workflows.store.limits import MAX_DUE, MAX_STEP
from workflows.store.queues import Minute, QueueInfo, QueueLimits, WorkerInfo
from workflows.store.records import JobPage, JobRecord, Step
from workflows.store.reports import LogPage, Report
from workflows.store.run_operations import Runs
from workflows.store.schedules import FireStatus, Schedule
from workflows.store.settlements import Exchanged, Settlement
from workflows.store.values import KeyValues


class Store(KeyValues, Runs, Protocol):
    """The whole contract. One suite, `tests/contract`, checks it on every adapter."""

    # -- producers --

    def enqueue(self, jobs: Sequence[NewJob], *, request_id: str) -> list[Enqueued]:
        """Accept up to MAX_STEP jobs, all or none, in order; one answer per job.

        A repeat of `request_id` within REQUEST_MEMORY_MS returns the same answers and
        writes nothing, even if the jobs are finished and removed by now.

        Raises:
            InvalidArgumentError: too many jobs, or one that is not acceptable.
            StoreFullError: at the memory limit; nothing was accepted.
        """

    # -- workers --

    def exchange(
        self, settlements: Sequence[Settlement] = (), claim: Claim | None = None
    ) -> Exchanged:
        """Settle what is done and claim what is next, as one write.

        Settlements apply in order, each on its own fence: LOST and ALREADY change
        nothing and do not hinder the others. The claim then does what `promote_due`
        and `expire_due` do by default (all queues), and grants per queue in order of
        (priority, place), within pause, concurrency (active and lingering, over all
        processes) and rate limit. What has expired is not granted; a claim that finds
        more of it than one step may grant nothing. A repeated claim only reads.
        """

    def renew(
        self, owner: str, leases: Sequence[tuple[str, str]], *, lease_ms: int
    ) -> Renewed:
        """Extend the leases (job id, token) that still hold, to now + `lease_ms`.

        A lease that was settled, swept or granted to somebody else is lost and stays
        so. One that ran out but was not swept yet still holds. The token is the fence;
        `owner` is for people.
        """

    def report(self, job_id: str, token: str, report: Report) -> bool:
        """Keep what a plain job says while its lease holds; return whether it does.

        All of it or nothing. Of its lines the MAX_LOG newest are kept.
        """

    def sweep(self, *, interval_ms: int, limit: int = MAX_STEP) -> list[Swept]:
        """Take back leases that ran out; call it every `interval_ms` from anywhere.

        An expired lease costs a stall, not an attempt: the job waits again with its
        old priority and place, or, with more than `max_stalls` stalls, is a dead letter
        (`stalled`; the history shows the run as stalled either way). A lease has run
        out when its end is not in the future. If the previous sweep is more than two
        intervals ago (the store was down, the machine slept) or there was none, leases
        that end before now + `interval_ms` are first extended to now + their own
        length instead, each at most once until it is renewed; while `limit` leaves some
        unextended, the gap lasts. Lingering tokens follow the same rules, but are
        dropped without a stall when they run out; they are not listed.

        Engine-owned jobs: an activity is only listed as `lost`; a workflow task (and
        upkeep) never dies: it is pending again, at once after its first stall, then
        after 2^(n - 2) seconds for the n-th, at most 60; a query ends.
        """

    def promote_due(self, *, limit: int = MAX_DUE) -> tuple[int, int | None]:
        """Make due delayed jobs waiting, in order of (run_at, place), in new places.

        Then fire due timers of runs, in order of (due_at, run id, key): the entry goes
        into the run's inbox and the timer is gone. `limit` holds for each of the two.
        Returns how many of both, and in how many ms the next one is due (0: at once;
        None: neither a delayed job nor a timer).
        """

    def expire_due(self, *, limit: int = MAX_STEP) -> int:
        """Move waiting and delayed jobs to expired whose `expires_at` has come."""

    def bury_unknown(
        self, *, grace_ms: int, interval_ms: int, limit: int = MAX_STEP
    ) -> list[str]:
        """Bury waiting jobs of types that no living worker has known for `grace_ms`.

        Alive: heartbeat within 3 x `interval_ms`. Time counts only while this runs at
        least every two intervals (a longer pause starts it anew), so an outage of all
        workers buries nothing. Reason `unknown_type`; no attempt. Returns the ids.
        """

    def heartbeat(self, worker: WorkerInfo) -> None:
        """Say that a process lives; keeps one record per owner."""

    def retire_worker(self, owner: str) -> None:
        """Forget a process that stops cleanly."""

    def wait(self, queues: Mapping[str, Sequence[str]], timeout_s: float) -> bool:
        """Block until a job of these queues and types may be claimable, or timeout.

        Only a hint: it may wake for nothing and may miss; look again at least every
        second. Returns whether it was woken.
        """

    def wake(self) -> None:
        """End every `wait` of this process."""

    # -- operators --

    def cancel(self, job_id: str) -> Literal["cancelled", "requested"]:
        """Cancel: pending at once; active: a request that its next renewal returns.

        Repeats return the same. Raises NotFoundError; ConflictError if terminal
        otherwise.
        """

    def reschedule(
        self, job_id: str, *, delay_ms: int = 0, run_at: int | None = None
    ) -> JobState:
        """Give a pending job a new due time and place. NotFoundError, ConflictError."""

    def promote(self, job_id: str) -> None:
        """Make a delayed job waiting now. NotFoundError; ConflictError otherwise."""

    def promote_all(self, queue: str, *, limit: int = MAX_STEP) -> Step:
        """Make delayed plain jobs of a queue waiting now, in order of (run_at, place).

        Each in a new place.
        """

    def amend(
        self,
        job_id: str,
        *,
        payload: bytes | None = None,
        priority: float | None = None,
    ) -> None:
        """Change a pending job or a dead letter; None: leave it. It keeps its place.

        NotFoundError; ConflictError in any other state.
        """

    def remove(self, job_id: str) -> None:
        """Delete all of a job, unless it is active. NotFoundError, ConflictError."""

    def retry_dead(self, job_id: str) -> None:
        """Make a dead letter waiting: same id, history and priority kept.

        Attempts, stalls and releases start anew; its dedup_id is not taken again and
        it no longer expires. NotFoundError; ConflictError if it is not failed.
        """

    def retry_dead_all(self, queue: str, *, limit: int = MAX_STEP) -> Step:
        """Retry dead letters of a queue, oldest first."""

    def clean(self, queue: str, *, limit: int = MAX_STEP) -> Step:
        """Delete dead letters of a queue, oldest first."""

    def drain(
        self, queue: str, *, delayed: bool = False, limit: int = MAX_STEP
    ) -> Step:
        """Delete waiting (and delayed) jobs of a queue."""

    def prune(
        self,
        queue: str,
        state: JobState,
        *,
        age_ms: int | None,
        keep: int | None,
        limit: int = MAX_STEP,
    ) -> Step:
        """Delete terminal records older than `age_ms` or beyond the `keep` newest.

        Oldest first. Refused for a live state.
        """

    def declare_queue(self, queue: str, limits: QueueLimits) -> None:
        """Make a queue known, with the limits that code declares."""

    def set_limits(self, queue: str, limits: QueueLimits | None) -> None:
        """Override the declared limits; None: back to them. NotFoundError."""

    def pause(self, queue: str, *, by: str = "") -> None:
        """Grant nothing from a queue until `resume`. NotFoundError."""

    def resume(self, queue: str) -> None:
        """End a pause. NotFoundError."""

    # -- schedules --

    def upsert_schedule(self, schedule: Schedule) -> None:
        """Create or change a schedule.

        If the stored one has the same `spec`, its slot stays; otherwise its slot is
        `schedule.next_at`. Its pause and last firing stay; a new one has not fired.
        """

    def fire_schedule(
        self,
        schedule_id: str,
        *,
        slot: int,
        next_at: int | None,
        jobs: Sequence[NewJob],
        skip_overlap: bool = False,
    ) -> FireStatus:
        """Move the slot on and enqueue its jobs: one compare-and-set, one write.

        Holds only if `next_at` of the stored schedule is `slot` and it is not paused.
        With `skip_overlap`, nothing is enqueued while its last job is live. Job ids are
        `sched:<id>:<slot>`; one that exists already is skipped. `last_slot` moves with
        the slot; `last_fired_at` and `last_job_id` (the last of `jobs`) only if fired
        with jobs.
        """

    def delete_schedule(self, schedule_id: str) -> bool:
        """Delete a schedule; its jobs stay. Returns whether it existed."""

    def pause_schedule(self, schedule_id: str, *, paused: bool) -> None:
        """Pause or resume firing. NotFoundError."""

    def list_schedules(self) -> list[Schedule]:
        """Return all schedules, by id."""

    # -- reads --

    def now(self) -> int:
        """Return the store's time."""

    def get_job(self, job_id: str) -> JobRecord | None:
        """Return one job."""

    def list_jobs(
        self, queue: str, state: JobState, *, limit: int = 50, cursor: str | None = None
    ) -> JobPage:
        """Return jobs of a queue in a state, keyset-paged (at most MAX_STEP).

        Order: waiting as claimed; delayed by due time; active by lease end; terminal
        newest first. InvalidArgumentError for a cursor this did not make.
        """

    def list_log(
        self, job_id: str, *, after: int = 0, limit: int = MAX_STEP
    ) -> LogPage:
        """Return the lines of a job with numbers above `after`. NotFoundError."""

    def list_queues(self) -> list[QueueInfo]:
        """Return every known queue, by name: declared or ever enqueued to."""

    def get_queue(self, queue: str) -> QueueInfo | None:
        """Return one queue; reading never creates it."""

    def series(self, queue: str, *, since_minute: int) -> list[Minute]:
        """Return the minutes of a queue that have counts; kept for at least a day."""

    def list_workers(self) -> list[WorkerInfo]:
        """Return the processes with a heartbeat in the last day, by owner."""

    # -- the store itself --

    def ping(self) -> None:
        """Raise StoreUnavailableError unless the store answers within two seconds."""

    def info(self) -> Mapping[str, str | int | bool]:
        """Return facts for people: engine, version, durability profile, size."""

    def fsck(self) -> list[str]:
        """Check every invariant; one sentence per violation, none is healthy."""

    def wipe(self) -> None:
        """Delete everything in the namespace (tests, `obliterate`)."""

    def close(self) -> None:
        """Give back connections; the next call opens new ones (also after a fork)."""
