"""What the marketplace tells people: one function per template."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from workflows.marketplace.change import Change
from workflows.marketplace.confirmation import Confirmation
from workflows.marketplace.content import TemplateContent
from workflows.marketplace.message import Message
from workflows.marketplace.order import Order
from workflows.marketplace.parties import Customer, Supplier
from workflows.marketplace.rules.money import rupees
from workflows.marketplace.rules.tokens import button_token


class Address(NamedTuple):
    """Where a message goes: a phone number, or a business-scoped user id."""

    phone: str | None
    bsuid: str | None


HALF_A_DAY = timedelta(hours=12)  # later, nobody needs to hear of it
ROUND_BUTTON, OFFER_BUTTON = "b", "c"
EXPIRY_TEXT = {
    "unpaid": "it was not paid in time",
    "no_supplier": "no supplier could take it",
    "no_time": "no time was left to find a supplier",
    "deadline": "it could not be served in time",
}


def tell_customer(
    change: Change,
    order: Order,
    purpose: str,
    *parameters: str,
    key: str | None = None,
    lifetime: timedelta | None = None,
) -> None:
    """Send the template `<purpose>_v1` to who ordered; once per key."""
    change.tell(
        _message(
            change,
            key=key or f"{purpose}:{order.id}",
            purpose=purpose,
            to=Address(order.customer_phone, None),
            content=TemplateContent(name=f"{purpose}_v1", body_params=parameters),
            order_id=order.id,
            not_after=None if lifetime is None else change.now + lifetime,
        )
    )


def tell_expired(change: Change, order: Order) -> None:
    """Tell the customer that his order is closed, and why.

    One that was reinstated may close a second time, for another reason.
    """
    reason = EXPIRY_TEXT[order.closed_reason or "deadline"]
    events = change.work.events.of_order(order.id)
    again = ":again" if any(event.type == "reinstated" for event in events) else ""
    tell_customer(
        change,
        order,
        "order_expired",
        order.id,
        reason,
        key=f"order_expired:{order.id}{again}",
        lifetime=HALF_A_DAY,
    )


def tell_supplier(
    change: Change,
    supplier_id: str,
    purpose: str,
    *parameters: str,
    key: str,
    order_id: str,
    subject: str | None = None,
    buttons: tuple[str, ...] = (),
    not_after: datetime | None = None,
) -> None:
    """Send the template `<purpose>_v1` to a supplier; nothing if he has no address."""
    supplier = change.work.suppliers.get(supplier_id)
    if supplier is None or not (supplier.phone or supplier.bsuid):
        return
    content = TemplateContent(
        name=f"{purpose}_v1", body_params=parameters, button_payloads=buttons
    )
    change.tell(
        _message(
            change,
            key=key,
            purpose=purpose,
            to=Address(supplier.phone, supplier.bsuid),
            content=content,
            order_id=order_id,
            not_after=not_after,
            subject=subject,
        )
    )


def invite(
    change: Change, supplier: Supplier, order: Order, round_id: str, closes_at: datetime
) -> None:
    """Ask a wholesaler for a bid."""
    token = _token(change, ROUND_BUTTON, round_id, supplier.id)
    tell_supplier(
        change,
        supplier.id,
        "bid_invite",
        order.id,
        summary(change, order),
        rupees(order.ceiling_paisa),
        wall(change, closes_at),
        key=f"bid_invite:{round_id}:{supplier.id}",
        order_id=order.id,
        subject=round_id,
        buttons=(f"{ROUND_BUTTON}:{round_id}:{supplier.id}:{token}",),
        not_after=closes_at,
    )


def request(change: Change, order: Order, offer: Confirmation) -> None:
    """Offer an order to a supplier."""
    tell_supplier(
        change,
        offer.supplier_id,
        "confirm_request",
        order.id,
        rupees(offer.amount_paisa),
        summary(change, order),
        wall(change, offer.respond_by),
        key=f"confirm:{offer.id}",
        order_id=order.id,
        subject=offer.id,
        buttons=_answers(change, offer),
        not_after=offer.respond_by,
    )


def nudge(change: Change, offer: Confirmation) -> None:
    """Remind a supplier of an offer that he has not answered."""
    minutes = (offer.respond_by - change.now) // timedelta(minutes=1)
    tell_supplier(
        change,
        offer.supplier_id,
        "confirm_nudge",
        offer.order_id,
        str(minutes),
        key=f"confirm_nudge:{offer.id}",
        order_id=offer.order_id,
        subject=offer.id,
        buttons=_answers(change, offer),
        not_after=offer.respond_by,
    )


def tell_offer_closed(change: Change, offer: Confirmation, why: str) -> None:
    """Tell a supplier that an offer is no longer his to take."""
    tell_supplier(
        change,
        offer.supplier_id,
        "bid_closed",
        offer.order_id,
        why,
        key=f"offer_closed:{offer.id}",
        order_id=offer.order_id,
        not_after=change.now + HALF_A_DAY,
    )


def summary(change: Change, order: Order) -> str:
    """Return what was ordered, in few words."""
    lines = change.work.orders.lines(order.id)
    return ", ".join(f"{line.quantity} {line.product_id}" for line in lines) or "-"


def wall(change: Change, at: datetime) -> str:
    """Return a time as the clock on the wall shows it."""
    return f"{at.astimezone(change.terms.zone):%H:%M}"


def _answers(change: Change, offer: Confirmation) -> tuple[str, ...]:
    token = _token(change, OFFER_BUTTON, offer.id, offer.supplier_id)
    return tuple(f"{OFFER_BUTTON}:{offer.id}:{answer}:{token}" for answer in "yn")


def _token(change: Change, kind: str, id: str, supplier_id: str) -> str:
    return button_token(change.terms.token_secret, kind, id, supplier_id)


def _message(
    change: Change,
    *,
    key: str,
    purpose: str,
    to: Address,
    content: TemplateContent,
    order_id: str | None,
    not_after: datetime | None,
    subject: str | None = None,
) -> Message:
    return Message(
        id=f"msg_{change.new_id()}",
        dedupe_key=key,
        purpose=purpose,
        to_phone=to.phone,
        to_bsuid=to.bsuid,
        content=content,
        fallback=None,
        delivery="at_least_once",
        order_id=order_id,
        not_before=None,
        not_after=not_after,
        created_at=change.now,
        subject=subject,
    )


def tell_debtor(
    change: Change,
    customer: Customer,
    template: str,
    *parameters: str,
    key: str,
    purpose: str,
    subject: str | None,
    not_after: datetime | None,
) -> None:
    """Send a customer a template about what he owes; rather never than twice."""
    if customer.phone is None and customer.bsuid is None:
        return
    message = _message(
        change,
        key=key,
        purpose=purpose,
        to=Address(customer.phone, customer.bsuid),
        content=TemplateContent(name=template, body_params=parameters),
        order_id=None,
        not_after=not_after,
        subject=subject,
    )
    change.tell(replace(message, delivery="at_most_once"))


def tell_staff(change: Change, phone: str, title: str, text: str, *, key: str) -> None:
    """Send a daily report to a person of the staff."""
    message = _message(
        change,
        key=key,
        purpose="daily_report",
        to=Address(phone, None),
        content=TemplateContent(name="daily_report_v1", body_params=(title, text)),
        order_id=None,
        not_after=change.now + HALF_A_DAY,
    )
    change.tell(message)
