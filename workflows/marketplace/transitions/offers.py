"""Offers: made to one supplier at a time, answered, timed out, withdrawn."""

from dataclasses import replace
from datetime import datetime

from workflows.marketplace import notices
from workflows.marketplace.change import Change, Noop
from workflows.marketplace.confirmation import (
    Confirmation,
    ConfirmationStatus,
    OfferSource,
)
from workflows.marketplace.errors import INVARIANT, NOT_FOUND, PermanentError
from workflows.marketplace.metrics import count, observe
from workflows.marketplace.order import Order, OrderStatus
from workflows.marketplace.rules import offers as rules
from workflows.marketplace.sql.rows import LostRaceError
from workflows.marketplace.transitions.release import (
    end_offer,
    save_order,
)

TIMEOUT_QUEUE = "wholesaler-confirmation-timeout"
FALLBACK_QUEUE = "vendor-fallback"


def offer(
    change: Change,
    order: Order,
    *,
    supplier_id: str,
    amount_paisa: int,
    source: OfferSource,
    bid_id: str | None = None,
) -> Confirmation | None:
    """Offer an order to a supplier; None: too little time is left to ask anybody.

    The order must be `bidding`, `placed` or `fallback`, with no live offer.
    """
    until = rules.respond_by(change.now, change.terms.confirm_window, order.expires_at)
    if until is None:
        return None
    if amount_paisa > order.ceiling_paisa:
        msg = f"{supplier_id} asks {amount_paisa}, more than {order.ceiling_paisa}"
        raise PermanentError(INVARIANT, msg)
    earlier = change.work.confirmations.of_order(order.id)
    made = Confirmation(
        id=f"cnf_{change.new_id()}",
        order_id=order.id,
        attempt_no=earlier[0].attempt_no + 1 if earlier else 1,
        supplier_id=supplier_id,
        source=source,
        amount_paisa=amount_paisa,
        requested_at=change.now,
        respond_by=until,
        bid_id=bid_id,
    )
    if not change.work.confirmations.add(made):
        msg = f"order {order.id} was offered to somebody meanwhile"
        raise LostRaceError(msg)
    save_order(change, order, replace(order, status=OrderStatus.AWAITING_CONFIRMATION))
    notices.request(change, order, made)
    change.timer(
        TIMEOUT_QUEUE,
        f"{TIMEOUT_QUEUE}:{made.id}",
        {"confirmationId": made.id, "source": "timer"},
        next_look(change, made),
    )
    change.note(
        order.id,
        "offered",
        attempt=made.attempt_no,
        supplier=supplier_id,
        amountPaisa=amount_paisa,
        source=source,
    )
    return made


def next_look(change: Change, offer: Confirmation) -> datetime:
    """When an offer needs attention next: half time, or the end and the grace."""
    half = rules.nudge_at(offer.requested_at, offer.respond_by)
    if half is not None and offer.nudged_at is None and change.now < offer.respond_by:
        return max(half, change.now)
    return offer.respond_by + change.terms.ingest_grace


def answer(
    change: Change,
    confirmation_id: str,
    *,
    accept: bool,
    supplier_id: str,
    answered_at: datetime,
    ref: str | None = None,
) -> Confirmation | Noop:
    """Take a supplier's answer; what comes late or twice changes nothing.

    Yes binds him to the order; no starts the search for the next. A no within a
    minute of the yes withdraws it.

    Raises:
        PermanentError: no such offer.
    """
    made = get_offer(change, confirmation_id)
    if made.supplier_id != supplier_id:
        return Noop("wrong_party")
    if made.status is ConfirmationStatus.CONFIRMED:
        return _second_thoughts(change, made, accept=accept, at=answered_at)
    if made.status is not ConfirmationStatus.PENDING:
        return Noop("same_answer" if _said(made, accept=accept) else "offer_closed")
    order = change.work.orders.get(made.order_id)
    if order is None or order.status is not OrderStatus.AWAITING_CONFIRMATION:
        return Noop("order_closed")
    if answered_at >= made.respond_by:
        if accept:
            count(change.work, "late_accept_total")
        return Noop("late")
    status = ConfirmationStatus.CONFIRMED if accept else ConfirmationStatus.REJECTED
    answered = change.work.confirmations.move(
        made, replace(made, status=status, answered_at=answered_at, answer_ref=ref)
    )
    count(change.work, "confirmations_total", status=status)
    took = answered_at - made.requested_at
    observe(change.work, "confirmation_answer_seconds", took)
    if accept:
        _bind(change, order, answered)
    else:
        to_fallback(change, order, answered, "rejected")
    return answered


def time_out(change: Change, confirmation_id: str) -> Confirmation | Noop:
    """End an offer that nobody answered; the search goes on.

    Raises:
        PermanentError: no such offer.
    """
    made = get_offer(change, confirmation_id)
    if made.status is not ConfirmationStatus.PENDING:
        return Noop("answered")
    due_at = made.respond_by + change.terms.ingest_grace
    if change.now < due_at:
        return Noop("early", until=due_at)
    order = change.work.orders.get(made.order_id)
    if order is None or order.status is not OrderStatus.AWAITING_CONFIRMATION:
        return Noop("state")
    ended = end_offer(change, made, ConfirmationStatus.TIMED_OUT, "timed_out")
    observe(change.work, "confirmation_timeout_late_seconds", change.now - due_at)
    notices.tell_offer_closed(change, ended, "you did not answer in time")
    to_fallback(change, order, ended, "timed_out")
    return ended


