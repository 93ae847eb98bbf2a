"""Money that comes in, what it pays, and money that goes back."""

from dataclasses import dataclass, replace
from datetime import datetime

from workflows.marketplace import notices
from workflows.marketplace.billing import (
    Allocation,
    Invoice,
    InvoiceStatus,
    Payment,
    PaymentMethod,
    PaymentState,
)
from workflows.marketplace.change import Change, Noop
from workflows.marketplace.errors import NOT_FOUND, PermanentError
from workflows.marketplace.metrics import count
from workflows.marketplace.order import Order, OrderStatus, PaymentStatus
from workflows.marketplace.rules import postings
from workflows.marketplace.rules.allocation import Owed, allocate
from workflows.marketplace.rules.money import rupees
from workflows.marketplace.sql.rows import LostRaceError
from workflows.marketplace.transitions.credit import lift_hold, post
from workflows.marketplace.transitions.orders import get_order, secure
from workflows.marketplace.transitions.release import save_order

OPEN_WITH_PROVIDER = frozenset({PaymentState.INITIATED, PaymentState.PENDING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Money as its provider tells of it. `paid_at`: when the customer paid."""

    provider: str
    provider_ref: str
    amount_paisa: int
    paid_at: datetime
    customer_id: str
    order_id: str | None = None
    method: PaymentMethod = PaymentMethod.WALLET


def initiate(change: Change, receipt: Receipt) -> Payment:
    """Record that a customer has begun to pay; the same reference is the same."""
    known = change.work.payments.by_ref(receipt.provider, receipt.provider_ref)
    if known is not None:
        return known
    begun = _payment(change, receipt)
    _add(change, begun)
    return begun


def capture(change: Change, receipt: Receipt) -> Payment | Noop:
    """Record money that arrived, once per provider and reference.

    Full payment of a pending order places it. Told late of a payment in time, an
    order that expired unpaid is reinstated within 15 minutes. Money for a closed
    order is due for refund; money for no order pays the oldest invoices.

    Raises:
        PermanentError: no such order, or not the amount, customer or order that was
            told before; nothing is recorded.
    """
    known = change.work.payments.by_ref(receipt.provider, receipt.provider_ref)
    if known is not None and known.status not in OPEN_WITH_PROVIDER:
        return Noop("already_captured")
    if known is not None:
        _check_announced(known, receipt)
    payment = replace(
        known or _payment(change, receipt),
        status=PaymentState.CAPTURED,
        received_at=change.now,
    )
    if known is None:
        _add(change, payment)
    else:
        payment = change.work.payments.move(known, payment)
    post(
        change,
        postings.payment_captured(
            payment.id, payment.provider, receipt.customer_id, payment.amount_paisa
        ),
    )
    if payment.order_id is None:
        pay_invoices(change, receipt.customer_id)
    else:
        order = get_order(change, payment.order_id)
        _paid(change, order, payment, receipt.paid_at)
    return payment


def pay_invoices(change: Change, customer_id: str) -> int:
    """Give a customer's free money to his oldest invoices; return how much, in paisa.

    Repeating it moves nothing twice.
    """
    given = 0
    for payment in change.work.payments.unallocated_of(customer_id):
        given += _spend(change, payment, change.work.invoices.open_of(customer_id))
    lift_hold(change, customer_id)
    return given


def pay_own_invoice(change: Change, invoice: Invoice) -> None:
    """Give the money that an order was paid with to the order's invoice."""
    for payment in change.work.payments.of_order(invoice.order_id):
        if payment.status is PaymentState.CAPTURED:
            current = change.work.invoices.get(invoice.id)
            if current is not None and current.status is InvoiceStatus.OPEN:
                _spend(change, payment, [current])


def credit_note(
    change: Change, invoice_id: str, ref: str, *, net_paisa: int, vat_paisa: int
) -> Payment | Noop:
    """Take back a part of an invoice; once per reference.

    Raises:
        PermanentError: no such invoice, or more than is still owed.
    """
    if change.work.payments.by_ref("credit_note", ref) is not None:
        return Noop("duplicate")
    invoice = change.work.invoices.get(invoice_id)
    if invoice is None:
        raise PermanentError(NOT_FOUND, f"no invoice {invoice_id}")
    amount = net_paisa + vat_paisa
    if amount > invoice.outstanding_paisa:
        code = "too_much"
        raise PermanentError(code, f"{invoice_id} owes {invoice.outstanding_paisa}")
    note = Payment(
        id=f"pay_{change.new_id()}",
        provider="credit_note",
        provider_ref=ref,
        method=PaymentMethod.CREDIT_NOTE,
        amount_paisa=amount,
        allocated_paisa=amount,
        received_at=change.now,
        customer_id=invoice.customer_id,
        status=PaymentState.CAPTURED,
    )
    _add(change, note)
    _allocate(change, note.id, invoice, amount)
    post(
        change,
        postings.credit_note(
            note.id, invoice.customer_id, net_paisa=net_paisa, vat_paisa=vat_paisa
        ),
    )
    lift_hold(change, invoice.customer_id)
    return note


def refund(change: Change, payment_id: str) -> Payment | Noop:
    """Record that a payment of a closed order went back to the customer.

    Raises:
        PermanentError: no such payment.
    """
    payment = change.work.payments.get(payment_id)
    if payment is None:
        raise PermanentError(NOT_FOUND, f"no payment {payment_id}")
    order = None
    if payment.order_id is not None:
        order = change.work.orders.get(payment.order_id)
    due = order is not None and order.payment_status is PaymentStatus.REFUND_DUE
    if payment.status is not PaymentState.CAPTURED or order is None or not due:
        return Noop("state")
    back = change.work.payments.move(
        payment, replace(payment, status=PaymentState.REFUNDED)
    )
    customer_id = payment.customer_id or ""
    amount = payment.unallocated_paisa
    post(change, postings.refund_paid(payment.id, customer_id, amount))
    left = [
        p
        for p in change.work.payments.of_order(order.id)
        if p.status is PaymentState.CAPTURED
    ]
    # What is gone pays for nothing any more, should the order be reinstated.
    status = order.payment_status if left else PaymentStatus.REFUNDED
    kept = max(0, order.paid_paisa - payment.amount_paisa)
    save_order(change, order, replace(order, payment_status=status, paid_paisa=kept))
    return back


def _check_announced(known: Payment, receipt: Receipt) -> None:
    """Refuse money that is not what was announced under its reference."""
    if known.amount_paisa != receipt.amount_paisa:
        code = "amount_differs"
        raise PermanentError(code, f"{known.id}: {known.amount_paisa} was announced")
    if known.customer_id != receipt.customer_id:
        code = "customer_differs"
        raise PermanentError(code, f"{known.id} was announced by {known.customer_id}")
    if receipt.order_id not in {None, known.order_id}:
        code = "order_differs"
        raise PermanentError(code, f"{known.id} was announced for {known.order_id}")


def _payment(change: Change, receipt: Receipt) -> Payment:
    return Payment(
        id=f"pay_{change.new_id()}",
        provider=receipt.provider,
        provider_ref=receipt.provider_ref,
        method=receipt.method,
        amount_paisa=receipt.amount_paisa,
        received_at=change.now,
        customer_id=receipt.customer_id,
        order_id=receipt.order_id,
    )


def _paid(change: Change, order: Order, payment: Payment, paid_at: datetime) -> None:
    after = order.paid(payment.amount_paisa, deadline=change.now)
    amount = rupees(payment.amount_paisa)
    change.note(order.id, "paid", amountPaisa=payment.amount_paisa)
    enough = after.paid_paisa >= after.total_paisa
    if enough and (
        order.status is OrderStatus.PENDING_PAYMENT
        or _was_in_time(change, order, paid_at)
    ):
        if order.status is OrderStatus.EXPIRED:
            count(change.work, "order_reinstated_total")
            change.note(order.id, "reinstated", paidAt=paid_at.isoformat())
        secure(change, order, replace(order, paid_paisa=after.paid_paisa))
        key = f"payment_received:{payment.id}"
        notices.tell_customer(
            change, order, "payment_received", order.id, amount, key=key
        )
        return
    save_order(change, order, after)
    if after.payment_status is PaymentStatus.REFUND_DUE:
        count(change.work, "refund_due_total")
        key = f"refund_due:{payment.id}"
        notices.tell_customer(change, order, "refund_due", order.id, amount, key=key)
        text = f"{amount} arrived for order {order.id}, which is closed; refund it."
        change.ask_people(key, "refund", f"payment:{payment.id}", text)


def _was_in_time(change: Change, order: Order, paid_at: datetime) -> bool:
    return (
        order.status is OrderStatus.EXPIRED
        and order.closed_reason == "unpaid"
        and order.expires_at is not None
        and paid_at < order.expires_at
        and change.now <= order.expires_at + change.terms.reinstate_within
    )


def _add(change: Change, payment: Payment) -> None:
    """Keep a payment that nobody else has told of; else start again, and see his."""
    if not change.work.payments.add(payment):
        msg = f"{payment.provider} {payment.provider_ref} was told of meanwhile"
        raise LostRaceError(msg)


def _spend(change: Change, payment: Payment, invoices: list[Invoice]) -> int:
    owed = [
        Owed(
            invoice_id=invoice.id,
            due_on=invoice.due_on,
            outstanding_paisa=invoice.outstanding_paisa,
        )
        for invoice in invoices
    ]
    by_id = {invoice.id: invoice for invoice in invoices}
    shares = allocate(payment.unallocated_paisa, owed)
    given = sum(amount for _, amount in shares)
    if not given:
        return 0
    spent = replace(payment, allocated_paisa=payment.allocated_paisa + given)
    change.work.payments.move(payment, spent)
    for invoice_id, amount in shares:
        invoice = by_id[invoice_id]
        _allocate(change, payment.id, invoice, amount)
        post(
            change,
            postings.advance_applied(
                payment.id, invoice.id, invoice.customer_id, amount
            ),
        )
    return given


def _allocate(change: Change, payment_id: str, invoice: Invoice, amount: int) -> None:
    allocation = Allocation(
        payment_id=payment_id, invoice_id=invoice.id, amount_paisa=amount, at=change.now
    )
    change.work.allocations.add(allocation)
    settled = invoice.settled_paisa + amount
    paid = settled == invoice.total_paisa
    change.work.invoices.move(
        invoice,
        replace(
            invoice,
            settled_paisa=settled,
            status=InvoiceStatus.PAID if paid else invoice.status,
        ),
    )
    if paid:
        _complete(change, invoice.order_id)


def _complete(change: Change, order_id: str) -> None:
    order = change.work.orders.get(order_id)
    if order is not None and order.status is OrderStatus.DELIVERED:
        done = replace(
            order, status=OrderStatus.COMPLETED, payment_status=PaymentStatus.PAID
        )
        save_order(change, order, done)
        change.note(order_id, "completed")
