"""Settlements: the ends of leases, and what is written together with them."""

from dataclasses import dataclass
from enum import StrEnum

from workflows.engine.states import DeadReason, JobState
from workflows.store.claims import LeasedJob
from workflows.store.jobs import NewJob
from workflows.store.runs import (
    CancelActivity,
    Close,
    Deliver,
    InboxEntry,
    InlineLease,
    NewTimer,
    StartChild,
)


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

    `outcome` is for an activity: if this settlement ends it (a Retry does so only after
    a cancel request), the entry goes into the inbox of its run, in the same write; if
    the run is closed, the activity ends and nothing more is written. An engine-owned
    job that ends leaves no record, whatever the settlement says, but is counted as
    every job is. A pending activity is settled with an empty token: the fence then is
    that it is pending (by Complete, Retry, Bury, Cancel or Expire: others are LOST);
    its history then shows a run of no owner and no length.
    """

    job_id: str
    token: str
    jobs: tuple[NewJob, ...] = ()
    values: tuple[Value, ...] = ()
    join: Join | None = None
    outcome: InboxEntry | None = None


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
    `renew` still extends, runs out and is swept (without a stall). Of what has no
    place there (a workflow task, a query, an activity that is detached or pending)
    nothing lingers.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Detach(Settlement):
    """The activity will be completed from elsewhere, with this token.

    It stays active without a worker: no renewal, no sweep, no place in the queue's
    concurrency; its deadlines hold. The token is its fence until it is settled: `beat`
    and settlements take it, `renew` calls it lost, and a repeated claim (or commit, if
    it was inline) does not return the job. A repeat changes nothing.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetry:
    """A failed workflow task: run it again later; `failure` says why (shown, kept)."""

    delay_ms: int
    failure: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit(Settlement):
    """The result of one workflow task: history and effects, all or nothing.

    The lease (job_id, token) is that of the run's workflow-task job, or of an activity
    of the run that has just ended and whose outcome is in `events` (the *inline
    chain*): the activity then ends as by Complete, or Bury if `failed`.

    Checked in this order, each before the first write; nothing changes but on OK, and
    the lease stays as it is:

    - LOST, ALREADY: the fence, as for every settlement.
    - CONFLICT: the run is closed; or it does not have exactly `length` events; or `at`
      is before the run's `last_at` or after the store's now; or the lease is another
      run's or a query's, or an activity's while the run has a workflow-task job (or
      with `retry`); or the id of a new run (child, next) exists; or the next run is of
      another workflow id.
    - AGAIN: `close` while the inbox holds entries beyond `taken` that it would drop
      (with `carry`: any that is no signal).

    Then, in this order: inbox entries numbered <= `taken` go; `events` are appended;
    timers, activities, cancellations, children and deliveries take effect; `inline`
    is leased; `info` replaces the run's if it is not None; `close` closes it; an open
    run whose inbox is not empty has its workflow-task job waiting (a new one with no
    attempts), else that job is gone; it is counted as completed, the new one as
    enqueued. `run.last_at` becomes `at`, `run.failure` empty.

    With `retry` it is a failed task: only `events` and `taken` may be set beside it,
    and the job is pending again, its attempt spent.
    """

    run_id: str
    length: int
    at: int
    taken: int = 0
    events: tuple[bytes, ...] = ()
    timers: tuple[NewTimer, ...] = ()
    cancel_timers: tuple[str, ...] = ()
    activities: tuple[NewJob, ...] = ()
    cancel_activities: tuple[CancelActivity, ...] = ()
    children: tuple[StartChild, ...] = ()
    deliveries: tuple[Deliver, ...] = ()
    inline: InlineLease | None = None
    info: bytes | None = None
    close: Close | None = None
    failed: bool = False
    retry: TaskRetry | None = None


class SettleStatus(StrEnum):
    """What became of one settlement."""

    OK = "ok"
    ALREADY = "already"  # this token settled this job before; nothing was changed
    LOST = "lost"  # the token does not hold the job; nothing was changed
    CONFLICT = "conflict"  # a Commit whose picture of the run is not true any more
    AGAIN = "again"  # a Commit that closes, while new entries are in the inbox


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
