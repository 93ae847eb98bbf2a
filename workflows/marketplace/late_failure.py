"""What a failure means that is told of after WhatsApp took the message: pure decisions.

Many failures come only so, as a status. They mean the same as those of a call, and the
calls made so far count: it is sent again within them, or becomes a dead letter.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from workflows.marketplace.message import (
    BACKOFF,
    MAX_CALLS,
    Channel,
    Message,
    MessageStatus,
    Recipient,
    Scope,
)
from workflows.marketplace.whatsapp_errors import (
    NEEDS_A_PERSON,
    OPTED_OUT,
    Act,
    SendFailure,
    classify,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A status: of which call, and when WhatsApp says that it came to be so."""

    wamid: str
    at: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """The rows as they should become. `again_in`: None if it is not sent again."""

    message: Message
    again_in: timedelta | None = None
    recipient: Recipient | None = None
    channel: Channel | None = None


def after_late_failure(
    message: Message,
    failure: SendFailure,
    told: Told,
    recipient: Recipient,
    channel: Channel,
) -> Outcome | None:
    """Decide what a late failure means; None if it is no news."""
    status = MessageStatus.FAILED
    failed = message.reported(status, told.wamid, told.at, failure.name)
    if failed is message:
        return None
    rule = classify(failure)
    detail = failure.detail[:500]
    if message.attempts < MAX_CALLS:
        if rule.act is Act.RETRY:
            delay = max(rule.floor, BACKOFF * 2 ** max(message.attempts - 1, 0))
            return Outcome(_unfailed(failed).requeued(failure.name, detail), delay)
        if rule.act is Act.TEMPLATE and message.fallback is not None:
            as_template = _unfailed(failed).as_template()
            again = as_template.requeued(failure.name, detail)
            return Outcome(again, timedelta(0))
    down = rule.act is Act.CHANNEL
    dead = replace(
        failed,
        failed_at=told.now,
        error_detail=detail or None,
        error_scope=Scope.CHANNEL if down else Scope.MESSAGE,
    )
    if down:
        probe = failure.code not in NEEDS_A_PERSON
        opened = channel.opened(failure.name, told.now, probe=probe)
        return Outcome(dead, channel=opened)
    if rule.act is Act.RECIPIENT:
        out = failure.code == OPTED_OUT
        return Outcome(dead, recipient=recipient.refused(told.now, opted_out=out))
    return Outcome(dead)


def _unfailed(message: Message) -> Message:
    return replace(message, failed_at=None, accepted_at=None)
