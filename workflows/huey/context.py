"""What a running job may know of itself."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from workflows.huey.reports import JobReports
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
    reports: JobReports | None = field(default=None, repr=False, compare=False)

    @property
    def idempotency_key(self) -> str:
        """The job's id: the same on every attempt and redelivery."""
        return self.id

    def update_progress(self, progress: Any) -> None:
        """Show how far the job is: any JSON value. One write, as each of these.

        They wait for the store (an `async def` job uses `asyncio.to_thread`), and do
        nothing in a context made by hand, without `reports`.

        Raises:
            LeaseLost: the job belongs to another run by now; let it end this one.
            PayloadError: the value cannot be stored.
        """
        if self.reports is not None:
            self.reports.progress(progress)

    def log(self, *lines: str) -> None:
        """Add lines to the job's log, which keeps the newest 1,000 of 8 KiB each."""
        if self.reports is not None:
            self.reports.log(lines)

    def update_payload(self, payload: Any) -> None:
        """Change the job's payload, for its next attempt and for people."""
        if self.reports is not None:
            self.reports.payload(payload)

    def checkpoint(self, cursor: Any) -> None:
        """Remember how far the work is done, for the next attempt of this job."""
        if self.reports is not None:
            self.reports.checkpoint(cursor)

    def last_checkpoint(self, hint: Any = None) -> Any:
        """Return the newest checkpoint of any attempt, as `hint`; None: there is none.

        It outlives retries, crashes and the dead-letter queue.
        """
        return None if self.reports is None else self.reports.last_checkpoint(hint)


def job_context(lease: Lease, reports: JobReports) -> JobContext:
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
        reports=reports,
    )
