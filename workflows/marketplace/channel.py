"""The end of an outage of the sending account."""

from workflows.marketplace.message import Channel
from workflows.marketplace.ports import JobQueue, Storage

BATCH = 1000


def close_channel(storage: Storage, queue: JobQueue) -> None:
    """Send again: close the circuit and set in motion what the outage held up.

    Dead letters of the outage are retried, parked messages run at once, oldest
    first. Repeating it does no harm; if it dies half way, parked messages look again
    by themselves within minutes, and whoever closes the circuit next retries the
    dead letters.
    """
    with storage.begin() as work:
        since = work.channel.get().open_since
        dead = [] if since is None else work.messages.failed_with_channel(since, BATCH)
    for message in dead:
        if message.job_id is not None:
            queue.retry_dead(message.job_id)
    with storage.begin() as work:
        work.channel.put(Channel())
        parked = work.messages.parked(BATCH)
    for message in parked:
        if message.job_id is not None:
            queue.promote(message.job_id)
