"""What WhatsApp tells us later: delivery statuses and messages from users.

Transitions; statuses may come late, twice and in any order.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from workflows.marketplace.change import MESSAGE_QUEUE, Change
from workflows.marketplace.compensation import compensate
from workflows.marketplace.late_failure import Told, after_late_failure
from workflows.marketplace.message import DELIVERIES, Message, MessageStatus
from workflows.marketplace.metrics import count, observe, purpose_label
from workflows.marketplace.sql.rows import LostRaceError
from workflows.marketplace.webhook import StatusEvent
from workflows.marketplace.whatsapp_errors import SendFailure


def apply_status(change: Change, told: StatusEvent) -> bool:
    """Record a status: the furthest one stands. It resolves an ambiguous send too.

    A failure is classified as if the call had failed: the message is sent again, or
    becomes a dead letter; the recipient or the whole account may be affected. Returns
    False if no message of ours is meant.
    """
    work = change.work
    message = work.messages.get(told.message_id) if told.message_id else None
    message = message or work.messages.by_wamid(told.wamid)
    if message is None:
        return False
    at = min(told.at, change.now)
    if told.status is MessageStatus.FAILED:
        _failed(change, message, told, at)
        return True
    reported = message.reported(told.status, told.wamid, at)
    if reported is not message:
        _save(change, message, reported)
        _observe(change, message, reported, told)
    return True


def _failed(
    change: Change, message: Message, status: StatusEvent, at: datetime
) -> None:
    work = change.work
    outcome = after_late_failure(
        message,
        SendFailure(http_status=400, code=status.code, detail=status.detail),
        Told(wamid=status.wamid, at=at, now=change.now),
        work.recipients.get(message.recipient_key),
        work.channel.get(),
    )
    if outcome is None:
        return
    after = outcome.message
    job_id = f"{MESSAGE_QUEUE}:{message.id}:{change.new_id()}"
    if outcome.again_in is None:  # the job that took it is done: another is buried
        after = replace(after, job_id=job_id, job_started_at=None)
    saved = _save(change, message, after)
    _observe(change, message, saved, status)
    code = "unknown" if status.code is None else str(status.code)
    count(work, "wa_undelivered_total", code=code)
    run_at = change.now + (outcome.again_in or timedelta(0))
    change.later(MESSAGE_QUEUE, job_id, {"messageId": message.id}, run_at)
    compensate(work, message, saved, change.now)
    if outcome.recipient is not None:
        work.recipients.put(outcome.recipient)
    if outcome.channel is not None:
        work.channel.put(outcome.channel)


def _observe(change: Change, old: Message, new: Message, told: StatusEvent) -> None:
    observe(change.work, "webhook_lag_seconds", change.now - told.at)
    if new.status in DELIVERIES and old.status not in DELIVERIES:
        took = told.at - (old.accepted_at or told.at)
        purpose = purpose_label(new.purpose)
        observe(change.work, "wa_delivery_seconds", took, purpose=purpose)


def _save(change: Change, old: Message, new: Message) -> Message:
    saved = change.work.messages.save(old, new)
    if saved is None:
        msg = f"message {old.id} was changed meanwhile"
        raise LostRaceError(msg)
    return saved


def record_inbound(change: Change, sender: str, at: datetime) -> None:
    """Record that a user wrote: the 24 h window opens, a suppression ends."""
    known = change.work.recipients.get(sender)
    change.work.recipients.put(known.heard(min(at, change.now)))
