"""From the marketplace's rows to the shapes of the API."""

from datetime import datetime, timedelta

from api.schemas import market as schemas
from api.schemas.fields import EPOCH
from workflows.marketplace.backoffice import OrderEvent
from workflows.marketplace.bidding import Bid, Round
from workflows.marketplace.billing import Invoice, Payment
from workflows.marketplace.confirmation import Confirmation
from workflows.marketplace.order import Order

MS = timedelta(milliseconds=1)


def _ms(at: datetime) -> int:
    return (at - EPOCH) // MS


def _ms_or_none(at: datetime | None) -> int | None:
    return None if at is None else _ms(at)


def order(found: Order) -> schemas.OrderView:
    """Show an order."""
    return schemas.OrderView(
        order_id=found.id,
        customer_id=found.customer_id,
        status=found.status,
        payment_status=found.payment_status,
        mode=found.mode,
        payment_mode=found.payment_mode,
        total_paisa=found.total_paisa,
        paid_paisa=found.paid_paisa,
        closed_reason=found.closed_reason,
        placed_at=_ms(found.placed_at),
        expires_at=_ms_or_none(found.expires_at),
    )


def detail(
    found: Order,
    rounds: list[Round],
    offers: list[Confirmation],
    events: list[OrderEvent],
) -> schemas.OrderDetail:
    """Show an order with all that belongs to it."""
    shown_rounds = [
        schemas.RoundView(
            round_id=one.id,
            status=one.status,
            opens_at=_ms(one.opens_at),
            closes_at=_ms(one.closes_at),
        )
        for one in rounds
    ]
    timeline = [
        schemas.TimelineEntry(
            at=_ms(one.at), type=one.type, actor=one.actor, data=one.data
        )
        for one in events
    ]
    return schemas.OrderDetail(
        **dict(order(found)),
        rounds=shown_rounds,
        confirmations=[confirmation(one) for one in offers],
        timeline=timeline,
    )


def confirmation(found: Confirmation) -> schemas.ConfirmationView:
    """Show an offer."""
    return schemas.ConfirmationView(
        confirmation_id=found.id,
        order_id=found.order_id,
        supplier_id=found.supplier_id,
        status=found.status,
        amount_paisa=found.amount_paisa,
        respond_by=_ms(found.respond_by),
        answered_at=_ms_or_none(found.answered_at),
    )


def bid(found: Bid) -> schemas.BidView:
    """Show a bid."""
    return schemas.BidView(
        bid_id=found.id,
        round_id=found.round_id,
        supplier_id=found.supplier_id,
        amount_paisa=found.amount_paisa,
        status=found.status,
        reject_reason=found.reject_reason,
    )


def invoice(found: Invoice) -> schemas.InvoiceView:
    """Show an invoice."""
    return schemas.InvoiceView(
        invoice_id=found.id,
        number=found.number,
        order_id=found.order_id,
        total_paisa=found.total_paisa,
        due_on=found.due_on.isoformat(),
        status=found.status,
    )


def payment(found: Payment) -> schemas.PaymentView:
    """Show a payment."""
    return schemas.PaymentView(
        payment_id=found.id,
        provider=found.provider,
        provider_ref=found.provider_ref,
        amount_paisa=found.amount_paisa,
        status=found.status,
        order_id=found.order_id,
    )
