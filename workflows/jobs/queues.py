"""The queues that the marketplace's outbox leads to, and the marketplace itself."""

from collections.abc import Callable
from datetime import timedelta

from workflows.huey.wrapper import JobWrapper
from workflows.marketplace.backoffice import OutboxJob
from workflows.marketplace.change import Marketplace
from workflows.marketplace.services import services

Add = Callable[[OutboxJob, timedelta], None]
_QUEUES: dict[str, Add] = {}


def lead_to(*job_types: JobWrapper) -> None:
    """Have the outbox's jobs for these queues added as jobs of these types."""
    _QUEUES.update({one.job_type.queue: _adding(one) for one in job_types})


def hand_to(queue: str, add: Add) -> None:
    """Have the outbox's jobs for this queue handed to a function, perhaps twice."""
    _QUEUES[queue] = add


def _adding(job_type: JobWrapper) -> Add:
    def add(job: OutboxJob, delay: timedelta) -> None:
        job_type.enqueue(job.payload, job_id=job.job_id, delay=delay)

    return add


class Queues:
    """The `JobAdder` of this process."""

    def add(self, job: OutboxJob, delay: timedelta) -> bool:
        """See `JobAdder.add`."""
        add = _QUEUES.get(job.queue)
        if add is None:
            return False
        add(job, services().real(delay))
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
        timers=parts.settings.order_timers,
    )
