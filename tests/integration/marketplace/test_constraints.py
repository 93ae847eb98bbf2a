"""What the database itself refuses, whatever the program believes."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, StatementError

from tests.integration.marketplace import people
from tests.unit.marketplace.rows import NOW, order
from workflows.marketplace.bidding import Bid, BidSource, BidStatus, Round
from workflows.marketplace.confirmation import Confirmation, OfferSource
from workflows.marketplace.database import Database
from workflows.marketplace.ledger import Account, Posting, credit, debit
from workflows.marketplace.sql.work import SqlWork
from workflows.marketplace.tables import metadata
from workflows.marketplace.tables.types import Paisa

MINUTE = timedelta(minutes=1)
ROUND = Round(
    id="rnd_1",
    order_id="ord_1001",
    round_no=1,
    opens_at=NOW,
    closes_at=NOW + 10 * MINUTE,
    ceiling_paisa=4_085_000,
)
BID = Bid(
    id="bid_1",
    seq=1,
    round_id="rnd_1",
    supplier_id="sup_A",
    amount_paisa=4_020_000,
    submitted_at=NOW,
    ingested_at=NOW,
    source=BidSource.API,
)
OFFER = Confirmation(
    id="cnf_1",
    order_id="ord_1001",
    attempt_no=1,
    supplier_id="sup_A",
    source=OfferSource.BID,
    amount_paisa=4_020_000,
    requested_at=NOW,
    respond_by=NOW + 15 * MINUTE,
)
SALE = Posting(
    key="sale",
    kind="test",
    entries=(debit(Account.BANK, 100), credit(Account.SALES, 100)),
)


@pytest.fixture(autouse=True)
def _people(database: Database) -> None:
    with database.begin() as work:
        people.move_in(work)
        assert work.rounds.add(ROUND)
        assert work.bids.add(BID)
        assert work.confirmations.add(OFFER)
        assert work.ledger.post(SALE, date(2026, 11, 24), NOW)


def twice(add: Callable[[SqlWork], bool], database: Database) -> None:
    with database.begin() as work:
        assert not add(work)


def test_an_order_has_one_open_round(database: Database) -> None:
    second = replace(ROUND, id="rnd_2", round_no=2)
    twice(lambda work: work.rounds.add(second), database)


def test_a_supplier_has_one_live_bid_in_a_round(database: Database) -> None:
    second = replace(BID, id="bid_2", seq=2)
    twice(lambda work: work.bids.add(second), database)


def test_a_round_has_one_winner(database: Database) -> None:
    with database.begin() as work:
        work.bids.move(BID, replace(BID, status=BidStatus.WON))
    other = replace(BID, id="bid_2", seq=2, supplier_id="sup_B", status=BidStatus.WON)
    twice(lambda work: work.bids.add(other), database)


def test_an_order_has_one_live_offer(database: Database) -> None:
    second = replace(OFFER, id="cnf_2", attempt_no=2, supplier_id="sup_B")
    twice(lambda work: work.confirmations.add(second), database)


def refused(database: Database, statement: str, match: str) -> None:
    def run() -> None:
        with database.begin() as work:
            connection: Connection = work._connection
            connection.execute(text(statement))

    with pytest.raises(IntegrityError, match=match):
        run()


@pytest.mark.parametrize(
    ("statement", "match"),
    [
        ("UPDATE ledger_entries SET amount_paisa = 1", "append-only"),
        ("DELETE FROM ledger_entries", "append-only"),
        ("DELETE FROM ledger_transactions", "append-only"),
        ("UPDATE ledger_transactions SET kind = 'x'", "post a reversal"),
        ("INSERT INTO ledger_entries VALUES ('sale',9,'1000','D',5,NULL)", "already"),
        (
            "INSERT INTO ledger_transactions VALUES ('x','x','2026-11-24','',1,NULL)",
            "entries first",
        ),
    ],
)
def test_the_ledger_is_never_changed(
    database: Database, statement: str, match: str
) -> None:
    refused(database, statement, match)


def test_what_does_not_balance_cannot_be_posted(database: Database) -> None:
    with database.begin() as work:
        for statement in (
            "INSERT INTO ledger_transactions VALUES ('x','x','2026-11-24','',0,NULL)",
            "INSERT INTO ledger_entries VALUES ('x', 1, '1000', 'D', 100, NULL)",
            "INSERT INTO ledger_entries VALUES ('x', 2, '4000', 'C', 99, NULL)",
        ):
            work._connection.execute(text(statement))
        assert work.ledger.unbalanced() == ["x"]
    post = "UPDATE ledger_transactions SET posted = 1 WHERE key = 'x'"
    refused(database, post, "does not balance")


def test_the_same_key_is_posted_once(database: Database) -> None:
    with database.begin() as work:
        assert not work.ledger.post(SALE, date(2026, 11, 25), NOW)
        assert work.ledger.balance(Account.BANK) == 100
        assert work.ledger.trial_balance() == 0


def test_no_column_of_money_takes_a_float(database: Database) -> None:
    priced = replace(order(NOW), total_paisa=4_859_000.0)  # type: ignore[arg-type]
    with pytest.raises(StatementError, match="integer paisa"), database.begin() as w:
        w.orders.add(priced)


MONEY = [
    column
    for table in metadata.sorted_tables
    for column in table.columns
    if column.name.endswith("_paisa")
]


@pytest.mark.parametrize("wrong", [1.0, True, "1", Decimal(1)])
def test_every_column_of_money_refuses_what_is_no_integer(
    database: Database, wrong: object
) -> None:
    for column in MONEY:
        with (
            pytest.raises(StatementError, match="integer paisa"),
            database.begin() as work,
        ):
            work._connection.execute(column.table.update().values({column: wrong}))


def test_the_check_sees_every_table_with_money() -> None:
    assert all(isinstance(column.type, Paisa) for column in MONEY)
    tables = {column.table.name for column in MONEY}
    assert {"orders", "bids", "payments", "invoices", "ledger_entries"} <= tables


def test_a_float_is_no_money_to_the_database_either(database: Database) -> None:
    triggers = "SELECT tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"
    with database.begin() as work:
        made = work._connection.exec_driver_sql(triggers).all()
    for column in MONEY:
        checked = [
            sql
            for table, sql in made
            if table == column.table.name and f"typeof(NEW.{column.name}) " in sql
        ]
        assert len([sql for sql in checked if " BEFORE INSERT " in sql]) == 1, column
        assert len([sql for sql in checked if " BEFORE UPDATE " in sql]) == 1, column


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bids SET amount_paisa = 4020000.5",
        "UPDATE bids SET amount_paisa = 'much'",
        "UPDATE credit_accounts SET balance_paisa = 0.1 + 0.2",
        "INSERT INTO supplier_prices SELECT 'sup_A', 'oil', 0.5, 1",
    ],
)
def test_a_statement_that_writes_a_float_is_refused(
    database: Database, statement: str
) -> None:
    refused(database, statement, "money is integer paisa")


def test_numbers_are_taken_without_a_gap(database: Database) -> None:
    with database.begin() as work:
        assert [work.sequences.take("a") for _ in range(3)] == [1, 2, 3]

    def take_and_fail() -> None:
        with database.begin() as work:
            assert work.sequences.take("a") == 4
            raise KeyError

    with pytest.raises(KeyError):
        take_and_fail()
    with database.begin() as work:
        assert work.sequences.take("a") == 4
