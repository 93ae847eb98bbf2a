"""Registers `bidding-timeout` and its sweep every two minutes."""

from workflows.app import huey
from workflows.jobs.bidding_timeout import policy
from workflows.jobs.bidding_timeout.payload import BiddingTimeout
from workflows.jobs.bidding_timeout.processor import close_rounds
from workflows.jobs.put_off import put_off_while_unavailable
from workflows.jobs.queues import lead_to, marketplace


@huey.job(
    name=policy.QUEUE,
    queue=policy.QUEUE,
    payload=BiddingTimeout,
    retry=policy.RETRY,
    timeout=policy.TIMEOUT,
)
def close_bidding(what: BiddingTimeout) -> dict[str, object]:
    """Close a round, or sweep; see `close_rounds`."""
    with put_off_while_unavailable():
        return close_rounds(marketplace(), what)


lead_to(close_bidding)
close_bidding.repeat(
    cron=policy.CRON,
    tz="Asia/Kathmandu",
    payload=BiddingTimeout(),
    overlap=False,
)
