"""Credit accounts: their balance follows the ledger, and debt suspends them."""

from dataclasses import replace

from workflows.marketplace.billing import Invoice, InvoiceStatus
from workflows.marketplace.change import Change
from workflows.marketplace.credit import CreditStatus
from workflows.marketplace.ledger import Account, Posting, balance
from workflows.marketplace.rules.business_time import business_date

OVERDUE = "overdue_14d"
LAST_LEVEL_DAYS = 14


def post(change: Change, posting: Posting) -> bool:
    """Post to the ledger and keep the caches of balances; False: posted before."""
    day = business_date(change.now, change.terms.zone)
    if not change.work.ledger.post(posting, day, change.now):
        return False
    receivable = [e for e in posting.entries if e.account is Account.RECEIVABLES]
    for party_id in {entry.party_id for entry in receivable}:
        account = change.work.credit_accounts.of_customer(str(party_id))
        if account is not None:
            moved = balance(e for e in receivable if e.party_id == party_id)
            after = replace(account, balance_paisa=account.balance_paisa + moved)
            change.work.credit_accounts.move(account, after)
    return True


def put_on_hold(change: Change, customer_id: str, reason: str) -> bool:
    """Take no more orders on credit; False if that was so, or there is no account."""
    account = change.work.credit_accounts.of_customer(customer_id)
    if account is None or account.status is not CreditStatus.ACTIVE:
        return False
    on_hold = replace(account, status=CreditStatus.ON_HOLD, hold_reason=reason)
    change.work.credit_accounts.move(account, on_hold)
    return True


def lift_hold(change: Change, customer_id: str) -> bool:
    """Take orders on credit again if nothing is long overdue any more."""
    account = change.work.credit_accounts.of_customer(customer_id)
    if account is None or account.hold_reason != OVERDUE:
        return False
    if any(long_overdue(change, i) for i in change.work.invoices.open_of(customer_id)):
        return False
    active = replace(account, status=CreditStatus.ACTIVE, hold_reason=None)
    change.work.credit_accounts.move(account, active)
    return True


def long_overdue(change: Change, invoice: Invoice) -> bool:
    """Whether an invoice is so late that credit ends."""
    today = business_date(change.now, change.terms.zone)
    is_open = invoice.status is InvoiceStatus.OPEN
    return is_open and (today - invoice.due_on).days >= LAST_LEVEL_DAYS
