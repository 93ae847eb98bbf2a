"""The queues that the marketplace's outbox leads to, and the marketplace itself."""

from datetime import timedelta

from workflows.huey.wrapper import JobWrapper
from workflows.marketplace.backoffice import OutboxJob
from workflows.marketplace.change import Marketplace
from workflows.marketplace.services import services

_QUEUES: dict[str, JobWrapper] = {}


def lead_to(*job_types: JobWrapper) -> None:
    """Have the outbox's jobs for these queues added as jobs of these types."""
    _QUEUES.update({one.job_type.queue: one for one in job_types})


class Queues:
    """The `JobAdder` of this process."""

    def add(self, job: OutboxJob, delay: timedelta) -> bool:
        """See `JobAdder.add`."""
        job_type = _QUEUES.get(job.queue)
        if job_type is None:
            return False
        job_type.enqueue(job.payload, job_id=job.job_id, delay=delay)
        return True


def marketplace() -> Marketplace:
    """Return the marketplace as the settings make it, on this process's queues."""
    parts = services()
    return Marketplace(
        storage=parts.storage,
        clock=parts.clock,
        new_id=parts.new_id,
        jobs=Queues(),
        terms=parts.settings.terms,
    )
