"""The acceptance scenarios of `credit-reconciliation`."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import text

from tests.integration.marketplace import story
from tests.integration.marketplace.invoices import invoice
from tests.integration.marketplace.shop import Shop
from tests.integration.marketplace.story import at
from workflows.jobs.credit_reconciliation import processor
from workflows.jobs.credit_reconciliation.payload import CreditReconciliation
from workflows.jobs.credit_reconciliation.processor import reconcile
from workflows.marketplace.backoffice import ReconciliationItem
from workflows.marketplace.change import Change
from workflows.marketplace.credit import CreditAccount, CreditStatus
from workflows.marketplace.errors import PermanentError, TransientError
from workflows.marketplace.order import OrderStatus
from workflows.marketplace.parties import Customer
from workflows.marketplace.transitions.reconciliation import reconcile_account

NIGHT = date(2026, 11, 25)


def night(shop: Shop, run_id: str = "run") -> dict[str, object]:
    shop.move_to(at("02:00", NIGHT))
    return reconcile(shop.market, CreditReconciliation(), run_id)


def items(shop: Shop) -> list[ReconciliationItem]:
    with shop.storage.begin() as work:
        return work.reconciliation_items.of_day(NIGHT)


def codes(shop: Shop) -> list[tuple[str, int, int, str]]:
    return [
        (i.check_code, i.expected_paisa, i.actual_paisa, i.status) for i in items(shop)
    ]


def tamper(shop: Shop, **changes: object) -> None:
    old = story.account(shop)
    with shop.storage.begin() as work:
        work.credit_accounts.move(old, replace(old, **changes))  # type: ignore[arg-type]


def postings(shop: Shop) -> int:
    with shop.storage.begin() as work:
        return work.ledger.count()


def test_cr_1_what_agrees_is_clean_and_run_once(market: Shop) -> None:
    invoice(market, "INV-1", date(2026, 11, 30), 100_000)
    assert night(market)["outcome"] == "clean"
    assert items(market) == []
    assert night(market, "other")["outcome"] == "noop:claimed"


def test_cr_2_the_ledger_corrects_the_balance(market: Shop) -> None:
    invoice(market, "INV-1", date(2026, 11, 30), 359_000)
    tamper(market, balance_paisa=859_000)
    before = postings(market)
    night(market)
    assert codes(market) == [("R2", 359_000, 859_000, "auto_fixed")]
    assert story.account(market).balance_paisa == 359_000
    assert postings(market) == before


def test_cr_4_money_that_no_invoice_took_pays_the_oldest(market: Shop) -> None:
    story.pay(market, 2_000_000, order_id=None)  # before there was anything to pay
    invoice(market, "INV-11", date(2026, 11, 30), 1_359_000)
    invoice(market, "INV-12", date(2026, 12, 1), 1_000_000)
    night(market)
    with market.storage.begin() as work:
        owed = {i.id: i.outstanding_paisa for i in work.invoices.where()}
    assert owed == {"INV-11": 0, "INV-12": 359_000}
    assert story.account(market).balance_paisa == 359_000
    assert items(market) == []


def test_an_invoice_is_settled_by_its_allocations(market: Shop) -> None:
    made = invoice(market, "INV-1", date(2026, 11, 30), 100_000)
    with market.storage.begin() as work:
        work.invoices.move(made, replace(made, settled_paisa=40_000))
    night(market)
    assert codes(market) == [("R5", 0, 40_000, "auto_fixed")]


@pytest.mark.parametrize(("difference", "status"), [(100, "adjusted"), (101, "open")])
def test_r4_paisa_are_posted_as_rounding_and_more_is_shown(
    market: Shop, difference: int, status: str
) -> None:
    made = invoice(market, "INV-1", date(2026, 11, 30), 100_000)
    with market.storage.begin() as work:
        less = 100_000 - difference
        wrong = replace(made, subtotal_paisa=less, total_paisa=less)
        work.invoices.move(made, wrong)
    before = postings(market)
    night(market)
    assert codes(market) == [("R4", 100_000 - difference, 100_000, status)]
    assert postings(market) - before == (status == "adjusted")
    open_tasks = {task.key for task in story.tasks(market)}
    assert ("recon:2026-11-25" in open_tasks) == (status == "open")


def test_cr_10_an_order_that_has_ended_holds_no_credit(market: Shop) -> None:
    story.place(market, credit=True)
    with market.storage.begin() as work:  # as an old version crashed
        order = work.orders.get(story.ORDER)
        assert order is not None
        ended = replace(order, status=OrderStatus.EXPIRED, closed_reason="deadline")
        work.orders.save(order, ended)
    night(market)
    assert codes(market) == [("R3", 0, story.TOTAL, "auto_fixed")]
    assert story.account(market).held_paisa == 0


def test_cr_11_a_ledger_that_does_not_balance_stops_everything(market: Shop) -> None:
    tamper(market, balance_paisa=5)
    with market.storage.begin() as work:
        on_sqlite = work.connection.dialect.name == "sqlite"
        where = "" if on_sqlite else " ON ledger_transactions"
        for statement in (
            f"DROP TRIGGER lt_no_insert{where}",
            "INSERT INTO ledger_transactions VALUES ('x','x','2026-11-24','',0,NULL)",
            "INSERT INTO ledger_entries VALUES ('x', 1, '1000', 'D', 100, NULL)",
            "INSERT INTO ledger_entries VALUES ('x', 2, '4000', 'C', 99, NULL)",
        ):
            work._connection.execute(text(statement))
    with pytest.raises(PermanentError, match="trial_balance"):
        night(market)
    assert story.account(market).balance_paisa == 5
    assert items(market) == []
    assert "trial_balance:2026-11-25" in {task.key for task in story.tasks(market)}
    with market.storage.begin() as work:
        run = work.reconciliations.get(NIGHT)
    assert run is not None
    assert run.status == "failed"


def test_cr_12_one_account_that_fails_is_done_by_the_retry(
    market: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with market.storage.begin() as work:
        for number in range(2, 13):
            customer = Customer(id=f"cus_{number}", name="x", area="KTM")
            work.customers.add(customer)
            account = CreditAccount(
                id=f"cra_{number}", customer_id=customer.id, limit_paisa=1
            )
            work.credit_accounts.add(account)
    done: list[str] = []

    def fail_for_7(change: Change, account_id: str, day: date) -> object:
        if account_id == "cra_7" and "cra_7" not in done:
            done.append(account_id)
            raise ZeroDivisionError
        done.append(account_id)
        return reconcile_account(change, account_id, day)

    monkeypatch.setattr(processor, "reconcile_account", fail_for_7)
    with pytest.raises(TransientError, match="1 of 12"):
        night(market)
    assert len(done) == 12
    market.run_for(300)
    assert reconcile(market.market, CreditReconciliation(), "run")["accounts"] == 1
    assert done[12:] == ["cra_7"]


def test_r8_long_overdue_debt_ends_credit_and_payment_restores_it(
    market: Shop,
) -> None:
    invoice(market, "INV-1", date(2026, 11, 11), 100_000)
    night(market)
    assert story.account(market).status is CreditStatus.ON_HOLD
    assert [code for code, *_ in codes(market)] == ["R8"]
    story.pay(market, 100_000, order_id=None)
    assert story.account(market).status is CreditStatus.ACTIVE
