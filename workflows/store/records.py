"""What is read of jobs: one record, a page of them, the result of a step."""

from dataclasses import dataclass
from typing import Literal

from workflows.engine.states import DeadReason, JobState
from workflows.store.jobs import Deadlines, JobKind


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
    progress: bytes = b""  # as reported last, by any attempt
    checkpoint: bytes = b""
    logged: int = 0  # lines since ever
    kind: JobKind = JobKind.PLAIN
    run_id: str = ""
    deadlines: Deadlines | None = None
    close_at: int | None = None  # end of schedule-to-close
    beat_at: int | None = None  # newest heartbeat of the current attempt
    details: bytes = b""  # of the newest heartbeat of any attempt
    detached: bool = False  # active without a worker (async completion)


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of jobs; `cursor` continues after it, None at the end."""

    jobs: tuple[JobRecord, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """The result of a bounded step: how many records, and whether more remain."""

    count: int
    more: bool
