"""Closes bidding rounds: one at its time, or all that were missed."""

from collections.abc import Sequence
from dataclasses import replace

from workflows.exceptions import Snooze
from workflows.jobs.bidding_timeout import policy
from workflows.jobs.bidding_timeout.orders import ORDERS, SEARCHES
from workflows.jobs.bidding_timeout.payload import BiddingTimeout
from workflows.jobs.sweeping import Sweep, run_sweep, show_poisoned
from workflows.marketplace.change import Change, Marketplace, Noop
from workflows.marketplace.sql.trade import POISONED
from workflows.marketplace.transitions.bidding import close_round

ACTOR = "job:bidding-timeout"


def close_rounds(shop: Marketplace, payload: BiddingTimeout) -> dict[str, object]:
    """Close a round, or sweep; safe to repeat at any point.

    The sweep also looks after orders: those past their deadline, and those whose
    search for a supplier has stopped.

    Raises:
        Snooze: the round closes later; no attempt spent.
        PermanentError: no such round.
        StoreUnavailableError: database or queue is not available.
    """
    if payload.round_id is not None:
        return _close(shop, payload.round_id)
    swept = run_sweep(shop, ROUNDS, payload.limit)
    orders = run_sweep(shop, ORDERS, payload.limit)
    searches = run_sweep(shop, SEARCHES, payload.limit)
    return {
        "outcome": "done",
        "rounds": swept.as_json(),
        "orders": orders.as_json(),
        "searches": searches.as_json(),
    }


def _close(shop: Marketplace, round_id: str) -> dict[str, object]:
    outcome = shop.run(ACTOR, close_round, round_id)
    if isinstance(outcome, Noop):
        if outcome.until is not None:
            raise Snooze(outcome.until - shop.clock(), outcome.why)
        return {"roundId": round_id, "outcome": str(outcome)}
    return {
        "roundId": round_id,
        "outcome": "done",
        "status": outcome.status,
        "winnerBidId": outcome.winner_bid_id,
    }


def _due(change: Change, limit: int) -> Sequence[str]:
    lag = change.terms.ingest_grace + change.terms.sweep_lag
    return [found.id for found in change.work.rounds.due(change.now - lag, limit)]


def _failed(change: Change, round_id: str) -> None:
    found = change.work.rounds.get(round_id)
    if found is None:
        return
    failures = found.sweep_failures + 1
    change.work.rounds.move(found, replace(found, sweep_failures=failures))
    if failures == POISONED:
        payload = {"roundId": round_id, "source": "ops"}
        show_poisoned(change, policy.QUEUE, f"round:{round_id}", payload, change.now)


ROUNDS = Sweep(
    kind="round", actor="sweeper:round", due=_due, act=close_round, failed=_failed
)
