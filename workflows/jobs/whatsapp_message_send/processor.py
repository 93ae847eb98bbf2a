"""Sends messages: the only code that talks to WhatsApp.

The lease is committed before the call, the outcome after it. If the process dies in
between, the row says `sending` with a lease that ends: the message may have been
sent, and is treated so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_fixed,
)

from workflows.exceptions import Snooze, StoreUnavailableError
from workflows.jobs.whatsapp_message_send import policy
from workflows.jobs.whatsapp_message_send.payload import WhatsAppMessageSend
from workflows.jobs.whatsapp_message_send.steps import (
    Defer,
    Done,
    Fail,
    Next,
    Probe,
    Send,
    Situation,
    Verdict,
    after_call,
    before_call,
)
from workflows.marketplace.channel import close_channel
from workflows.marketplace.compensation import compensate
from workflows.marketplace.errors import NOT_FOUND, PermanentError
from workflows.marketplace.message import (
    PROBE_INTERVAL,
    Clock,
    JobRun,
    Message,
    MessageStatus,
)
from workflows.marketplace.metrics import count, purpose_label
from workflows.marketplace.pair_limit import PairLimit
from workflows.marketplace.ports import (
    Accepted,
    JobQueue,
    MessageTransport,
    Storage,
)
from workflows.marketplace.relevance import relevant
from workflows.marketplace.sql.work import SqlWork
from workflows.marketplace.whatsapp_errors import SendFailure, classify

Result = dict[str, str | int | None]

# What was sent and is not written down is sent again; so a busy database is waited for.
_INSISTING = Retrying(
    retry=retry_if_exception_type(StoreUnavailableError),
    stop=stop_after_delay(policy.INSIST),
    wait=wait_fixed(0.2),
    reraise=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatsAppSender:
    """Processes `whatsapp-message-send`; share one among threads."""

    storage: Storage
    transport: MessageTransport
    queue: JobQueue
    clock: Clock
    new_id: Callable[[], str]
    pair_limit: PairLimit
    ambiguous_check: timedelta

    def run(self, payload: WhatsAppMessageSend, run: JobRun) -> Result:
        """Bring one message forward as far as it goes now.

        Safe to repeat at any point: what was sent is not sent again, what may have
        been sent is not sent again blindly.

        Raises:
            Snooze: not now; no attempt spent.
            TransientError: a call failed and may be repeated; spends an attempt.
            PermanentError: it can never be sent.
            StoreUnavailableError: the database is busy; nothing changed.
        """
        message, verdict = self._prepare(payload, run)
        if isinstance(verdict, Probe) and self.transport.probe():
            close_channel(self.storage, self.queue)
            message, verdict = self._prepare(payload, run)
        if isinstance(verdict, Probe):  # still down, or down again
            verdict = Defer(PROBE_INTERVAL, "parked")
        if isinstance(verdict, Send):
            outcome = self.transport.send(message)
            message, verdict = _INSISTING(self._record, message, outcome, run)
        return _conclude(message, verdict)

    def _prepare(
        self, payload: WhatsAppMessageSend, run: JobRun
    ) -> tuple[Message, Verdict]:
        with self.storage.begin() as work:
            message = self._row(work, payload, run)
            situation = self._situation(work, message, run)
            return _write(work, message, before_call(message, situation), situation.now)

    def _record(
        self, leased: Message, outcome: Accepted | SendFailure, run: JobRun
    ) -> tuple[Message, Verdict]:
        with self.storage.begin() as work:
            current = work.messages.get(leased.id) or leased
            _count_call(work, leased, outcome)
            if not isinstance(outcome, Accepted) and current.version != leased.version:
                # Somebody decided about it meanwhile; what failed here is old news.
                return current, Defer(policy.IN_FLIGHT_DELAY, "in_flight")
            situation = self._situation(work, current, run)
            step = after_call(current, outcome, situation)
            return _write(work, current, step, situation.now)

    def _row(self, work: SqlWork, payload: WhatsAppMessageSend, run: JobRun) -> Message:
        if payload.message_id is not None:
            found = work.messages.get(payload.message_id)
            if found is None:
                raise PermanentError(NOT_FOUND, f"no message {payload.message_id}")
            return found
        return work.messages.add(
            Message(
                id=f"msg_{self.new_id()}",
                dedupe_key=payload.dedupe_key or f"adhoc:{run.job_id}",
                purpose=payload.purpose,
                to_phone=payload.phone_number,
                to_bsuid=payload.bsuid,
                content=payload.what,
                fallback=payload.fallback_template,
                delivery=payload.delivery,
                order_id=payload.order_id,
                not_before=payload.not_before,
                not_after=payload.not_after,
                created_at=self.clock(),
            )
        )

    def _situation(self, work: SqlWork, message: Message, run: JobRun) -> Situation:
        channel = work.channel.get()
        older = 0
        if channel.open:
            older = work.messages.parked_before(message.created_at, policy.PROBERS)
        return Situation(
            now=self.clock(),
            run=run,
            recipient=work.recipients.get(message.recipient_key),
            channel=channel,
            relevant=relevant(work, message, self.clock()),
            parked_before=older,
            pair_limit=self.pair_limit,
            ambiguous_check=self.ambiguous_check,
        )


def _write(
    work: SqlWork, old: Message, step: Next, now: datetime
) -> tuple[Message, Verdict]:
    saved = old if step.message == old else work.messages.save(old, step.message)
    if saved is None:
        return old, Defer(policy.IN_FLIGHT_DELAY, "in_flight")
    if saved is not old:
        _count_step(work, old, saved, step.verdict)
    compensate(work, old, saved, now)
    if step.recipient is not None:
        work.recipients.put(step.recipient)
    if step.channel is not None:
        work.channel.put(step.channel)
    return saved, step.verdict


def _count_call(
    work: SqlWork, message: Message, outcome: Accepted | SendFailure
) -> None:
    count(
        work,
        "wa_send_total",
        purpose=purpose_label(message.purpose),
        result="accepted" if isinstance(outcome, Accepted) else classify(outcome).act,
        code="" if isinstance(outcome, Accepted) else outcome.name,
    )


def _count_step(work: SqlWork, old: Message, new: Message, verdict: Verdict) -> None:
    ambiguous = MessageStatus.AMBIGUOUS
    if new.status is ambiguous and old.status is not ambiguous:
        count(work, "wa_ambiguous_total")
    if isinstance(verdict, Defer):
        count(work, "wa_deferred_total", why=verdict.why)


def _conclude(message: Message, verdict: Verdict) -> Result:
    match verdict:
        case Done(outcome):
            return {
                "outcome": outcome,
                "messageId": message.id,
                "wamid": message.wamid,
                "status": message.status,
                "attempts": message.attempts,
                "pacing": message.pacing,
            }
        case Defer(delay, why):
            raise Snooze(delay, why)
        case Fail(error):
            raise error
        case Send() | Probe():  # pragma: no cover - acted upon before
            raise AssertionError(verdict)
        case _:
            assert_never(verdict)
