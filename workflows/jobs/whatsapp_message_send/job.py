"""Registers `whatsapp-message-send`."""

from datetime import timedelta

from workflows.app import huey
from workflows.exceptions import ConflictError, NotFoundError
from workflows.huey.context import JobContext
from workflows.jobs.put_off import put_off_while_unavailable
from workflows.jobs.queues import lead_to
from workflows.jobs.whatsapp_message_send import policy
from workflows.jobs.whatsapp_message_send.payload import WhatsAppMessageSend
from workflows.jobs.whatsapp_message_send.processor import Result, WhatsAppSender
from workflows.marketplace.message import JobRun
from workflows.marketplace.services import services
from workflows.marketplace.settings import MarketplaceSettings
from workflows.settings import read_settings

SETTINGS = read_settings(MarketplaceSettings)  # a wrong one stops the start


@huey.job(
    name=policy.QUEUE,
    queue=policy.QUEUE,
    payload=WhatsAppMessageSend,
    retry=policy.RETRY,
    timeout=policy.TIMEOUT,
    concurrency=policy.CONCURRENCY,
    limiter={"max": SETTINGS.whatsapp_max_mps, "duration": 1000},
    context=True,
)
def send_whatsapp_message(message: WhatsAppMessageSend, *, job: JobContext) -> Result:
    """Send one WhatsApp message; see `WhatsAppSender.run`."""
    run = JobRun(job_id=job.id, started_at=job.first_started_at, attempt=job.attempt)
    with put_off_while_unavailable():
        return _sender().run(message, run)


lead_to(send_whatsapp_message)


def _sender() -> WhatsAppSender:
    parts = services()
    return WhatsAppSender(
        storage=parts.storage,
        transport=parts.transport,
        queue=MessageQueue(),
        clock=parts.clock,
        new_id=parts.new_id,
        pair_limit=parts.settings.pair_limit,
        ambiguous_check=timedelta(seconds=parts.settings.whatsapp_ambiguous_check_s),
    )


class MessageQueue:
    """The `JobQueue` of the marketplace: this queue."""

    def promote(self, job_id: str) -> None:
        """See `JobQueue.promote`."""
        try:
            huey.store.promote(job_id)
        except (NotFoundError, ConflictError):
            pass  # it runs, or has run, already

    def retry_dead(self, job_id: str) -> None:
        """See `JobQueue.retry_dead`."""
        try:
            huey.store.retry_dead(job_id)
        except (NotFoundError, ConflictError):
            pass  # somebody was faster, or cleaned it
