"""What happens next to a message: pure decisions over its row.

`before_call` is everything up to the one HTTP call, `after_call` everything that
follows from its outcome. Both return the row as it should become and a verdict; the
processor writes the row and only then acts on the verdict.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from workflows.jobs.whatsapp_message_send import policy
from workflows.marketplace.errors import (
    ChannelDownError,
    PermanentError,
    TransientError,
)
from workflows.marketplace.message import (
    PROBE_INTERVAL,
    TAKEN,
    Channel,
    JobRun,
    Message,
    MessageStatus,
    Recipient,
    Scope,
)
from workflows.marketplace.pair_limit import PairLimit
from workflows.marketplace.ports import Accepted
from workflows.marketplace.whatsapp_errors import (
    NEEDS_A_PERSON,
    OPTED_OUT,
    Act,
    SendFailure,
    classify,
)


@dataclass(frozen=True, slots=True)
class Send:
    """The row is leased: make the call."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The circuit is open and it is time to ask whether the account works."""


@dataclass(frozen=True, slots=True)
class Done:
    """The job is complete; `outcome` is `done` or `noop:<why>`."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Defer:
    """Not now; no attempt is spent."""

    delay: timedelta
    why: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The job raises this."""

    error: TransientError | PermanentError


Verdict = Send | Probe | Done | Defer | Fail


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a decision depends on beside the row; read in the same transaction."""

    now: datetime
    run: JobRun
    recipient: Recipient
    channel: Channel
    relevant: bool  # what the message says is still true
    parked_before: int  # parked messages older than this one, up to PROBERS
    pair_limit: PairLimit
    ambiguous_check: timedelta


@dataclass(frozen=True, slots=True)
class Next:
    """A verdict, and the rows to write before it is acted upon."""

    message: Message
    verdict: Verdict
    recipient: Recipient | None = None
    channel: Channel | None = None


# -- before the call -------------------------------------------------------------------


def before_call(message: Message, at: Situation) -> Next:
    """Decide whether the call is made now."""
    status = message.status
    if status in TAKEN:
        return Next(message, Done("noop:already_sent"))
    if status in {MessageStatus.EXPIRED, MessageStatus.SUPPRESSED}:
        return Next(message, Done(f"noop:{status}"))
    if status is MessageStatus.FAILED:
        return _failed_before(message, at)
    if status is MessageStatus.SENDING:
        return _sending_before(message, at)
    if status is MessageStatus.AMBIGUOUS:
        return _check_ambiguous(message, at)
    return _gates(message.taken_by(at.run), at)


def _failed_before(message: Message, at: Situation) -> Next:
    if message.job_id != at.run.job_id:  # another job with the same dedupe key
        return Next(message, Done("noop:failed"))
    if message.job_started_at is None:  # it failed late: this is its dead letter
        message = message.taken_by(at.run)
    elif message.job_started_at != at.run.started_at:  # its dead letter is retried
        return _gates(message.restarted().taken_by(at.run), at)
    # We died between writing this row and burying the job: bury it now.
    code, detail = message.error_code or "failed", message.error_detail or ""
    if message.error_scope is Scope.CHANNEL:
        return Next(message, Fail(ChannelDownError(code, detail)))
    return Next(message, Fail(PermanentError(code, detail)))


def _sending_before(message: Message, at: Situation) -> Next:
    if message.lease_until is not None and at.now < message.lease_until:
        # Not even counted: a write would take the row from the worker that sends.
        return Next(message, Defer(policy.IN_FLIGHT_DELAY, "in_flight"))
    # Its worker died during the call, so the message may have been sent.
    return _defer(
        message.taken_by(at.run).doubtful(at.now), at, at.ambiguous_check, "ambiguous"
    )


def _check_ambiguous(message: Message, at: Situation) -> Next:
    since = message.ambiguous_at or at.now
    once = message.delivery == "at_most_once"
    check_at = since + (policy.AT_MOST_ONCE_PATIENCE if once else at.ambiguous_check)
    if at.now < check_at:
        return _defer(message, at, check_at - at.now, "ambiguous")
    if once or message.attempts >= policy.ATTEMPTS:
        return _dead(message.taken_by(at.run), at, "ambiguous", "it may have been sent")
    return _gates(message.requeued().taken_by(at.run), at)


def _gates(message: Message, at: Situation) -> Next:
    """Check everything that can keep a queued message from going out, in order."""
    if message.not_after is not None and at.now >= message.not_after:
        return _drop(message, MessageStatus.EXPIRED, "noop:expired")
    if at.recipient.unwanted(at.now):
        return _suppress(message)
    if not at.relevant:
        return _drop(message, MessageStatus.SUPPRESSED, "noop:irrelevant")
    if message.not_before is not None and at.now < message.not_before:
        delay = message.not_before - at.now
        return Next(_queued(message), Defer(delay, "not_before"))
    if at.channel.open:
        return _park(message, at)
    if message.free_form and not at.recipient.window_open(at.now):
        if message.fallback is None:
            return _dead(message, at, "window_closed", "no fallback template")
        message = message.as_template()
    return _lease(message, at)


def _suppress(message: Message) -> Next:
    if message.purpose == "confirm_request":  # somebody waits for this answer
        error = PermanentError("recipient_unreachable")
        return Next(replace(message, status=MessageStatus.SUPPRESSED), Fail(error))
    return _drop(message, MessageStatus.SUPPRESSED, "noop:suppressed")


def _park(message: Message, at: Situation) -> Next:
    parked = replace(message, status=MessageStatus.PARKED)
    probe_at = at.channel.probe_at
    if probe_at is None or at.parked_before >= policy.PROBERS:
        return Next(parked, Defer(policy.PARKED_DELAY, "parked"))
    if at.now < probe_at:
        return Next(parked, Defer(probe_at - at.now, "parked"))
    # Moving the time on makes us the only one who asks.
    moved = replace(at.channel, probe_at=at.now + PROBE_INTERVAL)
    return Next(parked, Probe(), channel=moved)


def _lease(message: Message, at: Situation) -> Next:
    slot = message.slot_at
    if slot is not None and at.now < slot:
        return _defer(_queued(message), at, slot - at.now, "rate")
    if slot is not None and at.pair_limit.holds(slot, at.now):
        return Next(message.leased(at.now), Send())
    slot, tat = at.pair_limit.reserve(at.recipient.pair_tat, at.now)
    recipient = replace(at.recipient, pair_tat=tat)
    if slot <= at.now:
        return Next(message.leased(at.now), Send(), recipient)
    waiting = replace(_queued(message), slot_at=slot)
    deferred = _defer(waiting, at, slot - at.now, "rate")
    return replace(deferred, recipient=recipient)


# -- after the call ------------------------------------------------------------------


def after_call(
    message: Message, outcome: Accepted | SendFailure, at: Situation
) -> Next:
    """Decide what the outcome of a call means for its (sending) row."""
    if isinstance(outcome, Accepted):
        accepted = message.accepted(outcome.wamid, outcome.pacing, at.now)
        return Next(accepted, Done("done"))
    rule = classify(outcome)
    if rule.act is Act.AMBIGUOUS:
        doubtful = message.doubtful(at.now)
        return _defer(doubtful, at, at.ambiguous_check, "ambiguous")
    if rule.act is Act.CHANNEL:
        return _channel_down(message, outcome, at)
    if rule.act is Act.RECIPIENT:
        dead = _dead(message, at, outcome.name, outcome.detail)
        out = outcome.code == OPTED_OUT
        return replace(dead, recipient=at.recipient.refused(at.now, opted_out=out))
    attempts_left = message.attempts < policy.ATTEMPTS
    if rule.act is Act.TEMPLATE and message.fallback is not None and attempts_left:
        requeued = message.as_template().requeued(outcome.name, outcome.detail)
        return Next(requeued, Defer(timedelta(0), "as_template"))
    if rule.act is Act.RETRY:
        return _again(message, outcome, at, max(rule.floor, outcome.wait))
    return _dead(message, at, outcome.name, outcome.detail)


def _again(
    message: Message, failure: SendFailure, at: Situation, floor: timedelta
) -> Next:
    error = TransientError(failure.name, failure.detail, floor=floor)
    if message.attempts < policy.ATTEMPTS:
        return Next(message.requeued(failure.name, failure.detail), Fail(error))
    # The queue counts the same attempts and buries the job, unless some calls were
    # not attempts of this job: then the message's own count decides.
    failed = message.failed(failure.name, failure.detail, at.now)
    if at.run.attempt >= policy.ATTEMPTS:
        return Next(failed, Fail(error))
    return Next(failed, Fail(PermanentError(failure.name, failure.detail)))


def _channel_down(message: Message, failure: SendFailure, at: Situation) -> Next:
    probe = failure.code not in NEEDS_A_PERSON
    channel = at.channel.opened(failure.name, at.now, probe=probe)
    error = ChannelDownError(failure.name, failure.detail)
    failed = message.failed(failure.name, failure.detail, at.now, Scope.CHANNEL)
    return Next(failed, Fail(error), channel=channel)


# -- shared endings ------------------------------------------------------------------


def _queued(message: Message) -> Message:
    return replace(message, status=MessageStatus.QUEUED)


def _defer(message: Message, at: Situation, delay: timedelta, why: str) -> Next:
    """Count a deferral; one too many is the end."""
    if message.deferrals >= policy.MAX_DEFERRALS:
        return _dead(message, at, "deferred_too_long", f"last: {why}")
    counted = replace(message, deferrals=message.deferrals + 1)
    return Next(counted, Defer(delay, why))


def _drop(message: Message, status: MessageStatus, outcome: str) -> Next:
    return Next(replace(message, status=status), Done(outcome))


def _dead(message: Message, at: Situation, code: str, detail: str) -> Next:
    failed = message.failed(code, detail, at.now)
    return Next(failed, Fail(PermanentError(code, detail)))
