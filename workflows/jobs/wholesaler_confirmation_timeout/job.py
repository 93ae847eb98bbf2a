"""Registers `wholesaler-confirmation-timeout` and its sweep every two minutes."""

from workflows.app import huey
from workflows.jobs.put_off import put_off_while_unavailable
from workflows.jobs.queues import lead_to, marketplace
from workflows.jobs.wholesaler_confirmation_timeout import policy
from workflows.jobs.wholesaler_confirmation_timeout.payload import (
    WholesalerConfirmationTimeout,
)
from workflows.jobs.wholesaler_confirmation_timeout.processor import look_after_offers


@huey.job(
    name=policy.QUEUE,
    queue=policy.QUEUE,
    payload=WholesalerConfirmationTimeout,
    retry=policy.RETRY,
    timeout=policy.TIMEOUT,
)
def end_unanswered_offers(what: WholesalerConfirmationTimeout) -> dict[str, object]:
    """Look after an offer, or sweep; see `look_after_offers`."""
    with put_off_while_unavailable():
        return look_after_offers(marketplace(), what)


lead_to(end_unanswered_offers)
end_unanswered_offers.repeat(
    cron=policy.CRON,
    tz="Asia/Kathmandu",
    payload=WholesalerConfirmationTimeout(),
    overlap=False,
)
