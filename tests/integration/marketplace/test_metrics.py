"""What the marketplace counts: in the transaction of what it counts, once."""

from datetime import date, timedelta
from typing import Any

import pytest

from api.market import Tally
from tests.integration.marketplace import invoices, story
from tests.integration.marketplace.caller import Caller, Provider, awarded
from tests.integration.marketplace.shop import Shop
from workflows.exceptions import StoreUnavailableError
from workflows.marketplace import metrics
from workflows.marketplace.change import Change
from workflows.marketplace.database import Database
from workflows.marketplace.terms import Terms


def numbers(shop: Shop) -> dict[str, float]:
    """Return all samples by their text, such as `bids_total{verdict=late}`."""
    with shop.storage.begin() as work:
        found = metrics.read_metrics(work, shop.now(), Terms())
    samples = [
        (metric.name, ",".join(f"{k}={v}" for k, v in labels.items()), value)
        for metric in found
        for labels, value in metric.samples
    ]
    return {name + (f"{{{t}}}" if t else ""): value for name, t, value in samples}


def test_an_orders_day_is_counted(api: Caller) -> None:
    offer = awarded(api)
    api.shop.run_for(4)
    yes = {"supplierId": "sup_C", "accept": True}
    api.post(f"confirmations/{offer}/answer", yes)
    api.post(f"confirmations/{offer}/answer", yes)
    found = numbers(api.shop)
    assert found["bids_total{verdict=accepted}"] == 3
    assert found["rounds_closed_total{path=timer,status=awarded}"] == 1
    assert found["confirmations_total{status=confirmed}"] == 1
    assert found["confirmation_answer_seconds_count"] == 1
    assert found["wa_send_total{code=,purpose=bid_invite,result=accepted}"] == 3
    assert found["sweeper_rescued_total{kind=round}"] == 0
    api.post("orders/ord_1001/cancel", {"by": "ops"})
    found = numbers(api.shop)
    assert found["orders_cancelled_total{reason=ops_cancelled}"] == 1
    assert found["refund_due_total"] == 1
    assert found["ops_tasks_open{kind=refund}"] == 1


def test_a_sweep_counts_what_it_rescues(market: Shop) -> None:
    story.place(market)
    story.pay(market)
    market.clock.now += 11 * 60_000  # no timer ran
    market.enqueue("bidding-timeout", {})
    market.enqueue("bidding-timeout", {})
    market.run_for(0)
    found = numbers(market)
    assert found["sweeper_rescued_total{kind=round}"] == 1
    assert found["rounds_closed_total{path=sweeper,status=no_bids}"] == 1
    assert found["round_close_late_seconds_sum"] == 40.0


def test_what_is_rolled_back_is_not_counted(market: Shop) -> None:
    def fail(change: Change) -> None:
        metrics.count(change.work, "bids_total", verdict="late")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        market.market.run("test", fail)
    assert "bids_total{verdict=late}" not in numbers(market)


def test_a_restart_forgets_nothing(market: Shop, database: Database) -> None:
    story.place(market)
    market.run_for(31 * 60)
    before = numbers(market)
    assert before["orders_expired_total{reason=unpaid}"] == 1
    assert before["order_expiry_late_seconds_count"] == 1
    database.close()
    assert numbers(market) == before


def test_only_what_is_declared_is_counted(market: Shop) -> None:
    with market.storage.begin() as work, pytest.raises(KeyError):
        metrics.count(work, "strangers_total")
    with market.storage.begin() as work, pytest.raises(KeyError):
        metrics.observe(work, "strange_seconds", timedelta(0))
    assert metrics.purpose_label("order_4711") == "other"


def test_debts_are_told_by_their_age(market: Shop) -> None:
    today = date(2026, 11, 24)
    for days, paisa in ((0, 100), (2, 1000), (14, 50_000)):
        due = today - timedelta(days=days)
        invoices.invoice(market, f"inv_{days}", due, paisa)
    found = numbers(market)
    assert found["overdue_paisa{days=1-2}"] == 1000
    assert found["overdue_paisa{days=14+}"] == 50_000
    assert found["overdue_paisa{days=7-13}"] == 0


def test_metrics_of_the_marketplace_stand_beside_the_others(api: Caller) -> None:
    api.tell(secret=b"guess")
    text = api.http.simulate_get("/metrics").text
    assert "marketplace_up 1\n" in text
    assert "webhook_bad_signature_total 1\n" in text
    assert 'sweeper_rescued_total{kind="order"} 0\n' in text
    assert "workflows_store_up 1\n" in text


def test_refused_webhooks_are_written_down_seldom_and_all_of_them() -> None:
    tally = Tally(seconds=1000)
    assert [tally.one_more() for _ in range(3)] == [1, 0, 0]
    tally._next = 0
    assert tally.one_more() == 3


def test_a_marketplace_out_of_reach_costs_no_other_metric(market: Shop) -> None:
    class Away(Caller):
        def market(self) -> Any:
            raise StoreUnavailableError

    text = Away(market, Provider()).http.simulate_get("/metrics").text
    assert "marketplace_up 0\n" in text
    assert "workflows_store_up 1\n" in text
    assert "bids_total" not in text