def nudge(change: Change, confirmation_id: str) -> Confirmation | Noop:
    """Remind a supplier once, at half time, if the window is long enough.

    Raises:
        PermanentError: no such offer.
    """
    made = get_offer(change, confirmation_id)
    half = rules.nudge_at(made.requested_at, made.respond_by)
    pending = made.status is ConfirmationStatus.PENDING
    if not pending or made.nudged_at is not None or half is None:
        return Noop("state")
    if not half <= change.now < made.respond_by:
        return Noop("not_half_time")
    nudged = change.work.confirmations.move(made, replace(made, nudged_at=change.now))
    notices.nudge(change, nudged)
    return nudged


def unreachable(change: Change, confirmation_id: str) -> Confirmation | Noop:
    """The message with the offer cannot be delivered: ask the next, without a strike.

    Raises:
        PermanentError: no such offer.
    """
    made = get_offer(change, confirmation_id)
    order = change.work.orders.get(made.order_id)
    if made.status is not ConfirmationStatus.PENDING or order is None:
        return Noop("answered")
    if order.status is not OrderStatus.AWAITING_CONFIRMATION:
        return Noop("state")
    ended = end_offer(change, made, ConfirmationStatus.SUPERSEDED, "unreachable")
    to_fallback(change, order, ended, "unreachable")
    return ended


def withdraw(change: Change, confirmation_id: str) -> Confirmation | Noop:
    """A supplier takes his yes back: a new deadline, and the search goes on.

    Raises:
        PermanentError: no such offer.
    """
    made = get_offer(change, confirmation_id)
    order = change.work.orders.get(made.order_id)
    if made.status is not ConfirmationStatus.CONFIRMED or order is None:
        return Noop("offer_closed")
    if order.status is not OrderStatus.CONFIRMED:
        return Noop("state")
    ended = end_offer(change, made, ConfirmationStatus.WITHDRAWN, "withdrawn")
    rearmed = replace(
        order,
        expires_at=change.now + change.terms.rearmed_ttl,
        expiry_epoch=order.expiry_epoch + 1,
    )
    to_fallback(change, order, ended, "withdrawn", after=rearmed)
    set_deadline_timer(change, rearmed)
    notices.tell_customer(change, order, "order_delayed", order.id)
    return ended


def to_fallback(
    change: Change,
    order: Order,
    ended: Confirmation,
    reason: str,
    *,
    after: Order | None = None,
) -> None:
    """The supplier who was asked does not deliver: have the next one found."""
    moved = replace(after or order, status=OrderStatus.FALLBACK)
    save_order(change, order, moved)
    change.note(order.id, reason, attempt=ended.attempt_no, supplier=ended.supplier_id)
    ask_fallback(change, order.id, ended.attempt_no, reason, ended.supplier_id)


def ask_fallback(
    change: Change,
    order_id: str,
    attempt_no: int,
    reason: str,
    supplier_id: str | None = None,
) -> None:
    """Have `vendor-fallback` run after this commit; once per attempt that failed."""
    payload: dict[str, object] = {
        "orderId": order_id,
        "failedAttemptNo": attempt_no,
        "reason": reason,
    }
    if supplier_id is not None:
        payload["failedSupplierId"] = supplier_id
    job_id = f"{FALLBACK_QUEUE}:{order_id}:{attempt_no}"
    change.timer(FALLBACK_QUEUE, job_id, payload, change.now)


def set_deadline_timer(change: Change, order: Order) -> None:
    """Have `order-expiry` run at an order's deadline, fenced by its epoch."""
    if order.expires_at is not None:
        change.timer(
            "order-expiry",
            f"order-expiry:{order.id}:{order.expiry_epoch}",
            {"orderId": order.id, "expiryEpoch": order.expiry_epoch},
            order.expires_at,
        )


def get_offer(change: Change, confirmation_id: str) -> Confirmation:
    """Return an offer.

    Raises:
        PermanentError: no such offer.
    """
    found = change.work.confirmations.get(confirmation_id)
    if found is None:
        raise PermanentError(NOT_FOUND, f"no confirmation {confirmation_id}")
    return found


def _bind(change: Change, order: Order, accepted: Confirmation) -> None:
    confirmed = replace(
        order,
        status=OrderStatus.CONFIRMED,
        expires_at=None,
        expiry_epoch=order.expiry_epoch + 1,
    )
    save_order(change, order, confirmed)
    supplier = change.work.suppliers.get(accepted.supplier_id)
    name = accepted.supplier_id if supplier is None else supplier.name
    notices.tell_customer(
        change, order, "order_confirmed", order.id, name, key=f"confirmed:{accepted.id}"
    )
    change.note(
        order.id,
        "confirmed",
        supplier=accepted.supplier_id,
        amountPaisa=accepted.amount_paisa,
    )


def _second_thoughts(
    change: Change, made: Confirmation, *, accept: bool, at: datetime
) -> Confirmation | Noop:
    if accept:
        return Noop("same_answer")
    said = made.answered_at or at
    if at - said > change.terms.change_of_mind:
        return Noop("call_us")
    return withdraw(change, made.id)


def _said(made: Confirmation, *, accept: bool) -> bool:
    return not accept and made.status is ConfirmationStatus.REJECTED
