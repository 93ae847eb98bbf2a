"""Workflow runs as the store keeps them: opaque events, an inbox, one writer.

The store understands nothing of workflows. A *run* is an append-only list of events
(bytes; the n-th is event n), an *inbox* of entries that are not yet in the history,
and a status. Whoever holds the run's one workflow-task job is its only writer
(`Commit` in settlements.py); everybody else appends to the inbox.

Rules that hold in every write:

- An open run whose inbox is not empty has exactly one workflow-task job
  (`task_job_id`); whatever appends to the inbox makes it in the same write. With an
  empty inbox it has none, except the first one, which the start makes.
- A closed run has no workflow-task job, no timers, no inbox and no pending activities.
- At most one run of a workflow id is open; the newest run is the *current* one.
- What is said to a closed run is dropped where the sender is the engine, and refused
  where the sender is a client.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from workflows.store.jobs import NewJob
from workflows.store.records import JobRecord


def task_job_id(run_id: str) -> str:
    """Return the id of a run's workflow-task job."""
    return f"wft:{run_id}"


class RunStatus(StrEnum):
    """The status of a run; Temporal's names. Only RUNNING is open."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    TERMINATED = "terminated"
    CONTINUED_AS_NEW = "continued_as_new"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxEntry:
    """Something that happened to a run and is not in its history yet.

    `kind` is the engine's word; the store knows two: `signal` entries move on with
    continue-as-new, and of `cancel` entries a run takes one: more are accepted and
    dropped. `data` is opaque. `max_waiting`: it is refused (InboxFullError) if so many
    lie in the inbox already; heeded in what clients send, not in a commit.
    """

    kind: str
    data: bytes
    max_waiting: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxItem:
    """An entry as it lies in the inbox: numbered from 1 per run, with its time."""

    seq: int
    at: int
    kind: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The run that waits for this one's outcome, and whose close concerns it."""

    workflow_id: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to create, with its first event and its first workflow-task job.

    `task_type` is the type under which workers claim its tasks in `task_queue`
    (a job queue). `delay_ms`: the first task is due that much later; a `cancel` entry
    that comes into the inbox later ends that delay, nothing else does.
    `deadline_ms` (from the store's now) or `deadline_at`: when it is overdue.
    `inbox`: entries that lie there from the beginning. `info`: opaque, for readers.
    """

    workflow_id: str
    run_id: str
    type: str
    task_queue: str
    task_type: str
    started: bytes
    first_run_id: str = ""  # of the chain; empty: this run is its first
    info: bytes = b""
    delay_ms: int = 0
    deadline_ms: int | None = None
    deadline_at: int | None = None
    priority: float = 0
    parent: Parent | None = None
    inbox: tuple[InboxEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The end of a run. In the same write: its task, timers, inbox and pending
    activities go; running activities are asked to cancel.

    `events` are appended last. `outcome` goes to the parent's inbox, if it has one and
    that is open. `jobs` are enqueued. `next_run` is created and becomes the current
    run; with `carry`, the signals in the inbox move to it, in order and with their
    times, behind its own `inbox` (a Commit sees to it that nothing else is there).
    `next_run.workflow_id` is the run's own. `seen`: the length of the history and the
    newest inbox entry that a close from outside was made for: of a run that has gone on
    since, nothing is closed (ConflictError). None: however it is.
    """

    status: RunStatus
    events: tuple[bytes, ...] = ()
    outcome: InboxEntry | None = None
    jobs: tuple[NewJob, ...] = ()
    next_run: NewRun | None = None
    carry: bool = False
    seen: tuple[int, int] | None = None


# -- start and send --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun:
    """A start. `reuse` rules if the current run is closed, `conflict` if it is open.

    `terminate` closes the open run if `conflict` is `terminate_existing`. It is made
    for the run `replaces` (None: for any): if another one is open, the start raises
    ConflictError and is not remembered. `signal`
    (signal-with-start) lies in the new run's inbox, or is appended to the open run's
    if `conflict` is `use_existing`.
    """

    run: NewRun
    reuse: Literal[
        "allow_duplicate", "allow_duplicate_failed_only", "reject_duplicate"
    ] = "allow_duplicate"
    conflict: Literal["fail", "use_existing", "terminate_existing"] = "fail"
    terminate: Close | None = None
    replaces: str | None = None
    signal: InboxEntry | None = None


class StartStatus(StrEnum):
    """What became of a start."""

    STARTED = "started"
    EXISTING = "existing"  # an open run is used; nothing but the signal was added
    REFUSED = "refused"  # the policies forbid it; nothing was changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The answer of `start_run`: the run that was started, is used or is in the way."""

    status: StartStatus
    run_id: str
    first_run_id: str
    run_status: RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRef:
    """Names a run: the current one of the workflow id, or `run_id`.

    `first_run_id` must then be the first of its chain, or nothing is found.
    """

    workflow_id: str
    run_id: str | None = None
    first_run_id: str | None = None


# -- what a commit does beside its events --------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTimer:
    """Put `entry` into the run's own inbox at `due_at`. `key` is unique in the run."""

    key: str
    due_at: int
    entry: InboxEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelActivity:
    """Ask for an activity's cancellation.

    Pending: its job is removed and `entry` goes into the run's own inbox. Active: a
    request that its heartbeat returns. Otherwise nothing.
    """

    job_id: str
    entry: InboxEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class StartChild:
    """Start a child, as `start_run` with conflict `fail`; the answer comes as an entry
    in the run's own inbox: `started`, or `refused` if the policies forbid it.
    """

    run: NewRun
    reuse: Literal[
        "allow_duplicate", "allow_duplicate_failed_only", "reject_duplicate"
    ] = "allow_duplicate"
    started: InboxEntry
    refused: InboxEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """Put `entry` into the inbox of a run of another workflow id; `done` or `missing`
    (no such open run) goes into the run's own.

    A `cancel` entry for a closed run is `done`, and dropped. `child_only`: only to a
    run whose parent is this run.
    """

    to: RunRef
    entry: InboxEntry
    done: InboxEntry | None = None
    missing: InboxEntry | None = None
    child_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineLease:
    """Lease the activity with this job id to the caller in the same write.

    The granted job is in `Exchanged.jobs`. If pause, concurrency or rate of its queue
    forbid it, the activity waits like any other.
    """

    job_id: str
    token: str
    owner: str
    lease_ms: int = 30_000


# -- records to read -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """Everything known of one run but its events."""

    workflow_id: str
    run_id: str
    first_run_id: str
    type: str
    task_queue: str
    task_type: str
    status: RunStatus
    started_at: int
    closed_at: int | None
    length: int  # events
    size: int  # bytes of all events
    last_at: int  # of the newest commit; no later one has an earlier time
    inbox: int  # entries in the inbox
    inbox_seq: int  # number of the newest entry ever
    deadline_at: int | None
    cancel_requested: bool
    priority: float
    parent: Parent | None
    next_run_id: str | None
    info: bytes
    failure: bytes  # of the newest failed workflow task; empty after a good one


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRun:
    """A run with its events from a number on, and its inbox, at one moment."""

    run: RunRecord
    events: tuple[bytes, ...]
    inbox: tuple[InboxItem, ...]
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingWork:
    """What an open run waits for: `task` is its workflow-task job, if there is one.

    `tokens`: the lease tokens of active activities, by job id.
    """

    task: JobRecord | None
    activities: tuple[JobRecord, ...]
    timers: Mapping[str, int]  # key -> due_at
    children: tuple[RunRecord, ...]  # open ones
    tokens: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunPage:
    """A page of runs; `cursor` continues after it, None at the end."""

    runs: tuple[RunRecord, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """What is past a deadline: a run, or an activity with the token that holds it.

    `token` is empty for a pending activity; the pair (job id, "") is then the fence of
    its settlement.
    """

    run: RunRecord | None = None
    activity: JobRecord | None = None
    token: str = ""
