"""The nightly proof that caches, sub-ledgers and ledger agree.

The ledger is the truth: what is a cache of it is corrected, what it cannot explain is
shown to a person. Nothing posted is ever changed.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from workflows.marketplace.backoffice import (
    ItemStatus,
    ReconciledAccount,
    ReconciliationItem,
    ReconciliationRun,
    ReconciliationState,
)
from workflows.marketplace.billing import Invoice, InvoiceStatus
from workflows.marketplace.change import Change, Noop
from workflows.marketplace.credit import CreditAccount, CreditStatus
from workflows.marketplace.errors import NOT_FOUND, PermanentError
from workflows.marketplace.ledger import Account
from workflows.marketplace.metrics import count
from workflows.marketplace.order import OrderStatus
from workflows.marketplace.rules.money import rupees
from workflows.marketplace.rules.postings import rounding
from workflows.marketplace.transitions.credit import (
    OVERDUE,
    lift_hold,
    long_overdue,
    post,
    put_on_hold,
)
from workflows.marketplace.transitions.payments import pay_invoices

ENDED = frozenset({OrderStatus.EXPIRED, OrderStatus.CANCELLED, OrderStatus.COMPLETED})


def check_ledger(change: Change, day: date) -> list[str]:
    """R1: begin a night; return the postings that do not balance, if any.

    If there are, nothing may be repaired: the night has failed.
    """
    begun = ReconciliationRun(business_date=day, started_at=change.now)
    change.work.reconciliations.add(begun)
    wrong = change.work.ledger.unbalanced()
    if wrong or change.work.ledger.trial_balance() != 0:
        end_run(change, day, ReconciliationState.FAILED)
        text = f"The ledger does not balance: {', '.join(wrong[:10]) or 'in sum'}."
        change.ask_people(f"trial_balance:{day}", "page", "ledger", text)
        return wrong or ["in sum"]
    return []


def accounts_left(change: Change, day: date) -> list[str]:
    """Return the accounts that this night is not done with."""
    ids = change.work.credit_accounts.ids()
    return [one for one in ids if change.work.reconciled.get(day, one) is None]


def reconcile_account(change: Change, account_id: str, day: date) -> int | Noop:
    """R2 to R6 and R8 for one account, once a night; return how many differed.

    Raises:
        PermanentError: no such account.
    """
    done = ReconciledAccount(business_date=day, account_id=account_id)
    if not change.work.reconciled.add(done):
        return Noop("done")
    before = len(change.work.reconciliation_items.of_day(day))
    account = _account(change, account_id)
    _invoice_caches(change, account, day)
    pay_invoices(change, account.customer_id)
    _balance_cache(change, account_id, day)
    _holds(change, account_id, day)
    _sub_ledger(change, account, day)
    _status(change, account_id, day)
    return len(change.work.reconciliation_items.of_day(day)) - before


def end_run(change: Change, day: date, state: ReconciliationState) -> None:
    """Record how a night ended."""
    found = change.work.reconciliations.get(day)
    if found is not None:
        ended = replace(found, status=state, finished_at=change.now)
        change.work.reconciliations.move(found, ended)


def finish_night(change: Change, day: date) -> dict[ItemStatus, int]:
    """End a night without failures; ask a person about what is open. Count items."""
    items = change.work.reconciliation_items.of_day(day)
    exceptions = ReconciliationState.EXCEPTIONS if items else ReconciliationState.CLEAN
    end_run(change, day, exceptions)
    open_items = [item for item in items if item.status is ItemStatus.OPEN]
    if open_items:
        subjects = ", ".join(f"{i.check_code} {i.subject}" for i in open_items[:10])
        change.ask_people(
            f"recon:{day}", "approve", f"reconciliation:{day}", f"Look at: {subjects}."
        )
    return {
        status: sum(item.status is status for item in items) for status in ItemStatus
    }


def _account(change: Change, account_id: str) -> CreditAccount:
    found = change.work.credit_accounts.get(account_id)
    if found is None:
        raise PermanentError(NOT_FOUND, f"no credit account {account_id}")
    return found


def _balance_cache(change: Change, account_id: str, day: date) -> None:
    """R2: the balance is the ledger's."""
    account = _account(change, account_id)
    ledger = change.work.ledger.balance(Account.RECEIVABLES, account.customer_id)
    if account.balance_paisa != ledger:
        cached = account.balance_paisa
        _found(change, day, "R2", account, expected=ledger, actual=cached)
        fixed = replace(account, balance_paisa=ledger)
        change.work.credit_accounts.move(account, fixed)


