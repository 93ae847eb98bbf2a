"""The store: the one protocol behind which all truth lives, and its records.

Every operation is one atomic write (one SQLite transaction, one Lua script): it
validates everything, checks its fences, and only then writes. Whoever calls makes
all ids beforehand, so that a call whose reply was lost can be sent again; a
repeated id gets the same answer and changes nothing.

Times are the store's own, integer milliseconds since the epoch (`…_at`); spans are
integer milliseconds (`…_ms`). A store made with a `clock` works in *test mode*: it
takes every "now" from that clock. Only a namespace created in test mode accepts
this, and such a namespace accepts nothing else.

Order: one sequence numbers the *places* of the whole store. Every entry into waiting
or delayed takes the next place; only a stall and a release keep the old one. Waiting
jobs are ordered by (priority, place), delayed by (run_at, place), leases by (end, job
id), ended jobs by (finished_at, job id).

Limits and steps: a `limit` is 1 to MAX_STEP, or the call is refused. A step on an
unknown queue finds nothing. Refused means InvalidArgumentError and no change.

Any operation may raise `StoreUnavailableError`; those that grow the store may raise
`StoreFullError`. Adapters: `workflows.stores.sqlite`, `workflows.stores.redis`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from workflows.engine.states import DeadReason, JobState

REQUEST_MEMORY_MS = 15 * 60 * 1000  # request ids are remembered at least so long
MAX_STEP = 1000  # records that one bounded step touches at most
MAX_RELEASES = 10  # started releases after which the next one counts as a stall
MAX_HISTORY = 100  # attempts kept per job; older ones are dropped first


# -- enqueue --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to accept.

    At most one of `delay_ms` (from the store's now) and `run_at` is set; a time that
    is not in the future means waiting at once. `priority`: smaller first, finite.
    `dedup_id` admits one live job per (queue, dedup_id); it is free again when its
    owner ends or is removed. `headers`: bytes that belong to the message but are not
    its payload. Id, queue and type are not empty.
    """

    id: str
    queue: str
    type: str
    payload: bytes
    headers: bytes = b""
    priority: float = 0
    delay_ms: int = 0
    run_at: int | None = None
    expires_ms: int | None = None  # from the store's now; pending then: expired
    max_stalls: int = 3
    dedup_id: str | None = None
    trace: str = ""  # W3C traceparent


class EnqueueStatus(StrEnum):
    """What became of one job of an enqueue."""

    CREATED = "created"
    DUPLICATE = "duplicate"  # a job of this id exists; nothing was changed
    DEDUPLICATED = "deduplicated"  # a live job holds the dedup_id; nothing changed


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The answer per job; `id` is that of the existing job if nothing was created."""

    id: str
    status: EnqueueStatus


# -- claim ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QueueClaim:
    """Take from this queue jobs of these types only.

    `share`: how many in a first pass over the queues; the second pass, in the same
    order, fills what is left. That is how the caller weighs queues.
    """

    queue: str
    types: tuple[str, ...]
    share: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A request for leases.

    `slots`: jobs that can start now; `prefetch`: more, to be buffered. Jobs that
    stalled before (*suspects*) are granted only within `slots`, at most `suspects`
    of them; the others are passed over. `id` is fresh per claim and becomes the lease
    token of every job it grants. A repeated id returns only those jobs that this token
    still holds, as they are now. A claim that got nothing, or that holds nothing any
    more when it is repeated later than `lease_ms`, may be answered anew.
    """

    id: str
    owner: str  # the claiming process, as in WorkerInfo.owner
    queues: tuple[QueueClaim, ...]
    slots: int
    prefetch: int = 0
    suspects: int = 1
    lease_ms: int = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedJob:
    """A granted job with all that its run needs. `attempt` counts from 1."""

    id: str
    queue: str
    type: str
    payload: bytes
    headers: bytes
    token: str
    attempt: int
    stalls: int
    priority: float
    created_at: int
    ready_at: int  # as in JobRecord
    first_started_at: int  # of its first claim since enqueue or dead-letter retry
    started_at: int  # of this claim
    expires_at: int | None
    lease_until: int
    trace: str


