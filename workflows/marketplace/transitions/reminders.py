"""Reminders of overdue invoices: one message a day and customer, ever firmer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, time

from workflows.marketplace import notices
from workflows.marketplace.billing import Invoice, InvoiceReminder
from workflows.marketplace.change import Change, Noop
from workflows.marketplace.errors import NOT_FOUND, PermanentError
from workflows.marketplace.metrics import count
from workflows.marketplace.parties import Customer
from workflows.marketplace.rules.business_time import business_date, local_instant
from workflows.marketplace.rules.money import rupees
from workflows.marketplace.rules.reminders import LAST_LEVEL, due_level, promised_date
from workflows.marketplace.transitions.credit import OVERDUE, put_on_hold

LISTED = 5
NO_LATER_THAN = time(19)  # nobody is reminded in the evening


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a customer is to be told today. `due`: invoices with their new level."""

    overdue: tuple[Invoice, ...]
    due: tuple[tuple[Invoice, int], ...]

    @property
    def level(self) -> int:
        """The firmest level that is due."""
        return max(level for _, level in self.due)

    @property
    def total_paisa(self) -> int:
        """All that is overdue, whether a level of it is due or not."""
        return sum(invoice.outstanding_paisa for invoice in self.overdue)


def plan(change: Change, customer_id: str, today: date) -> Plan | None:
    """Return what a customer is to be told today; None: nothing."""
    open_now = change.work.invoices.open_of(customer_id)
    overdue = tuple(invoice for invoice in open_now if invoice.due_on < today)
    due = []
    for invoice in overdue:
        level = due_level(today, invoice.due_on, invoice.reminder_level)
        if level is not None and _reminded_of(change, invoice, today):
            due.append((invoice, level))
    return Plan(overdue=overdue, due=tuple(due)) if due else None


def remind(change: Change, customer_id: str, today: date) -> Plan | Noop:
    """Remind a customer of what is overdue; each level of an invoice once.

    Whoever cannot be reached by message is left to a person to call; the level rises
    all the same. The last level ends credit until the debt is paid.

    Raises:
        PermanentError: no such customer.
    """
    customer = change.work.customers.get(customer_id)
    if customer is None:
        raise PermanentError(NOT_FOUND, f"no customer {customer_id}")
    found = plan(change, customer_id, today)
    if found is None:
        return Noop("nothing_due")
    reached = _reachable(change, customer)
    key = f"reminder:{customer_id}:{today}" if reached else None
    for invoice, level in found.due:
        if not _record(change, invoice, level, today, key):
            return Noop("reminded")
        way = "message" if reached else "person"
        count(change.work, "reminders_total", level=str(level), result=way)
    if reached:
        _send(change, customer, found, today, str(key))
    else:
        text = f"{customer.name} owes {rupees(found.total_paisa)}; call him."
        change.ask_people(
            f"call:{customer_id}:{today}", "call", f"customer:{customer_id}", text
        )
    if found.level == LAST_LEVEL:
        _end_credit(change, customer, found, today)
    return found


def promise(change: Change, customer_id: str, day_of_month: int) -> date | Noop:
    """Remind of nothing until a date that the customer promises; once per invoice.

    At most 7 days ahead; what has been promised before stays.
    """
    today = business_date(change.now, change.terms.zone)
    until = promised_date(today, day_of_month)
    if until is None:
        return Noop("too_far")
    overdue = [i for i in change.work.invoices.open_of(customer_id) if i.due_on < today]
    promised = [i for i in overdue if i.reminders_paused_until is None]
    for invoice in promised:
        change.work.invoices.move(
            invoice, replace(invoice, reminders_paused_until=until)
        )
    return until if promised else Noop("promised_before")


def customers_to_remind(change: Change, today: date) -> Sequence[str]:
    """Return the customers with something overdue."""
    overdue = change.work.invoices.overdue(today)
    return sorted({invoice.customer_id for invoice in overdue})


def _reminded_of(change: Change, invoice: Invoice, today: date) -> bool:
    paused = invoice.reminders_paused_until
    return (
        invoice.outstanding_paisa >= change.terms.reminder_min_paisa
        and not invoice.disputed
        and (paused is None or paused < today)
    )


def _reachable(change: Change, customer: Customer) -> bool:
    address = customer.phone or customer.bsuid
    if address is None:
        return False
    return not change.work.recipients.get(address).unwanted(change.now)


def _record(
    change: Change, invoice: Invoice, level: int, today: date, key: str | None
) -> bool:
    reminder = InvoiceReminder(
        invoice_id=invoice.id,
        level=level,
        business_date=today,
        days_overdue=(today - invoice.due_on).days,
        outstanding_paisa=invoice.outstanding_paisa,
        message_key=key,
        at=change.now,
    )
    if not change.work.reminders.add(reminder):
        return False
    change.work.invoices.move(invoice, replace(invoice, reminder_level=level))
    return True


def _send(
    change: Change, customer: Customer, found: Plan, today: date, key: str
) -> None:
    numbers = [invoice.number for invoice in found.overdue]
    more = f" +{len(numbers) - LISTED}" if len(numbers) > LISTED else ""
    days = max((today - invoice.due_on).days for invoice in found.overdue)
    notices.tell_debtor(
        change,
        customer,
        f"payment_reminder_l{found.level}_v1",
        f"{', '.join(numbers[:LISTED])}{more}",
        rupees(found.total_paisa),
        str(days),
        key=key,
        purpose="payment_reminder",
        subject=f"{customer.id}:{today}:{found.total_paisa}",
        not_after=local_instant(today, NO_LATER_THAN, change.terms.zone),
    )


def _end_credit(change: Change, customer: Customer, found: Plan, today: date) -> None:
    if not put_on_hold(change, customer.id, OVERDUE):
        return
    notices.tell_debtor(
        change,
        customer,
        "credit_hold_v1",
        rupees(found.total_paisa),
        key=f"credit_hold:{customer.id}:{today}",
        purpose="credit_hold",
        subject=None,
        not_after=None,
    )
    text = f"{customer.name} owes {rupees(found.total_paisa)} for two weeks or more."
    change.ask_people(
        f"collect:{customer.id}:{today}", "collect", f"customer:{customer.id}", text
    )
