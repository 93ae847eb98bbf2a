"""What WhatsApp tells us later: delivery statuses and messages from users."""

from datetime import datetime

from workflows.marketplace.compensation import compensate
from workflows.marketplace.message import MessageStatus
from workflows.marketplace.ports import Storage


def apply_status(
    storage: Storage,
    *,
    message_id: str | None,
    wamid: str,
    status: MessageStatus,
    at: datetime,
    code: str | None = None,
) -> bool:
    """Record a status webhook; `message_id` is its `biz_opaque_callback_data`.

    Statuses may come late, twice and in any order: the furthest one stands. It also
    resolves an ambiguous send. Returns False if no message is meant.
    """
    with storage.begin() as work:
        message = work.messages.get(message_id) if message_id else None
        message = message or work.messages.by_wamid(wamid)
        if message is None:
            return False
        reported = message.reported(status, wamid, at, code)
        if reported != message:
            work.messages.save(message, reported)
            compensate(work, message, reported, at)
        return True


def record_inbound(storage: Storage, sender: str, at: datetime) -> None:
    """Record that a user wrote: the 24 h window opens, a suppression ends."""
    with storage.begin() as work:
        work.recipients.put(work.recipients.get(sender).heard(at))
