"""Bidding rounds: opened, bid in, closed."""

from dataclasses import replace
from datetime import datetime

from workflows.marketplace import notices
from workflows.marketplace.bidding import (
    Bid,
    BidSource,
    BidStatus,
    Invitation,
    Round,
    RoundStatus,
)
from workflows.marketplace.change import Change, Noop
from workflows.marketplace.confirmation import OfferSource
from workflows.marketplace.errors import NOT_FOUND, PermanentError
from workflows.marketplace.metrics import count, observe
from workflows.marketplace.order import Order, OrderStatus
from workflows.marketplace.parties import SupplierKind
from workflows.marketplace.rules import bidding as rules
from workflows.marketplace.transitions.exhaustion import exhaust
from workflows.marketplace.transitions.offers import ask_fallback, offer
from workflows.marketplace.transitions.release import save_order

TIMEOUT_QUEUE = "bidding-timeout"


def open_round(change: Change, order: Order) -> Round:
    """Invite the wholesalers of the area to bid. The order must be `placed`."""
    earlier = change.work.rounds.of_order(order.id)
    opened = Round(
        id=f"rnd_{change.new_id()}",
        order_id=order.id,
        round_no=earlier[0].round_no + 1 if earlier else 1,
        opens_at=change.now,
        closes_at=change.now + change.terms.bidding_window,
        ceiling_paisa=order.ceiling_paisa,
        min_bids=change.terms.min_bids,
    )
    change.work.rounds.add(opened)
    save_order(change, order, replace(order, status=OrderStatus.BIDDING))
    for supplier in change.work.suppliers.active(SupplierKind.WHOLESALER, order.area):
        invited = Invitation(round_id=opened.id, supplier_id=supplier.id)
        change.work.invitations.add(invited)
        notices.invite(change, supplier, order, opened.id, opened.closes_at)
    change.timer(
        TIMEOUT_QUEUE,
        f"{TIMEOUT_QUEUE}:{opened.id}",
        {"roundId": opened.id, "source": "timer"},
        opened.closes_at + change.terms.ingest_grace,
    )
    change.note(order.id, "round_opened", round=opened.id)
    return opened


def submit_bid(
    change: Change,
    round_id: str,
    supplier_id: str,
    amount_paisa: int,
    *,
    sent_at: datetime,
    source: BidSource,
    source_ref: str | None = None,
    eta_minutes: int | None = None,
) -> Bid | Noop:
    """Take a bid; one that does not count is kept too, with the reason.

    A supplier's second bid takes the place of his first, and of its time. The same
    `source_ref` (an inbound message) is the same bid.

    Raises:
        PermanentError: no such round.
    """
    if source_ref is not None and change.work.bids.by_ref(source_ref) is not None:
        return Noop("duplicate")
    found = _get(change, round_id)
    invited = change.work.invitations.get(round_id, supplier_id) is not None
    sent = rules.trusted_time(sent_at, change.now)
    refused = rules.refusal(
        invited=invited,
        round_open=found.status is RoundStatus.OPEN
        and change.now <= found.closes_at + change.terms.ingest_grace,
        opens_at=found.opens_at,
        closes_at=found.closes_at,
        submitted_at=sent,
        amount_paisa=amount_paisa,
        ceiling_paisa=found.ceiling_paisa,
    )
    if refused is None:
        for bid in change.work.bids.active(round_id):
            if bid.supplier_id == supplier_id:
                old = replace(bid, status=BidStatus.SUPERSEDED)
                change.work.bids.move(bid, old)
    made = Bid(
        id=f"bid_{change.new_id()}",
        seq=change.work.sequences.take("bid"),
        round_id=round_id,
        supplier_id=supplier_id,
        amount_paisa=amount_paisa,
        submitted_at=sent,
        ingested_at=change.now,
        source=source,
        source_ref=source_ref,
        eta_minutes=eta_minutes,
        status=BidStatus.ACTIVE if refused is None else BidStatus.REJECTED,
        reject_reason=refused,
    )
    if not change.work.bids.add(made):
        return Noop("duplicate")
    count(change.work, "bids_total", verdict=refused or "accepted")
    return made


def close_round(change: Change, round_id: str) -> Round | Noop:
    """Close a round and offer the order to the best bidder.

    Too few bids: the search among what there is begins. Repeating it does nothing;
    the result depends on the stored bids alone, however late it is run.

    Raises:
        PermanentError: no such round.
    """
    found = _get(change, round_id)
    if found.status is not RoundStatus.OPEN:
        return Noop("already_closed")
    due_at = found.closes_at + change.terms.ingest_grace
    if change.now < due_at:
        return Noop("early", until=due_at)
    order = change.work.orders.get(found.order_id)
    if order is None or order.status is not OrderStatus.BIDDING:
        cancelled = replace(found, status=RoundStatus.CANCELLED, closed_at=change.now)
        change.work.rounds.move(found, cancelled)
        _count_closed(change, RoundStatus.CANCELLED)
        return Noop("state")
    observe(change.work, "round_close_late_seconds", change.now - due_at)
    bids = change.work.bids.active(round_id)
    best = rules.winner(bids, min_bids=found.min_bids)
    if best is None:
        return _without_winner(change, found, order)
    return _award(change, found, order, best)


def _award(change: Change, found: Round, order: Order, best: Bid) -> Round:
    change.work.bids.move(best, replace(best, status=BidStatus.WON))
    awarded = change.work.rounds.move(
        found,
        replace(
            found,
            status=RoundStatus.AWARDED,
            winner_bid_id=best.id,
            closed_at=change.now,
        ),
    )
    _count_closed(change, RoundStatus.AWARDED)
    late = (change.now - found.closes_at).total_seconds()
    change.note(order.id, "awarded", bid=best.id, lateSeconds=int(late))
    made = offer(
        change,
        order,
        supplier_id=best.supplier_id,
        amount_paisa=best.amount_paisa,
        source=OfferSource.BID,
        bid_id=best.id,
    )
    if made is None:
        exhaust(change, order, "no_time")
    return awarded


def _without_winner(change: Change, found: Round, order: Order) -> Round:
    closed = change.work.rounds.move(
        found, replace(found, status=RoundStatus.NO_BIDS, closed_at=change.now)
    )
    _count_closed(change, RoundStatus.NO_BIDS)
    save_order(change, order, replace(order, status=OrderStatus.FALLBACK))
    change.note(order.id, "no_bids", round=found.id)
    ask_fallback(change, order.id, 0, "no_bids")
    return closed


def _count_closed(change: Change, status: RoundStatus) -> None:
    path = "sweeper" if change.actor.startswith("sweeper:") else "timer"
    count(change.work, "rounds_closed_total", status=status, path=path)


def _get(change: Change, round_id: str) -> Round:
    found = change.work.rounds.get(round_id)
    if found is None:
        raise PermanentError(NOT_FOUND, f"no round {round_id}")
    return found
