"""What an order gives back when it is closed without delivery."""

from dataclasses import dataclass, replace

from workflows.marketplace import notices
from workflows.marketplace.bidding import BidStatus, RoundStatus
from workflows.marketplace.change import Change
from workflows.marketplace.confirmation import Confirmation, ConfirmationStatus
from workflows.marketplace.errors import INVARIANT, PermanentError
from workflows.marketplace.metrics import count
from workflows.marketplace.order import MOVES, Order, OrderStatus, PaymentStatus
from workflows.marketplace.sql.rows import LostRaceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What a closed order held."""

    hold_paisa: int = 0
    refund_due_paisa: int = 0
    round_id: str | None = None
    confirmation_id: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return it as jobs report it."""
        facts = {
            "holdPaisa": self.hold_paisa,
            "refundDuePaisa": self.refund_due_paisa,
            "roundId": self.round_id,
            "confirmationId": self.confirmation_id,
        }
        return {name: value for name, value in facts.items() if value is not None}


def save_order(change: Change, old: Order, new: Order) -> Order:
    """Write an order's transition.

    Raises:
        LostRaceError: it is no longer as `old`; the whole change starts again.
        PermanentError: no order moves like that (`MOVES`); nothing is written.
    """
    if new.status is not old.status and new.status not in MOVES[old.status]:
        text = f"order {old.id} cannot go from {old.status} to {new.status}"
        raise PermanentError(INVARIANT, text)
    if not change.work.orders.save(old, new):
        msg = f"order {old.id} was changed meanwhile"
        raise LostRaceError(msg)
    return new


def close_order(
    change: Change, order: Order, status: OrderStatus, reason: str
) -> tuple[Order, Released]:
    """Expire or cancel an order, and release everything that it holds.

    The open round ends, its bids are lost; the live offer is withdrawn and its
    supplier told; the credit is released; money received is due for refund.
    """
    paid = order.paid_paisa > 0
    payment = PaymentStatus.REFUND_DUE if paid else order.payment_status
    closed = replace(order, status=status, closed_reason=reason, payment_status=payment)
    save_order(change, order, closed)
    released = Released(
        hold_paisa=change.work.credit.release(order.id, change.now),
        refund_due_paisa=order.paid_paisa,
        round_id=cancel_round(change, order.id),
        confirmation_id=_withdraw_offer(change, order.id, reason),
    )
    ended = "expired" if status is OrderStatus.EXPIRED else "cancelled"
    count(change.work, f"orders_{ended}_total", reason=reason)
    if paid:
        count(change.work, "refund_due_total")
        change.ask_people(
            f"refund:{order.id}",
            "refund",
            f"order:{order.id}",
            f"Order {order.id} is {status}; refund {order.paid_paisa} paisa.",
        )
    facts = released.as_json()
    change.note(order.id, status, reason=reason, **{"from": order.status}, **facts)
    return closed, released


def cancel_round(change: Change, order_id: str) -> str | None:
    """Close an open round without a winner; lose all bids that are still active."""
    found = change.work.rounds.open_of(order_id)
    for earlier in change.work.rounds.of_order(order_id):
        lose_bids(change, earlier.id)
    if found is None:
        return None
    cancelled = replace(found, status=RoundStatus.CANCELLED, closed_at=change.now)
    change.work.rounds.move(found, cancelled)
    count(change.work, "rounds_closed_total", status="cancelled", path="order")
    return found.id


def lose_bids(change: Change, round_id: str) -> None:
    """Tell nobody, but no bid of this round can be taken any more."""
    for bid in change.work.bids.active(round_id):
        change.work.bids.move(bid, replace(bid, status=BidStatus.LOST))


def _withdraw_offer(change: Change, order_id: str, reason: str) -> str | None:
    offer = change.work.confirmations.live_of(order_id)
    if offer is None:
        return None
    end_offer(change, offer, ConfirmationStatus.WITHDRAWN, f"order_{reason}")
    notices.tell_offer_closed(change, offer, "the order is closed")
    return offer.id


def end_offer(
    change: Change, offer: Confirmation, status: ConfirmationStatus, reason: str
) -> Confirmation:
    """Move an offer to where it ends."""
    count(change.work, "confirmations_total", status=status)
    return change.work.confirmations.move(
        offer, replace(offer, status=status, reason=reason)
    )
