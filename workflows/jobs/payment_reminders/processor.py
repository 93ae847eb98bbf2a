"""Reminds customers of what is overdue, each in a transaction of its own."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from workflows.exceptions import StoreFullError, StoreUnavailableError
from workflows.jobs.payment_reminders import policy
from workflows.jobs.payment_reminders.payload import PaymentReminders
from workflows.marketplace.backoffice import RunState
from workflows.marketplace.change import Change, Marketplace, Noop
from workflows.marketplace.errors import TransientError
from workflows.marketplace.rules.business_time import business_date
from workflows.marketplace.transitions.reminders import (
    Plan,
    customers_to_remind,
    plan,
    remind,
)
from workflows.marketplace.transitions.schedules import claim, finish

log = logging.getLogger(__name__)

ACTOR = "job:payment-reminders"
PARTIAL = "partial"


@dataclass(slots=True)
class Tally:
    """What was done, and for whom it failed."""

    levels: Counter[str] = field(default_factory=Counter)
    customers: int = 0
    failed: list[str] = field(default_factory=list)

    def count(self, told: Plan) -> None:
        """Count one customer."""
        self.customers += 1
        self.levels.update(str(level) for _, level in told.due)


def remind_all(
    shop: Marketplace, payload: PaymentReminders, run_id: str
) -> dict[str, object]:
    """Remind once a day; safe to repeat at any point.

    Raises:
        TransientError: it failed for some customers; the others have been reminded.
        StoreUnavailableError: database or queue is not available.
    """
    now = shop.clock()
    today = payload.business_date or business_date(now, shop.terms.zone)
    whole = payload.customer_id is None and not payload.dry_run
    if whole and not shop.run(ACTOR, claim, policy.QUEUE, today, run_id):
        return {"date": today.isoformat(), "outcome": "noop:claimed"}
    earliest, latest = policy.HOURS
    if not earliest <= now.astimezone(shop.terms.zone).time() < latest:
        if whole:
            shop.run(ACTOR, finish, policy.QUEUE, today, RunState.SKIPPED)
        return {"date": today.isoformat(), "outcome": "noop:skipped"}
    tally = _each(shop, _customers(shop, payload, today), today, payload.dry_run)
    if whole:
        state = RunState.FAILED if tally.failed else RunState.DONE
        shop.run(ACTOR, finish, policy.QUEUE, today, state)
    if tally.failed:
        text = f"{len(tally.failed)} customers failed, {tally.customers} were reminded"
        raise TransientError(PARTIAL, text)
    return {
        "date": today.isoformat(),
        "outcome": "done",
        "customers": tally.customers,
        "invoicesByLevel": dict(sorted(tally.levels.items())),
    }


def _customers(
    shop: Marketplace, payload: PaymentReminders, today: date
) -> Sequence[str]:
    if payload.customer_id is not None:
        return [payload.customer_id]
    return shop.run(ACTOR, customers_to_remind, today)


def _each(
    shop: Marketplace, customers: Sequence[str], today: date, dry_run: bool
) -> Tally:
    tally = Tally()
    for customer_id in customers:
        try:
            told = shop.run(
                ACTOR, _only_plan if dry_run else remind, customer_id, today
            )
        except (StoreUnavailableError, StoreFullError):
            raise
        except Exception:  # the other customers are reminded all the same
            log.exception("reminding %s failed", customer_id)
            tally.failed.append(customer_id)
        else:
            if isinstance(told, Plan):
                tally.count(told)
    return tally


def _only_plan(change: Change, customer_id: str, today: date) -> Plan | Noop:
    return plan(change, customer_id, today) or Noop("nothing_due")
