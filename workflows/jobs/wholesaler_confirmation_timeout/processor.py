"""Looks after offers: a nudge at half time, an end when time is up."""

from collections.abc import Sequence
from dataclasses import replace

from workflows.exceptions import Snooze
from workflows.jobs.sweeping import Sweep, run_sweep, show_poisoned
from workflows.jobs.wholesaler_confirmation_timeout import policy
from workflows.jobs.wholesaler_confirmation_timeout.payload import (
    WholesalerConfirmationTimeout,
)
from workflows.marketplace.change import Change, Marketplace, Noop
from workflows.marketplace.sql.trade import POISONED
from workflows.marketplace.transitions.offers import (
    get_offer,
    next_look,
    nudge,
    time_out,
    unreachable,
)

ACTOR = "job:wholesaler-confirmation-timeout"


def look_after_offers(
    shop: Marketplace, payload: WholesalerConfirmationTimeout
) -> dict[str, object]:
    """Look after an offer, or sweep; safe to repeat at any point.

    Raises:
        Snooze: the offer still has time; no attempt spent.
        PermanentError: no such offer.
        StoreUnavailableError: database or queue is not available.
    """
    if payload.confirmation_id is None:
        swept = run_sweep(shop, OFFERS, payload.limit)
        return {"outcome": "done", **swept.as_json()}
    if payload.unreachable:
        ended = shop.run(ACTOR, unreachable, payload.confirmation_id)
        done = str(ended) if isinstance(ended, Noop) else "done"
        return {"confirmationId": payload.confirmation_id, "outcome": done}
    outcome = shop.run(ACTOR, _look, payload.confirmation_id)
    if outcome.until is not None:
        raise Snooze(outcome.until - shop.clock(), outcome.why)
    return {"confirmationId": payload.confirmation_id, "outcome": outcome.why}


def _look(change: Change, confirmation_id: str) -> Noop:
    """Nudge or end an offer; return what was done, or when to look again."""
    nudge(change, confirmation_id)
    ended = time_out(change, confirmation_id)
    if not isinstance(ended, Noop):
        return Noop(ended.status)
    if ended.until is None:
        return Noop(str(ended))
    offer = get_offer(change, confirmation_id)
    return Noop(ended.why, until=next_look(change, offer))


def _due(change: Change, limit: int) -> Sequence[str]:
    lag = change.terms.ingest_grace + change.terms.sweep_lag
    due = change.work.confirmations.due(change.now - lag, limit)
    return [found.id for found in due]


def _failed(change: Change, confirmation_id: str) -> None:
    found = change.work.confirmations.get(confirmation_id)
    if found is None:
        return
    failures = found.sweep_failures + 1
    change.work.confirmations.move(found, replace(found, sweep_failures=failures))
    if failures == POISONED:
        subject = f"confirmation:{confirmation_id}"
        payload = {"confirmationId": confirmation_id, "source": "ops"}
        show_poisoned(change, policy.QUEUE, subject, payload, change.now)


OFFERS = Sweep(
    kind="confirmation",
    actor="sweeper:confirmation",
    due=_due,
    act=time_out,
    failed=_failed,
)
