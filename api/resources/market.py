"""Orders, bids, answers and payments of the marketplace."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Concatenate, ParamSpec, TypeVar
from uuid import uuid4

from api import market_views
from api.call import Call, Reply
from api.problems import Code, Problem
from api.schemas import market as schemas
from api.schemas.fields import EPOCH
from workflows.marketplace.bidding import Bid, BidSource
from workflows.marketplace.billing import (
    Invoice,
    Payment,
    PaymentMethod,
    PaymentState,
)
from workflows.marketplace.change import Change, Noop
from workflows.marketplace.confirmation import Confirmation
from workflows.marketplace.errors import (
    INVARIANT,
    NOT_FOUND,
    PermanentError,
    TransientError,
)
from workflows.marketplace.order import Order, OrderMode, OrderStatus, PaymentMode
from workflows.marketplace.rules.pricing import Line
from workflows.marketplace.transitions import (
    bidding,
    delivery,
    offers,
    orders,
    payments,
)

ACTOR = "api"
Args = ParamSpec("Args")
Result = TypeVar("Result")


def _run(
    call: Call,
    transition: Callable[Concatenate[Change, Args], Result],
    *args: Args.args,
    **kwargs: Args.kwargs,
) -> Result:
    """Run a transition; what it refuses is a 404 or a 409."""
    try:
        return call.market.run.run(ACTOR, transition, *args, **kwargs)
    except PermanentError as error:
        if error.code == INVARIANT:
            raise
        code = Code.NOT_FOUND if error.code == NOT_FOUND else Code.CONFLICT
        raise Problem(code, str(error)) from None
    except TransientError:
        msg = "Others were faster again and again; nothing was changed. Try again."
        raise Problem(Code.CONFLICT, msg) from None


def place(call: Call) -> Reply:
    """Place an order."""
    wanted = call.read(schemas.PlaceOrder)
    new = orders.NewOrder(
        id=wanted.order_id or _made_id("ord", call.request_key),
        customer_id=wanted.customer_id,
        lines=[
            Line(
                product_id=line.product_id,
                quantity=line.quantity,
                unit_price_paisa=line.unit_price_paisa,
                vat_bps=line.vat_bps,
            )
            for line in wanted.lines
        ],
        mode=OrderMode(wanted.mode),
        payment_mode=PaymentMode(wanted.payment_mode),
    )
    placed, is_new = _run(call, _place, new)
    return Reply(
        data=market_views.order(placed),
        status=201 if is_new else 200,
        location=f"/api/v1/orders/{placed.id}" if is_new else None,
    )


def _place(change: Change, new: orders.NewOrder) -> tuple[Order, bool]:
    known = change.work.orders.get(new.id)
    if known is None:
        return orders.place(change, new), True
    said = (new.customer_id, new.mode, new.payment_mode, list(new.lines))
    lines = list(change.work.orders.lines(known.id))
    if said != (known.customer_id, known.mode, known.payment_mode, lines):
        code = "other_order"
        raise PermanentError(code, f"order {new.id} was placed with other content")
    return known, False


def read(call: Call) -> Reply:
    """Read an order with its rounds, offers and history."""
    return Reply(data=_run(call, _read, call.ids["orderId"]))


def _read(change: Change, order_id: str) -> schemas.OrderDetail:
    found = orders.get_order(change, order_id)
    return market_views.detail(
        found,
        change.work.rounds.of_order(order_id),
        change.work.confirmations.of_order(order_id),
        change.work.events.of_order(order_id),
    )


def cancel(call: Call) -> Reply:
    """Cancel an order; one that is cancelled already stays so."""
    wanted = call.read(schemas.CancelOrder)
    order_id = call.ids["orderId"]
    done, order = _run(call, _cancel, order_id, wanted)
    if isinstance(done, Noop) and order.status is not OrderStatus.CANCELLED:
        raise _not_now(order_id, order.status, done)
    return Reply(data=market_views.order(order))


def _cancel(
    change: Change, order_id: str, wanted: schemas.CancelOrder
) -> tuple[Order | Noop, Order]:
    done = orders.cancel(change, order_id, wanted.by)
    return done, orders.get_order(change, order_id)


def deliver(call: Call) -> Reply:
    """Record that an order was delivered; its invoice is issued once."""
    order_id = call.ids["orderId"]
    done, order, invoice = _run(call, _deliver, order_id)
    if invoice is None:
        raise _not_now(order_id, order.status, done)
    return Reply(data=market_views.invoice(invoice))


def _deliver(
    change: Change, order_id: str
) -> tuple[Invoice | Noop, Order, Invoice | None]:
    done = delivery.deliver(change, order_id)
    order = orders.get_order(change, order_id)
    return done, order, change.work.invoices.of_order(order_id)


def submit_bid(call: Call) -> Reply:
    """Bid in a round; with an Idempotency-Key the same request is one bid."""
    wanted = call.read(schemas.SubmitBid)
    made, is_new = _run(call, _bid, call.ids["roundId"], wanted, call.request_key)
    return Reply(data=market_views.bid(made), status=201 if is_new else 200)


def _bid(
    change: Change, round_id: str, wanted: schemas.SubmitBid, request_key: str | None
) -> tuple[Bid, bool]:
    if change.work.suppliers.get(wanted.supplier_id) is None:
        raise PermanentError(NOT_FOUND, f"no supplier {wanted.supplier_id}")
    ref = None if request_key is None else _made_id("api", request_key)
    made = bidding.submit_bid(
        change,
        round_id,
        wanted.supplier_id,
        wanted.amount_paisa,
        sent_at=change.now,
        source=BidSource.API,
        source_ref=ref,
        eta_minutes=wanted.eta_minutes,
    )
    if not isinstance(made, Noop):
        return made, True
    known = change.work.bids.by_ref(ref or "")
    said = (round_id, wanted.supplier_id, wanted.amount_paisa, wanted.eta_minutes)
    if known is None or said != (
        known.round_id,
        known.supplier_id,
        known.amount_paisa,
        known.eta_minutes,
    ):
        code = "other_bid"
        raise PermanentError(code, "this Idempotency-Key was used for another bid")
    return known, False


def answer(call: Call) -> Reply:
    """Answer an offer; the same answer again changes nothing."""
    wanted = call.read(schemas.AnswerOffer)
    offer_id = call.ids["confirmationId"]
    done, offer = _run(call, _answer, offer_id, wanted)
    if isinstance(done, Noop) and done.why != "same_answer":
        raise _not_now(offer_id, offer.status, done)
    return Reply(data=market_views.confirmation(offer))


def _answer(
    change: Change, offer_id: str, wanted: schemas.AnswerOffer
) -> tuple[Confirmation | Noop, Confirmation]:
    done = offers.answer(
        change,
        offer_id,
        accept=wanted.accept,
        supplier_id=wanted.supplier_id,
        answered_at=change.now,
    )
    return done, offers.get_offer(change, offer_id)


def pay(call: Call) -> Reply:
    """Tell of a payment; it counts once per provider and reference."""
    wanted = call.read(schemas.TellPayment)
    receipt = _run(call, _receipt, wanted)
    state = PaymentState.CAPTURED
    if receipt.method is PaymentMethod.WALLET:
        found = call.market.payments.lookup(wanted.provider, wanted.provider_ref)
        state = PaymentState.PENDING if found is None else found.state
        if found is not None and state is PaymentState.CAPTURED:
            if found.amount_paisa != wanted.amount_paisa:
                msg = (
                    f"The provider says {found.amount_paisa} paisa, not "
                    f"{wanted.amount_paisa}; nothing was recorded."
                )
                raise Problem(Code.CONFLICT, msg, current={"status": state})
            receipt = replace(receipt, paid_at=found.paid_at)
    if state in {PaymentState.FAILED, PaymentState.REFUNDED}:
        msg = f"The provider says that this payment is {state}; nothing was recorded."
        raise Problem(Code.CONFLICT, msg, current={"status": state})
    if state is not PaymentState.CAPTURED:
        begun = _run(call, payments.initiate, receipt)
        return _told(begun, wanted, status=202)
    payment, is_new = _run(call, _capture, receipt)
    return _told(payment, wanted, status=201 if is_new else 200)


def _told(payment: Payment, wanted: schemas.TellPayment, *, status: int) -> Reply:
    """Show a payment; one that was told with another content is a conflict."""
    amount, order_id = payment.amount_paisa, payment.order_id
    customer_id = wanted.customer_id or payment.customer_id
    said = (wanted.amount_paisa, wanted.order_id, customer_id)
    if said != (amount, order_id, payment.customer_id):
        msg = f"{payment.provider_ref} was told before: {amount} paisa for {order_id}."
        raise Problem(Code.CONFLICT, msg, current={"status": payment.status})
    if payment.status is PaymentState.CAPTURED and status == 202:
        status = 200
    return Reply(data=market_views.payment(payment), status=status)


def _receipt(change: Change, wanted: schemas.TellPayment) -> payments.Receipt:
    """Return what is told, of a customer and an order that exist."""
    customer_id = wanted.customer_id
    if wanted.order_id is not None:
        customer_id = orders.get_order(change, wanted.order_id).customer_id
    if customer_id is None or change.work.customers.get(customer_id) is None:
        raise PermanentError(NOT_FOUND, f"no customer {customer_id}")
    told = wanted.paid_at
    paid_at = change.now if told is None else EPOCH + timedelta(milliseconds=told)
    return payments.Receipt(
        provider=wanted.provider,
        provider_ref=wanted.provider_ref,
        amount_paisa=wanted.amount_paisa,
        paid_at=min(paid_at, change.now),
        customer_id=customer_id,
        order_id=wanted.order_id,
        method=PaymentMethod(wanted.method),
    )


def _capture(change: Change, receipt: payments.Receipt) -> tuple[Payment, bool]:
    done = payments.capture(change, receipt)
    if not isinstance(done, Noop):
        return done, True
    known = change.work.payments.by_ref(receipt.provider, receipt.provider_ref)
    if known is None:
        raise PermanentError(INVARIANT, "a payment was captured and is not there")
    return known, False


def _made_id(kind: str, request_key: str | None) -> str:
    """Return an id: the same for the same request."""
    text = uuid4().hex if request_key is None else request_key
    return f"{kind}_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _not_now(id: str, status: str, why: object) -> Problem:
    """Return the 409 that says what is the case instead."""
    msg = f"{id} is {status}; nothing was changed ({why})."
    return Problem(Code.CONFLICT, msg, current={"status": status})
