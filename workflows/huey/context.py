"""What a running job may know of itself."""

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

from workflows.runtime.lease import Lease

current_lease: ContextVar[Lease | None] = ContextVar("current_lease", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """Given to a `context=True` job as its keyword argument `job`.

    `idempotency_key` is the same for every attempt: give it to the outside service.
    """

    id: str
    queue: str
    attempt: int  # from 1; attempts that were released or stalled do not count
    stalls: int
    created_at: datetime
    first_started_at: datetime  # starts anew only when its dead letter is retried
    trace: str

    @property
    def idempotency_key(self) -> str:
        """The job's id: the same on every attempt and redelivery."""
        return self.id


def job_context(lease: Lease) -> JobContext:
    """Return what a lease tells its job."""
    job = lease.job
    return JobContext(
        id=job.id,
        queue=job.queue,
        attempt=job.attempt,
        stalls=job.stalls,
        created_at=datetime.fromtimestamp(job.created_at / 1000, tz=UTC),
        first_started_at=datetime.fromtimestamp(job.first_started_at / 1000, tz=UTC),
        trace=job.trace,
    )
