"""A message: one row of the outbox, its states, and how each follows another.

Every method returns the row as it should become; writing it is a compare-and-set on
`version` (see `workflows.marketplace.ports`). The states:

    queued → sending → accepted → sent → delivered → read
    queued → parked | expired | suppressed
    sending → queued (again) | ambiguous | failed
    accepted | sent → failed | queued (WhatsApp took it and could not deliver it)
    failed → delivered | read (told late)

A row that is to be sent (again) and has a `wamid` has that of a call that failed late.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from workflows.marketplace.content import Content, TemplateContent

Clock = Callable[[], datetime]

LEASE = timedelta(seconds=60)  # longer than one call can take
WINDOW = timedelta(hours=24)  # free-form is allowed so long after an inbound message
WINDOW_SAFETY = timedelta(seconds=60)
SUPPRESSION = timedelta(days=30)
MAX_CALLS = 3  # of one message, whoever asks for them
BACKOFF = timedelta(seconds=2)  # after the first failed call; then twice that
PROBE_INTERVAL = timedelta(seconds=60)


class MessageStatus(StrEnum):
    """Where a message is."""

    QUEUED = "queued"
    PARKED = "parked"  # the account is down; goes out when it works again
    SENDING = "sending"  # leased by one worker for one call
    AMBIGUOUS = "ambiguous"  # a call was made and its outcome is unknown
    ACCEPTED = "accepted"  # WhatsApp took it; that is not delivered
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    EXPIRED = "expired"  # worthless by now; never sent
    SUPPRESSED = "suppressed"  # unwanted or irrelevant; never sent


TAKEN = frozenset(
    {
        MessageStatus.ACCEPTED,
        MessageStatus.SENT,
        MessageStatus.DELIVERED,
        MessageStatus.READ,
    }
)
RANK: dict[MessageStatus, int] = {
    MessageStatus.ACCEPTED: 1,
    MessageStatus.SENT: 2,
    MessageStatus.FAILED: 3,
    MessageStatus.DELIVERED: 4,
    MessageStatus.READ: 5,
}  # every other status ranks 0


DELIVERIES = frozenset({MessageStatus.DELIVERED, MessageStatus.READ})


def next_status(current: MessageStatus, incoming: MessageStatus) -> MessageStatus:
    """Return the later of two statuses, as status webhooks report them.

    They come late, twice and out of order. A delivery beats an earlier failure.
    """
    return incoming if RANK.get(incoming, 0) > RANK.get(current, 0) else current


class Scope(StrEnum):
    """What a failure says about: this message, or the sending account."""

    MESSAGE = "message"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """The job that works on a row.

    `started_at` (of its first attempt) changes only when its dead letter is retried: a
    job that comes again after a crash has the same. `attempt` counts from 1.
    """

    job_id: str
    started_at: datetime
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one WhatsApp user. `id` is echoed in status webhooks."""

    id: str
    dedupe_key: str
    purpose: str
    to_phone: str | None
    to_bsuid: str | None
    content: Content
    fallback: TemplateContent | None
    delivery: Literal["at_least_once", "at_most_once"]
    order_id: str | None
    not_before: datetime | None
    not_after: datetime | None
    created_at: datetime
    status: MessageStatus = MessageStatus.QUEUED
    attempts: int = 0  # calls made, deferrals not counted
    deferrals: int = 0
    slot_at: datetime | None = None  # reserved with the pair limiter
    lease_until: datetime | None = None
    ambiguous_at: datetime | None = None
    wamid: str | None = None
    pacing: str | None = None
    error_code: str | None = None
    error_scope: Scope | None = None
    error_detail: str | None = None
    accepted_at: datetime | None = None
    status_at: datetime | None = None  # of the newest webhook status
    failed_at: datetime | None = None
    job_id: str | None = None
    job_started_at: datetime | None = None
    subject: str | None = None  # what it is about, for those who check it still holds
    version: int = 1

    @property
    def recipient_key(self) -> str:
        """The phone number if there is one, else the business-scoped user id."""
        return self.to_phone or self.to_bsuid or ""

    @property
    def free_form(self) -> bool:
        """Whether it may only go out within the 24 h window."""
        return not isinstance(self.content, TemplateContent)

    def taken_by(self, run: JobRun) -> "Message":
        """The row as worked on by this job."""
        return replace(self, job_id=run.job_id, job_started_at=run.started_at)

    def leased(self, now: datetime) -> "Message":
        """Queued → sending: one call is about to be made."""
        return replace(
            self,
            status=MessageStatus.SENDING,
            attempts=self.attempts + 1,
            lease_until=now + LEASE,
            slot_at=None,
        )

    def accepted(self, wamid: str, pacing: str | None, now: datetime) -> "Message":
        """WhatsApp took it; true whatever we thought of it meanwhile.

        Unless it has been told by then that this very call failed.
        """
        if self._unsent and self.wamid == wamid:
            return self
        return replace(
            self,
            status=next_status(self.status, MessageStatus.ACCEPTED),
            wamid=wamid if self._unsent else self.wamid or wamid,
            pacing=pacing,
            accepted_at=self.accepted_at or now,
            lease_until=None,
            ambiguous_at=None,
            error_code=None,
            error_detail=None,
        )

    def requeued(self, code: str | None = None, detail: str = "") -> "Message":
        """Back to queued, with the reason if a call failed."""
        return replace(
            self,
            status=MessageStatus.QUEUED,
            lease_until=None,
            ambiguous_at=None,
            error_code=code,
            error_detail=detail or None,
        )

    def as_template(self) -> "Message":
        """The same message as its fallback template, which then is used up."""
        if self.fallback is None:
            return self
        return replace(self, content=self.fallback, fallback=None)

    def restarted(self) -> "Message":
        """Failed → queued: its dead letter is retried, all counts start anew."""
        return replace(
            self.requeued(), attempts=0, deferrals=0, error_scope=None, failed_at=None
        )

    def doubtful(self, now: datetime) -> "Message":
        """Sending → ambiguous."""
        return replace(
            self, status=MessageStatus.AMBIGUOUS, ambiguous_at=now, lease_until=None
        )

    def failed(
        self, code: str, detail: str, now: datetime, scope: Scope = Scope.MESSAGE
    ) -> "Message":
        """Never sent, as far as we know."""
        return replace(
            self,
            status=MessageStatus.FAILED,
            lease_until=None,
            error_code=code,
            error_detail=detail[:500] or None,
            error_scope=scope,
            failed_at=now,
        )

    def reported(
        self, status: MessageStatus, wamid: str, at: datetime, code: str | None = None
    ) -> "Message":
        """The row after a status webhook; the same row if it says nothing new.

        Of a call that another one has followed, only a delivery is news.
        """
        newer = next_status(self.status, status)
        if newer is self.status and self.wamid is not None:
            return self
        if self._followed(wamid) and newer not in DELIVERIES:
            return self
        still = newer is MessageStatus.FAILED  # else an earlier error is made good
        failed = still and self.status is not newer
        return replace(
            self,
            status=newer,
            wamid=wamid if self._unsent else self.wamid or wamid,
            status_at=at,
            accepted_at=self.accepted_at or at,
            lease_until=None,
            failed_at=at if failed else self.failed_at,
            error_code=code if failed else self.error_code if still else None,
            error_detail=self.error_detail if still else None,
        )

    @property
    def _unsent(self) -> bool:
        return self.status not in RANK

    def _followed(self, wamid: str) -> bool:
        """Whether that call is over: another one was made, or is to be made."""
        if self.wamid is None:
            return False
        return (self.wamid == wamid) is self._unsent


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """What we know of a WhatsApp user. `key`: phone number or business-scoped id."""

    key: str
    last_inbound_at: datetime | None = None
    suppressed_until: datetime | None = None
    opted_out: bool = False
    pair_tat: datetime | None = None  # see PairLimit

    def unwanted(self, now: datetime) -> bool:
        """Whether nothing may be sent to it now."""
        return self.opted_out or (
            self.suppressed_until is not None and now < self.suppressed_until
        )

    def window_open(self, now: datetime) -> bool:
        """Whether free-form may be sent.

        Without any inbound message on record we do not know; WhatsApp does.
        """
        if self.last_inbound_at is None:
            return True
        return now < self.last_inbound_at + WINDOW - WINDOW_SAFETY

    def refused(self, now: datetime, *, opted_out: bool) -> "Recipient":
        """It cannot be reached by WhatsApp, or wants nothing from us."""
        if opted_out:
            return replace(self, opted_out=True)
        return replace(self, suppressed_until=now + SUPPRESSION)

    def heard(self, at: datetime) -> "Recipient":
        """It wrote to us: it exists, and the window is open."""
        latest = max(at, self.last_inbound_at or at)
        return replace(self, last_inbound_at=latest, suppressed_until=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """The circuit breaker of the sending account; open = nothing is sent.

    `probe_at`: when to ask whether it works again; None while open: a person must
    close it.
    """

    open_since: datetime | None = None
    probe_at: datetime | None = None
    code: str | None = None

    @property
    def open(self) -> bool:
        """Whether messages are parked."""
        return self.open_since is not None

    def opened(self, code: str, now: datetime, *, probe: bool = True) -> "Channel":
        """Open; if it is open already, the first opening stands."""
        if self.open:
            return self
        probe_at = now + PROBE_INTERVAL if probe else None
        return Channel(open_since=now, probe_at=probe_at, code=code)