# -- settle ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A value of space `result`, written with a settlement (Huey's results)."""

    key: str
    value: bytes
    ttl_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """One member of a fan-in ends; the last one enqueues `job` (a Huey chord).

    The member's `value` is kept in space `join` as `{key}:{index}`, counted once per
    index however often it is reported; the first report of an index wins.
    """

    key: str
    index: int
    size: int
    value: bytes
    job: NewJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The end of one lease, fenced by (job_id, token). Use a subclass.

    `jobs` are enqueued, `values` written, `join` reported and all locks of the lease
    freed in the same write. Follow-up jobs whose id or dedup_id is taken are skipped
    (what the end of this job frees, and the id of a record not kept, is not taken).
    A lease that ran out holds until it is swept.

    If somebody asked to cancel the job, a Retry or Release (and a stall) does not make
    it pending again: it ends as by Cancel (a Retry's `linger` holds).
    """

    job_id: str
    token: str
    jobs: tuple[NewJob, ...] = ()
    values: tuple[Value, ...] = ()
    join: Join | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete(Settlement):
    """The job is done. Spends the attempt. `remove`: keep no record of it."""

    result: bytes | None = None
    remove: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry(Settlement):
    """Run it again `delay_ms` from now (or at `run_at`).

    `spend=False` (RetryAfter, Snooze): the attempt is not counted. `linger`: the
    function still runs (a timeout in a thread): this token's place in the queue's
    concurrency and its locks stay held until `Return`, or until its lease, which
    `renew` still extends, runs out and is swept (without a stall).
    """

    failure: bytes = b""  # JSON of engine.failure.Failure; empty: none
    delay_ms: int = 0
    run_at: int | None = None
    spend: bool = True
    linger: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bury(Settlement):
    """The job is dead: it becomes a dead letter of its queue. Spends the attempt.

    `spend=False` for what never ran (undecodable, unknown type): no attempt counted,
    no run measured, but listed in the history. `remove`: keep no record of it
    (`remove_on_fail=True`); it is counted all the same. `linger`: as in Retry.
    """

    failure: bytes
    reason: DeadReason
    spend: bool = True
    remove: bool = False
    linger: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Return(Settlement):
    """The function of a lingering token returned: free its place and its locks.

    Status OK, also on repeats and when nothing lingers; the job's state is not touched.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Settlement):
    """Give it back: waiting again with its old priority and place, no attempt spent.

    `started=False`: it had only been buffered; its rate-limit slot is refunded (if the
    window of its claim is still open) and nothing is recorded, its `ready_at` stays.
    `started=True`: counted; after MAX_RELEASES of these each further one counts as a
    release and as a stall too (and may make it dead, as in `sweep`).
    """

    started: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(Settlement):
    """The job was cancelled while it ran (or was found revoked). State cancelled.

    Spends no attempt; the run is listed in the history.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire(Settlement):
    """The job was found expired after its claim. State expired; no attempt."""


class SettleStatus(StrEnum):
    """What became of one settlement."""

    OK = "ok"
    ALREADY = "already"  # this token settled this job before; nothing was changed
    LOST = "lost"  # the token does not hold the job; nothing was changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """The answer of `exchange`: one status per settlement, and the granted jobs.

    `next_in_ms`: when a claim that got less than it asked for should look again at the
    latest because of a due time, a rate window or a block; None: nothing is known.
    `revocations`: some value of space `revoked` exists (Huey's revoke keys).
    `states`: per settlement, the state that the job is in now (None unless OK).
    """

    statuses: tuple[SettleStatus, ...]
    states: tuple[JobState | None, ...]
    jobs: tuple[LeasedJob, ...]
    now: int
    next_in_ms: int | None = None
    revocations: bool = False


@dataclass(frozen=True, slots=True)
class Renewed:
    """The answer of `renew`: ids whose lease is lost, ids somebody asks to cancel."""

    lost: tuple[str, ...]
    cancel_requested: tuple[str, ...]
    now: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What the sweep did with one lease."""

    job_id: str
    queue: str
    type: str
    outcome: Literal["extended", "stalled", "dead", "cancelled"]


@dataclass(frozen=True, slots=True)
class Step:
    """The result of a bounded step: how many records, and whether more remain."""

    count: int
    more: bool


# -- records to read ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One ended run of a job: `attempt` is the number it ran under."""

    attempt: int
    started_at: int
    ended_at: int
    owner: str
    outcome: Literal[
        "completed", "retry", "snoozed", "dead", "released", "stalled", "cancelled"
    ]
    failure: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """Everything known of one job."""

    id: str
    queue: str
    type: str
    payload: bytes
    headers: bytes
    priority: float
    state: JobState
    attempts_made: int
    stalls: int
    releases: int
    max_stalls: int
    created_at: int
    run_at: int | None  # when it is due; delayed only
    ready_at: int  # when it last became waiting (promoted: its run_at; delayed: run_at)
    expires_at: int | None
    started_at: int | None  # of the newest claim
    finished_at: int | None
    owner: str | None  # of the lease, or of the newest one
    lease_until: int | None  # active only
    cancel_requested: bool  # active only
    dedup_id: str | None  # None after a dead-letter retry: it is not taken again
    result: bytes | None
    failure: bytes  # of the newest failure
    reason: DeadReason | None
    dead_retries: int  # how often it was retried from the dead-letter queue
    trace: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of jobs; `cursor` continues after it, None at the end."""

    jobs: tuple[JobRecord, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """Limits of a queue over all processes; None is no limit; numbers are >= 1.

    The rate is a fixed window that begins with the first claim in it (BullMQ's
    limiter): at most `rate_max` claims per `rate_ms`, retries included. Both are set
    or neither. A window keeps its start and count when limits change, and is measured
    by those that hold; claims without a rate limit are not counted.
    """

    concurrency: int | None = None
    rate_max: int | None = None
    rate_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueInfo:
    """A queue: how many records per state, totals since ever, settings.

    `totals` keys: enqueued, completed, cancelled, expired, stalled, retried (attempts
    that were spent and will run again), released (started only), `dead:<reason>`.
    They only grow; a key that is missing is 0.
    `limits` is what holds: the operator's setting if there is one, else the declared.
    """

    name: str
    counts: Mapping[JobState, int]
    totals: Mapping[str, int]
    paused: bool
    paused_by: str
    limits: QueueLimits
    overridden: bool  # the limits are the operator's
    oldest_waiting_at: int | None  # smallest ready_at among the heads of its types


@dataclass(frozen=True, slots=True)
class Minute:
    """Counts of one queue in one minute (`minute` = now // 60_000).

    Keys: enqueued completed retried dead cancelled expired stalled; `w<n>` and `r<n>`:
    spent attempts (completed, retried, buried) per bucket n of engine.histogram, of
    their wait (started_at - ready_at) and their run.
    """

    minute: int
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """A process that works on jobs. `queues`: the types it knows in each queue."""

    owner: str
    host: str
    pid: int
    queues: Mapping[str, tuple[str, ...]]
    slots: int
    running: int
    started_at: int
    version: str
    seen_at: int = 0  # set by the store
    schedules: tuple[str, ...] = ()  # ids of the schedules that its code declares


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A recurring job. `spec` is opaque to the store (engine.schedule reads it).

    `next_at` is the slot that fires next; None: never again. `declared`: it comes from
    code (a worker's `schedules` names it), not from the API.
    """

    id: str
    queue: str
    type: str
    payload: bytes
    spec: str
    headers: bytes = b""
    priority: float = 0
    max_stalls: int = 3
    expires_ms: int | None = None
    next_at: int | None
    declared: bool = False
    paused: bool = False
    last_slot: int | None = None
    last_fired_at: int | None = None
    last_job_id: str | None = None


class FireStatus(StrEnum):
    """What became of a firing."""

    FIRED = "fired"
    OVERLAP = "overlap"  # the slot moved on, but the last job is still live: no new one
    MISSED = "missed"  # the slot was not `slot` any more, or it is paused or gone


# -- the protocol -------------------------------------------------------------------


class KeyValues(Protocol):
    """Small values beside the jobs: what Huey's key-value storage needs.

    `space` separates kinds: result, value, revoked, lock, join, metric.
    """

    def put_value(
        self, space: str, key: str, value: bytes, *, ttl_ms: int | None = None
    ) -> None:
        """Set a value, replacing any."""

    def put_value_if_absent(
        self,
        space: str,
        key: str,
        value: bytes,
        *,
        ttl_ms: int | None = None,
        lease: tuple[str, str] | None = None,
    ) -> bool:
        """Set a value unless one exists; return whether it was set.

        With `lease` (job id, token; a token alone is shared by all jobs of its claim),
        the value belongs to that lease: it goes when the lease is settled, released or
        swept. If the lease does not hold (active or lingering), nothing is set.
        """

    def get_values(self, space: str, keys: Sequence[str]) -> dict[str, bytes]:
        """Return those of the values that exist."""

    def pop_value(self, space: str, key: str) -> bytes | None:
        """Remove a value and return it; one of many callers gets it."""

    def delete_value(self, space: str, key: str) -> bool:
        """Remove a value; return whether it existed."""

    def list_values(self, space: str) -> dict[str, bytes]:
        """Return all values of a space (for small spaces and tests)."""

    def flush_values(self, space: str) -> None:
        """Remove all values of a space."""

    def increment(self, space: str, key: str, amount: int = 1) -> int:
        """Add to a counter (absent: 0) and return it. Counters read as ASCII digits."""


class Store(KeyValues, Protocol):
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
        and `expire_due` do (all queues, MAX_STEP each), and grants per queue in order
        of (priority, place), within pause, concurrency (active and lingering, over all
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
        """

    def promote_due(self, *, limit: int = MAX_STEP) -> tuple[int, int | None]:
        """Make due delayed jobs waiting, in order of (run_at, place), in new places.

        Returns how many, and in how many ms the next one is due (0: at once; None: no
        delayed job).
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


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """What every adapter takes beside its URL."""

    namespace: str = "workflows"
    clock: Callable[[], int] | None = None  # test mode
    overrides: frozenset[str] = field(default_factory=frozenset)  # accepted risks
