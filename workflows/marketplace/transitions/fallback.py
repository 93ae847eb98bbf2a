"""The search for the next supplier."""

from dataclasses import dataclass, replace

from workflows.marketplace.change import Change, Noop
from workflows.marketplace.confirmation import Confirmation, OfferSource
from workflows.marketplace.errors import NOT_FOUND, PermanentError
from workflows.marketplace.metrics import count
from workflows.marketplace.order import Order, OrderStatus
from workflows.marketplace.parties import PartyStatus, Strike, Supplier, SupplierKind
from workflows.marketplace.rules import offers as rules
from workflows.marketplace.transitions.exhaustion import exhaust
from workflows.marketplace.transitions.offers import offer
from workflows.marketplace.transitions.release import save_order

SEARCHING = frozenset(
    {OrderStatus.FALLBACK, OrderStatus.BIDDING, OrderStatus.AWAITING_CONFIRMATION}
)
BLAMED = frozenset({"timed_out", "withdrawn"})


@dataclass(frozen=True, slots=True)
class Exhausted:
    """Nobody is left to ask; the order is closed."""

    reason: str


def fall_back(
    change: Change, order_id: str, failed_attempt_no: int, reason: str
) -> Confirmation | Exhausted | Noop:
    """Offer an order to the next supplier after an attempt that failed (0: none).

    First the other bidders in their rank, then vendors by their price lists. Of two
    runs for the same attempt one makes the offer.

    Raises:
        PermanentError: no such order.
    """
    order = change.work.orders.get(order_id)
    if order is None:
        raise PermanentError(NOT_FOUND, f"no order {order_id}")
    offers = change.work.confirmations.of_order(order_id)
    if offers and offers[0].attempt_no > failed_attempt_no:
        return Noop("superseded")
    if change.work.confirmations.live_of(order_id) is not None:
        return Noop("superseded")
    if order.status not in SEARCHING:
        return Noop("state")
    if reason in BLAMED and offers:
        _strike(change, offers[0])
    if order.status is not OrderStatus.FALLBACK:
        moved = replace(order, status=OrderStatus.FALLBACK)
        order = save_order(change, order, moved)
    done = offer_next(change, order, OfferSource.FALLBACK)
    outcome = done.reason if isinstance(done, Exhausted) else "offered"
    count(change.work, "fallback_total", reason=reason, outcome=outcome)
    return done


def failed_attempt(change: Change, order_id: str) -> tuple[int, str]:
    """Return what a search goes on from: the number of the last offer, and its end."""
    offers = change.work.confirmations.of_order(order_id)
    if not offers:
        return 0, "no_bids"
    ended = offers[0].reason or ""
    known = BLAMED | {"unreachable"}
    return offers[0].attempt_no, ended if ended in known else "rejected"


def offer_next(
    change: Change, order: Order, source: OfferSource
) -> Confirmation | Exhausted:
    """Offer an order to whom it is best offered now; close it if there is nobody."""
    tried = change.work.confirmations.tried(order.id)
    attempts = len(change.work.confirmations.of_order(order.id))
    chosen = None
    if attempts < change.terms.max_offers:
        chosen = _bidder(change, order, tried) or _vendor(change, order, tried)
    if chosen is None:
        return _exhausted(change, order, "no_supplier")
    supplier_id, amount_paisa, bid_id = chosen
    made = offer(
        change,
        order,
        supplier_id=supplier_id,
        amount_paisa=amount_paisa,
        source=source,
        bid_id=bid_id,
    )
    return made or _exhausted(change, order, "no_time")


def _exhausted(change: Change, order: Order, reason: str) -> Exhausted:
    exhaust(change, order, reason)
    return Exhausted(reason)


Choice = tuple[str, int, str | None]  # supplier, amount, bid


def _bidder(change: Change, order: Order, tried: frozenset[str]) -> Choice | None:
    rounds = change.work.rounds.of_order(order.id)
    bids = change.work.bids.active(rounds[0].id) if rounds else []
    barred = {
        bid.supplier_id
        for bid in bids
        if not _available(change, change.work.suppliers.get(bid.supplier_id))
    }
    best = rules.next_bidder(
        bids,
        supplier_of=lambda bid: bid.supplier_id,
        excluded=tried | barred,
        ceiling_paisa=order.ceiling_paisa,
    )
    return None if best is None else (best.supplier_id, best.amount_paisa, best.id)


def _vendor(change: Change, order: Order, tried: frozenset[str]) -> Choice | None:
    lines = change.work.orders.lines(order.id)
    vendors = change.work.suppliers.active(SupplierKind.VENDOR, order.area)
    prices = [
        change.work.prices.standing_offer(vendor, lines)
        for vendor in vendors
        if _available(change, vendor)
    ]
    best = rules.next_vendor(
        [price for price in prices if price is not None],
        excluded=tried,
        ceiling_paisa=order.ceiling_paisa,
    )
    return None if best is None else (best.supplier_id, best.amount_paisa, None)


def _available(change: Change, supplier: Supplier | None) -> bool:
    """Whether a supplier may be asked: active, few strikes, reachable."""
    if supplier is None or supplier.status is not PartyStatus.ACTIVE:
        return False
    if _strikes(change, supplier.id) >= change.terms.strikes_to_suspend:
        return False
    address = supplier.phone or supplier.bsuid
    if address is None:
        return False
    return not change.work.recipients.get(address).unwanted(change.now)


def _strike(change: Change, failed: Confirmation) -> None:
    struck = Strike(
        confirmation_id=failed.id, supplier_id=failed.supplier_id, at=change.now
    )
    supplier = change.work.suppliers.get(failed.supplier_id)
    if not change.work.strikes.add(struck):
        return
    count(change.work, "supplier_strikes_total")
    if supplier is None:
        return
    if _strikes(change, supplier.id) < change.terms.strikes_to_suspend:
        return
    if supplier.status is PartyStatus.ACTIVE:
        suspended = replace(supplier, status=PartyStatus.SUSPENDED)
        change.work.suppliers.move(supplier, suspended)
        change.ask_people(
            f"suspended:{supplier.id}:{failed.id}",
            "call",
            f"supplier:{supplier.id}",
            f"{supplier.name} let too many offers run out and is suspended.",
        )


def _strikes(change: Change, supplier_id: str) -> int:
    since = change.now - change.terms.strike_memory
    return change.work.strikes.since(supplier_id, since)
