"""Reconciles credit accounts, each in a transaction of its own."""

import logging
from collections.abc import Sequence
from datetime import date

from workflows.exceptions import StoreFullError, StoreUnavailableError
from workflows.jobs.credit_reconciliation import policy
from workflows.jobs.credit_reconciliation.payload import CreditReconciliation
from workflows.marketplace.backoffice import ItemStatus, RunState
from workflows.marketplace.change import Marketplace
from workflows.marketplace.errors import PermanentError, TransientError
from workflows.marketplace.rules.business_time import business_date
from workflows.marketplace.transitions.reconciliation import (
    accounts_left,
    check_ledger,
    finish_night,
    reconcile_account,
)
from workflows.marketplace.transitions.schedules import claim, finish

log = logging.getLogger(__name__)

ACTOR = "job:credit-reconciliation"
TRIAL_BALANCE = "trial_balance"
PARTIAL = "partial"


def reconcile(
    shop: Marketplace, payload: CreditReconciliation, run_id: str
) -> dict[str, object]:
    """Reconcile once a night; safe to repeat at any point.

    Raises:
        PermanentError: the ledger does not balance; nothing was repaired.
        TransientError: it failed for some accounts; the others are done.
        StoreUnavailableError: database or queue is not available.
    """
    day = payload.business_date or business_date(shop.clock(), shop.terms.zone)
    whole = payload.credit_account_id is None
    if whole and not shop.run(ACTOR, claim, policy.QUEUE, day, run_id):
        return {"date": day.isoformat(), "outcome": "noop:claimed"}
    wrong = shop.run(ACTOR, check_ledger, day)
    if wrong:
        if whole:
            shop.run(ACTOR, finish, policy.QUEUE, day, RunState.FAILED)
        raise PermanentError(TRIAL_BALANCE, f"these do not balance: {wrong[:10]}")
    one = payload.credit_account_id
    accounts = shop.run(ACTOR, accounts_left, day) if one is None else [one]
    failed = _each(shop, accounts, day)
    if failed:
        if whole:
            shop.run(ACTOR, finish, policy.QUEUE, day, RunState.FAILED)
        text = f"{len(failed)} of {len(accounts)} accounts failed: {failed[:10]}"
        raise TransientError(PARTIAL, text)
    counts = shop.run(ACTOR, finish_night, day)
    if whole:
        shop.run(ACTOR, finish, policy.QUEUE, day, RunState.DONE)
    return {
        "date": day.isoformat(),
        "outcome": "done" if any(counts.values()) else "clean",
        "accounts": len(accounts),
        "autoFixed": counts[ItemStatus.AUTO_FIXED],
        "adjusted": counts[ItemStatus.ADJUSTED],
        "open": counts[ItemStatus.OPEN],
    }


def _each(shop: Marketplace, accounts: Sequence[str], day: date) -> list[str]:
    failed = []
    for account_id in accounts:
        try:
            shop.run(ACTOR, reconcile_account, account_id, day)
        except (StoreUnavailableError, StoreFullError):
            raise
        except Exception:  # the other accounts are reconciled all the same
            log.exception("reconciling %s failed", account_id)
            failed.append(account_id)
    return failed