def _holds(change: Change, account_id: str, day: date) -> None:
    """R3: an order that has ended holds nothing; what is held is the sum of holds."""
    before = _account(change, account_id).held_paisa
    for hold in change.work.credit_holds.active_of(account_id):
        order = change.work.orders.get(hold.order_id)
        if order is None or order.status in ENDED:
            change.work.credit.release(hold.order_id, change.now)
    account = _account(change, account_id)
    active = change.work.credit_holds.active_of(account_id)
    held = sum(hold.amount_paisa for hold in active)
    if held != before:
        _found(change, day, "R3", account, expected=held, actual=before)
    if held != account.held_paisa:
        change.work.credit_accounts.move(account, replace(account, held_paisa=held))


def _invoice_caches(change: Change, account: CreditAccount, day: date) -> None:
    """R5: an invoice is settled by its allocations."""
    for invoice in _invoices(change, account.customer_id):
        settled = change.work.allocations.of_invoice(invoice.id)
        paid = settled == invoice.total_paisa
        status = InvoiceStatus.PAID if paid else InvoiceStatus.OPEN
        if (settled, status) == (invoice.settled_paisa, invoice.status):
            continue
        item = _item(day, "R5", f"invoice:{invoice.id}", settled, invoice.settled_paisa)
        _keep(change, item)
        fixed = replace(invoice, settled_paisa=settled, status=status)
        change.work.invoices.move(invoice, fixed)


def _invoices(change: Change, customer_id: str) -> Iterator[Invoice]:
    for invoice in change.work.invoices.of_customer(customer_id):
        if invoice.status in {InvoiceStatus.OPEN, InvoiceStatus.PAID}:
            yield invoice


def _sub_ledger(change: Change, account: CreditAccount, day: date) -> None:
    """R4: the open invoices are what the ledger says the customer owes."""
    open_now = change.work.invoices.open_of(account.customer_id)
    owed = sum(invoice.outstanding_paisa for invoice in open_now)
    ledger = change.work.ledger.balance(Account.RECEIVABLES, account.customer_id)
    if owed == ledger:
        return
    item = _item(day, "R4", _subject(account), owed, ledger)
    if abs(owed - ledger) <= change.terms.rounding_paisa:
        key = f"recon:{day}:R4:{account.id}"
        post(change, rounding(key, account.customer_id, owed - ledger))
        item = replace(item, status=ItemStatus.ADJUSTED, posting_key=key)
    else:
        item = replace(item, status=ItemStatus.OPEN)
    _keep(change, item)


def _status(change: Change, account_id: str, day: date) -> None:
    """R8: long overdue debt ends credit, its end restores it."""
    account = _account(change, account_id)
    open_now = change.work.invoices.open_of(account.customer_id)
    late = any(long_overdue(change, invoice) for invoice in open_now)
    if late and account.status is CreditStatus.ACTIVE:
        put_on_hold(change, account.customer_id, OVERDUE)
        _found(change, day, "R8", account)
    elif not late and lift_hold(change, account.customer_id):
        _found(change, day, "R8", account)
    if account.available_paisa < 0:
        text = f"{account.customer_id} is {rupees(-account.available_paisa)} over."
        change.ask_people(f"over_limit:{account.id}:{day}", "look", account.id, text)


def _found(
    change: Change,
    day: date,
    check: str,
    account: CreditAccount,
    *,
    expected: int = 0,
    actual: int = 0,
) -> None:
    item = _item(day, check, _subject(account), expected, actual)
    _keep(change, item)


def _keep(change: Change, item: ReconciliationItem) -> None:
    if change.work.reconciliation_items.add(item):
        check, status = item.check_code, item.status
        count(change.work, "recon_items_total", check=check, status=status)


def _item(
    day: date, check: str, subject: str, expected: int, actual: int
) -> ReconciliationItem:
    return ReconciliationItem(
        business_date=day,
        check_code=check,
        subject=subject,
        expected_paisa=expected,
        actual_paisa=actual,
        status=ItemStatus.AUTO_FIXED,
    )


def _subject(account: CreditAccount) -> str:
    return f"credit_account:{account.id}"
