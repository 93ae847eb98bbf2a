"""The office: has goods delivered, invoices paid, money sent back, sweeps run."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count

from sqlalchemy import select

from workflows.demo.agenda import Agenda
from workflows.demo.books import SWEPT_QUEUES
from workflows.demo.diary import Diary
from workflows.demo.habits import SECOND, Habits
from workflows.marketplace import tables
from workflows.marketplace.billing import (
    Invoice,
    InvoiceStatus,
    PaymentMethod,
    PaymentState,
)
from workflows.marketplace.change import Change, Marketplace, Noop
from workflows.marketplace.order import OrderStatus, PaymentMode, PaymentStatus
from workflows.marketplace.parties import PartyStatus
from workflows.marketplace.transitions import delivery, payments
from workflows.marketplace.transitions.payments import Receipt

ACTOR = "ops"
REFUND_AFTER = timedelta(minutes=3)
SWEEP_AT_EACH = 3  # visits

AddJob = Callable[[str, str], None]  # an empty job of a queue, by its id


class Office:
    """What people behind the counter do when they look at the rows now and then."""

    def __init__(self, shop: Marketplace, habits: Habits, add_job: AddJob) -> None:
        self._shop, self._habits, self._add_job = shop, habits, add_job
        self._visits = count(1)
        self._begun: set[str] = set()

    def enter(self, agenda: Agenda, diary: Diary) -> None:
        """Work for a day."""
        self._agenda, self._diary = agenda, diary

    def visit(self) -> None:
        """Look once, and begin what is to be done."""
        visit = next(self._visits)
        if visit % SWEEP_AT_EACH == 1:
            for queue in SWEPT_QUEUES:
                self._add_job(queue, f"demo:{queue}:{self._shop.clock():%d-%H%M%S}")
        self._shop.run(ACTOR, _forgive)
        for order_id in self._shop.run(ACTOR, _confirmed):
            self._once(f"deliver:{order_id}", partial(self._will_deliver, order_id))
        for invoice in self._shop.run(ACTOR, _owed):
            self._once(f"pay:{invoice.id}", partial(self._will_pay, invoice))
        for payment_id in self._shop.run(ACTOR, _to_refund):
            refund = partial(self._refund, payment_id)
            later = partial(self._agenda.after, REFUND_AFTER, refund)
            self._once(f"refund:{payment_id}", later)

    def _once(self, key: str, action: Callable[[], None]) -> None:
        if key not in self._begun:
            self._begun.add(key)
            action()

    def _will_deliver(self, order_id: str) -> None:
        span, copies = self._habits.delivery(order_id)
        for copy in range(copies):
            deliver = partial(self._deliver, order_id)
            self._agenda.after(span + copy * SECOND, deliver)

    def _deliver(self, order_id: str) -> None:
        made = self._shop.run(ACTOR, delivery.deliver, order_id)
        if isinstance(made, Invoice):
            self._diary.delivered.add(order_id)
        else:  # twice; or the supplier has withdrawn, and somebody else delivers
            self._diary.nothing[made.why] += 1
            self._begun.discard(f"deliver:{order_id}")

    def _will_pay(self, invoice: Invoice) -> None:
        span = self._habits.pays_invoice_after(invoice.order_id)
        if span is not None:
            self._agenda.after(span, partial(self._pay, invoice))

    def _pay(self, invoice: Invoice) -> None:
        """Pay what was owed when the invoice came; it goes to the oldest invoices."""
        receipt = Receipt(
            provider="bank",
            provider_ref=f"transfer-{invoice.number}",
            amount_paisa=invoice.outstanding_paisa,
            paid_at=self._shop.clock(),
            customer_id=invoice.customer_id,
            method=PaymentMethod.BANK,
        )
        self._shop.run(ACTOR, payments.capture, receipt)
        key = receipt.provider, receipt.provider_ref
        self._diary.receipts[key] = receipt.amount_paisa

    def _refund(self, payment_id: str) -> None:
        done = self._shop.run(ACTOR, payments.refund, payment_id)
        if isinstance(done, Noop):  # reinstated meanwhile; it may close again
            self._begun.discard(f"refund:{payment_id}")
        else:
            self._diary.refunded.add(payment_id)


def _forgive(change: Change) -> None:
    """Let suppliers who were suspended take part again: the day is a hard one."""
    table = tables.suppliers
    for supplier in change.work.suppliers.where(
        table.c.status == PartyStatus.SUSPENDED
    ):
        active = replace(supplier, status=PartyStatus.ACTIVE)
        change.work.suppliers.move(supplier, active)


def _confirmed(change: Change) -> list[str]:
    found = change.work.orders.in_status(OrderStatus.CONFIRMED, 1000)
    return [order.id for order in found]


def _owed(change: Change) -> list[Invoice]:
    """Return open invoices of orders that were bought on credit."""
    table, order = tables.invoices, tables.orders
    on_credit = select(order.c.id).where(order.c.payment_mode == PaymentMode.CREDIT)
    return change.work.invoices.where(
        table.c.status == InvoiceStatus.OPEN, table.c.order_id.in_(on_credit)
    )


def _to_refund(change: Change) -> list[str]:
    table, order = tables.payments, tables.orders
    due = select(order.c.id).where(order.c.payment_status == PaymentStatus.REFUND_DUE)
    found = change.work.payments.where(
        table.c.status == PaymentState.CAPTURED, table.c.order_id.in_(due)
    )
    return [payment.id for payment in found]
