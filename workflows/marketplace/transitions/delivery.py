"""Delivery: the invoice, its postings, and the supplier's cost."""

from dataclasses import replace
from datetime import timedelta

from workflows.marketplace import notices
from workflows.marketplace.billing import Invoice
from workflows.marketplace.change import Change, Noop
from workflows.marketplace.confirmation import ConfirmationStatus
from workflows.marketplace.errors import INVARIANT, PermanentError
from workflows.marketplace.order import Order, OrderStatus, PaymentMode
from workflows.marketplace.rules import postings
from workflows.marketplace.rules.business_time import business_date
from workflows.marketplace.rules.fiscal_year import fiscal_year, invoice_number
from workflows.marketplace.rules.money import rupees
from workflows.marketplace.transitions.credit import post
from workflows.marketplace.transitions.orders import get_order
from workflows.marketplace.transitions.payments import pay_invoices, pay_own_invoice
from workflows.marketplace.transitions.release import lose_bids, save_order


def deliver(change: Change, order_id: str) -> Invoice | Noop:
    """Record that an order was delivered: from here there is no way back.

    Numbers and issues the invoice, posts sale and cost, turns reserved credit into
    debt, and gives the money that is there to the invoice.

    Raises:
        PermanentError: no such order, or a bound order without its supplier.
    """
    order = get_order(change, order_id)
    if order.status is not OrderStatus.CONFIRMED:
        return Noop("state")
    save_order(change, order, replace(order, status=OrderStatus.DELIVERED))
    invoice = _issue(change, order)
    change.work.credit.consume(order.id, change.now)
    _post_cost(change, order)
    for round_ in change.work.rounds.of_order(order.id):
        lose_bids(change, round_.id)  # until now they were asked if he withdrew
    change.note(order.id, "delivered", invoice=invoice.number)
    pay_own_invoice(change, invoice)
    pay_invoices(change, invoice.customer_id)
    notices.tell_customer(
        change,
        order,
        "invoice_issued",
        invoice.number,
        rupees(invoice.total_paisa),
        invoice.due_on.isoformat(),
    )
    return change.work.invoices.get(invoice.id) or invoice


def _issue(change: Change, order: Order) -> Invoice:
    today = business_date(change.now, change.terms.zone)
    year = fiscal_year(today).code
    number = change.work.sequences.take(f"invoice:{year}")
    customer_id = order.customer_id or ""
    account = change.work.credit_accounts.of_customer(customer_id)
    on_credit = order.payment_mode is PaymentMode.CREDIT and account is not None
    terms = timedelta(days=account.terms_days if on_credit and account else 0)
    invoice = Invoice(
        id=f"inv_{change.new_id()}",
        number=invoice_number(change.terms.outlet, year, number),
        order_id=order.id,
        customer_id=customer_id,
        subtotal_paisa=order.subtotal_paisa,
        vat_paisa=order.vat_paisa,
        total_paisa=order.total_paisa,
        issued_on=today,
        due_on=today + terms,
    )
    change.work.invoices.add(invoice)
    post(
        change,
        postings.invoice_issued(
            invoice.id,
            customer_id,
            subtotal_paisa=invoice.subtotal_paisa,
            vat_paisa=invoice.vat_paisa,
        ),
    )
    return invoice


def _post_cost(change: Change, order: Order) -> None:
    bound = change.work.confirmations.live_of(order.id)
    if bound is None or bound.status is not ConfirmationStatus.CONFIRMED:
        raise PermanentError(INVARIANT, f"order {order.id} is bound to no supplier")
    # The supplier charges tax at the order's own mix of rates.
    vat = bound.amount_paisa * order.vat_paisa // order.subtotal_paisa
    post(
        change,
        postings.supplier_cost(
            bound.id,
            bound.supplier_id,
            amount_paisa=bound.amount_paisa,
            vat_paisa=vat,
        ),
    )
