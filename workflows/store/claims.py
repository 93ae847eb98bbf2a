"""Leases: how they are asked for, and what comes of them until their end."""

from dataclasses import dataclass
from typing import Literal

from workflows.store.jobs import Deadlines, JobKind


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
    more (a detached activity it does not hold) when it is repeated later than
    `lease_ms`, may be answered anew.
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
    kind: JobKind = JobKind.PLAIN
    run_id: str = ""
    deadlines: Deadlines | None = None
    close_at: int | None = None  # end of schedule-to-close
    details: bytes = b""  # of the newest heartbeat of any attempt
    failure: bytes = b""  # of the newest failed attempt; engine-owned jobs only


@dataclass(frozen=True, slots=True)
class Renewed:
    """The answer of `renew`: ids whose lease is lost, ids somebody asks to cancel."""

    lost: tuple[str, ...]
    cancel_requested: tuple[str, ...]
    now: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What the sweep did with one lease.

    `lost`: an activity's lease ran out. Nothing was changed: whoever swept settles it
    with this `token`, as its retry policy says; until then each sweep lists it again.
    A query that ends is `dead`.
    """

    job_id: str
    queue: str
    type: str
    outcome: Literal["extended", "stalled", "dead", "cancelled", "lost"]
    token: str = ""  # of a lost one


@dataclass(frozen=True, slots=True)
class Beat:
    """The answer to a heartbeat: whether the token holds, and a cancellation is asked.

    `held` is false too if the activity's run is closed.
    """

    held: bool
    cancel_requested: bool
