"""Applies a webhook: statuses, answers by button, bids that suppliers typed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from workflows.marketplace.bidding import BidSource
from workflows.marketplace.change import Change, Marketplace
from workflows.marketplace.errors import INVARIANT, PermanentError
from workflows.marketplace.inbound import apply_status, record_inbound
from workflows.marketplace.metrics import count, observe
from workflows.marketplace.notices import OFFER_BUTTON
from workflows.marketplace.rules.bid_text import read_bid
from workflows.marketplace.rules.bidding import trusted_time
from workflows.marketplace.rules.tokens import token_fits
from workflows.marketplace.transitions.bidding import submit_bid
from workflows.marketplace.transitions.offers import answer, get_offer
from workflows.marketplace.webhook import Event, InboundMessage, StatusEvent

ACTOR = "webhook:whatsapp"
MAX_QUOTED = 200
OPT_OUT = frozenset({"stop", "बन्द"})
OPT_IN = frozenset({"start", "सुरु"})


@dataclass(frozen=True, slots=True)
class Received:
    """How many events were applied, and how many mean nothing to us."""

    applied: int
    ignored: int


def receive(market: Marketplace, events: Iterable[Event | None]) -> Received:
    """Apply the events of a webhook, each in a transaction of its own.

    Repeating it changes nothing: after an error the whole webhook may come again.

    Raises:
        StoreUnavailableError: some may not be applied; have it sent again.
        TransientError: the same.
    """
    applied = ignored = 0
    for event in events:
        if _apply(market, event):
            applied += 1
        else:
            ignored += 1
    return Received(applied, ignored)


def count_bad_signatures(change: Change, number: int) -> None:
    """Count webhooks that were refused for their signature."""
    count(change.work, "webhook_bad_signature_total", number)


def _apply(market: Marketplace, event: Event | None) -> bool:
    if isinstance(event, StatusEvent):
        return market.run(ACTOR, apply_status, event)
    if event is None:
        return False
    market.run(ACTOR, _heard, event)
    try:
        return market.run(ACTOR, _understand, event)
    except PermanentError as error:
        if error.code == INVARIANT:
            raise
        return False  # a button of an offer that is not there


def _heard(change: Change, message: InboundMessage) -> None:
    """Somebody wrote; if we cannot tell who, a person has to see to it."""
    if message.sender is None:
        change.ask_people(
            f"sender:{message.said}",
            "look",
            "whatsapp",
            f"A message came from {message.said!r}, which is neither a mobile number "
            "nor a business-scoped user id; nothing but its buttons was read.",
        )
        return
    record_inbound(change, message.sender, message.at)
    observe(change.work, "webhook_lag_seconds", change.now - message.at)
    word = (message.text or "").strip().casefold()
    if word in OPT_OUT | OPT_IN:
        known = change.work.recipients.get(message.sender)
        change.work.recipients.put(replace(known, opted_out=word in OPT_OUT))


def _understand(change: Change, message: InboundMessage) -> bool:
    """Take a message for what it is; the window is open whatever it says."""
    if message.button is not None:
        return _pressed(change, message, message.button)
    if message.text is not None:
        return _typed(change, message, message.text)
    return True


def _pressed(change: Change, message: InboundMessage, payload: str) -> bool:
    """An answer to an offer. The token says who may press; the sender does not."""
    parts = payload.split(":")
    if len(parts) != 4 or parts[0] != OFFER_BUTTON or parts[2] not in {"y", "n"}:
        return True  # "bid": he is about to type
    _, offer_id, said, token = parts
    supplier_id = get_offer(change, offer_id).supplier_id
    secret = change.terms.token_secret
    if not token_fits(
        token, secret=secret, kind=OFFER_BUTTON, id=offer_id, supplier_id=supplier_id
    ):
        return False
    answer(
        change,
        offer_id,
        accept=said == "y",
        supplier_id=supplier_id,
        answered_at=trusted_time(message.at, change.now),
        ref=message.wamid,
    )
    return True


def _typed(change: Change, message: InboundMessage, text: str) -> bool:
    """A bid, if an invited supplier typed one; unclear ones go to a person."""
    bid = read_bid(text)
    sender = message.sender
    supplier = None if sender is None else change.work.suppliers.by_address(sender)
    if supplier is None or bid is None:
        return True
    rounds = change.work.invitations.open_rounds(supplier.id)
    if len(rounds) != 1:
        quoted = f"{supplier.name} typed {text[:MAX_QUOTED]!r}; he is invited to "
        change.ask_people(
            f"bid:{message.wamid}",
            "call",
            f"supplier:{supplier.id}",
            quoted + f"{len(rounds)} open rounds; ask him which he means.",
        )
        return True
    submit_bid(
        change,
        rounds[0],
        supplier.id,
        bid.amount_paisa,
        sent_at=message.at,
        source=BidSource.WHATSAPP,
        source_ref=message.wamid,
        eta_minutes=bid.eta_minutes,
    )
    return True
