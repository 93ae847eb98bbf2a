"""The rules of the demo day: they hold of a good day, and each can be broken."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from tests.clock import ManualClock
from tests.integration.marketplace import people, story
from tests.integration.marketplace.conftest import Deliveries
from tests.integration.marketplace.shop import START, Shop, ms
from tests.integration.marketplace.story import ORDER, TOTAL, go
from workflows.demo.books import Books, DeadLetter, Row
from workflows.demo.diary import Diary
from workflows.demo.rules import RULES, check, told
from workflows.demo.send_rules import Sends
from workflows.marketplace import tables
from workflows.marketplace.bidding import RoundStatus
from workflows.marketplace.billing import PaymentState
from workflows.marketplace.change import MESSAGE_QUEUE
from workflows.marketplace.confirmation import ConfirmationStatus
from workflows.marketplace.credit import HoldStatus
from workflows.marketplace.database import Database
from workflows.marketplace.message import MessageStatus
from workflows.marketplace.order import OrderStatus
from workflows.marketplace.transitions import delivery
from workflows.store import StoreOptions
from workflows.stores import open_store

ON_CREDIT, UNPAID = "ord_credit", "ord_unpaid"


@dataclass
class Day:
    """A day as the rules see it, to be spoilt."""

    books: Books
    diary: Diary = field(default_factory=Diary)
    log: list[dict[str, Any]] = field(default_factory=list)
    kills_ms: list[int] = field(default_factory=list)

    def broken(self) -> set[str]:
        sends = Sends(self.log, self.kills_ms)
        return {finding.rule for finding in check(self.books, self.diary, sends)}

    def rows(self, table: str, **values: Any) -> list[Row]:
        """Return the rows of a table that have these values."""
        return [
            row
            for row in self.books.rows[table]
            if all(row[name] == value for name, value in values.items())
        ]

    def spoil(self, table: str, change: dict[str, Any], **values: Any) -> None:
        """Change the first row that has these values."""
        self.rows(table, **values)[0].update(change)

    def lose(self, table: str, **values: Any) -> None:
        """Remove the rows that have these values."""
        for row in self.rows(table, **values):
            list_of(self.books, table).remove(row)

    def set(self, **values: Any) -> None:
        self.books = replace(self.books, **values)


def list_of(books: Books, table: str) -> list[Row]:
    rows = books.rows[table]
    assert isinstance(rows, list)
    return rows


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """One order served and paid, one on credit, one that nobody pays."""
    folder = tmp_path_factory.mktemp("day")
    clock = ManualClock(ms(START))
    database = Database(f"sqlite:///{folder}/marketplace.db")
    store = open_store(f"sqlite:///{folder}/jobs.db", StoreOptions(clock=clock))
    shop = Shop(store, database, Deliveries(), clock)
    with database.begin() as work:
        people.move_in(work)
    shop.move_to(START)
    story.three_bids(shop)
    story.place(shop, UNPAID)
    story.place(shop, ON_CREDIT, credit=True)
    go(shop, "10:14")
    story.answer(shop, accept=True, ref="yes-1")
    go(shop, "10:20")
    offer = story.all_offers(shop, ON_CREDIT)[-1]
    story.answer(shop, accept=True, offer=offer.id)
    go(shop, "11:00")
    for order_id in (ORDER, ON_CREDIT):
        shop.market.run("test", delivery.deliver, order_id)
    shop.run_for(60)
    yield day_of(shop)
    store.close()
    database.close()


def day_of(shop: Shop) -> Day:
    with shop.storage.begin() as work:
        rows = {
            name: [dict(r) for r in work.connection.execute(table.select()).mappings()]
            for name, table in tables.metadata.tables.items()
        }
    books = Books(
        now=shop.now(),
        slack=timedelta(minutes=1),
        rows=rows,
        counts={},
        running=frozenset({ON_CREDIT}),
    )
    day = Day(books)
    day.diary.orders[ORDER] = TOTAL
    day.diary.receipts["esewa", "esewa-1"] = TOTAL
    day.diary.answers["yes-1"] = story.all_offers(shop)[-1].id
    day.diary.delivered = {ORDER, ON_CREDIT}
    day.log = [taken(row) for row in rows["messages"] if row["status"] == "accepted"]
    return day


def taken(row: Row, *, told: bool = True, at_ms: int = 0) -> dict[str, Any]:
    request = {"biz_opaque_callback_data": row["id"]}
    return {"at": at_ms, "wamid": row["wamid"], "told": told, "request": request}


@pytest.fixture
def day(played: Day) -> Day:
    return deepcopy(played)


def test_every_rule_holds_of_a_good_day(day: Day) -> None:
    assert day.broken() == set()
    assert [row["status"] for row in day.rows("orders")].count("completed") == 1


def a_message(day: Day) -> Row:
    return day.rows("messages", purpose="invoice_issued")[0]


def send_again(day: Day, *, told: bool, at_ms: int = 0, **changes: Any) -> None:
    """Another copy of a message whose first one was told, or not, as it is said."""
    row = a_message(day)
    row.update(changes)
    day.log = [one for one in day.log if one["wamid"] != row["wamid"]]
    day.log += [taken(row, told=told, at_ms=at_ms), taken(row, at_ms=100_000)]


SECOND_OFFER = {"id": "cnf_x", "order_id": ORDER, "attempt_no": 9}
LATE = START - timedelta(hours=1)
POSTING, PARTIES, MONEY, INVOICES = list(RULES)[:4]
MISSING, STUCK, WINNER, BEST = list(RULES)[4:8]
LOST, OCCASION, TWICE, OUTBOX = list(RULES)[8:12]
DEAD, STORE, DEMO = list(RULES)[12:]

Spoil = Callable[[Day], object]
SPOILT: dict[str, tuple[str, Spoil]] = {
    "an entry of another amount": (
        POSTING,
        lambda d: d.spoil("ledger_entries", {"amount_paisa": 1}),
    ),
    "a transaction that was not posted": (
        POSTING,
        lambda d: d.spoil("ledger_transactions", {"posted": 0}),
    ),
    "an advance that the rows do not know": (
        PARTIES,
        lambda d: d.spoil("payments", {"amount_paisa": TOTAL + 5}),
    ),
    "a debt that the credit account does not know": (
        PARTIES,
        lambda d: d.spoil("credit_accounts", {"balance_paisa": 1}),
    ),
    "more paid than was received": (
        MONEY,
        lambda d: d.spoil("orders", {"paid_paisa": TOTAL + 5}, id=ORDER),
    ),
    "an order paid by what was sent back": (
        MONEY,
        lambda d: d.spoil("payments", {"status": PaymentState.REFUNDED}),
    ),
    "money kept for an order that is closed": (
        MONEY,
        lambda d: d.spoil("payments", {"order_id": UNPAID}),
    ),
    "credit held by an order that is over": (
        MONEY,
        lambda d: d.spoil("credit_holds", {"status": HoldStatus.ACTIVE}),
    ),
    "credit held by nobody": (
        MONEY,
        lambda d: d.spoil("credit_accounts", {"held_paisa": 1}),
    ),
    "a delivery without an invoice": (
        INVOICES,
        lambda d: d.lose("invoices", order_id=ON_CREDIT),
    ),
    "a gap in the numbers": (
        INVOICES,
        lambda d: d.spoil("invoices", {"number": "KTM-2083/84-000009"}),
    ),
    "an invoice settled by nothing": (
        INVOICES,
        lambda d: d.lose("allocations"),
    ),
    "an invoice that was not posted": (
        INVOICES,
        lambda d: d.lose("ledger_transactions", kind="invoice"),
    ),
    "a supplier's cost that was not posted": (
        INVOICES,
        lambda d: d.lose("ledger_transactions", kind="cost"),
    ),
    "an order that was accepted and is gone": (
        MISSING,
        lambda d: d.diary.orders.update(gone=1),
    ),
    "money that was taken twice": (
        MISSING,
        lambda d: list_of(d.books, "payments").append(d.rows("payments")[0]),
    ),
    "a bid that is gone": (MISSING, lambda d: d.diary.bids.add("gone")),
    "an answer that is gone": (
        MISSING,
        lambda d: d.diary.answers.update(no="gone"),
    ),
    "a delivery that is forgotten": (
        MISSING,
        lambda d: d.diary.delivered.add(UNPAID),
    ),
    "a cancellation that is forgotten": (
        MISSING,
        lambda d: d.diary.cancelled.add(ORDER),
    ),
    "a refund that is forgotten": (
        MISSING,
        lambda d: d.diary.refunded.add(d.rows("payments")[0]["id"]),
    ),
    "an open order that nobody acts on": (
        STUCK,
        lambda d: d.set(running=frozenset()),
    ),
    "a closed order whose workflow goes on": (
        STUCK,
        lambda d: d.set(running=frozenset({ON_CREDIT, UNPAID})),
    ),
    "a workflow that has failed": (
        STUCK,
        lambda d: d.set(broken=frozenset({ORDER})),
    ),
    "an order past its deadline": (
        STUCK,
        lambda d: d.spoil("orders", {"status": OrderStatus.BIDDING}, id=UNPAID),
    ),
    "an order in a passing state": (
        STUCK,
        lambda d: d.spoil("orders", {"status": OrderStatus.FALLBACK}, id=UNPAID),
    ),
    "a round that was never closed": (
        STUCK,
        lambda d: d.spoil("rounds", {"status": RoundStatus.OPEN}),
    ),
    "an offer that never ended": (
        STUCK,
        lambda d: d.spoil("confirmations", {"status": ConfirmationStatus.PENDING}),
    ),
    "two suppliers of one order": (
        WINNER,
        lambda d: list_of(d.books, "confirmations").append(
            d.rows("confirmations")[0] | SECOND_OFFER
        ),
    ),
    "no supplier of an order that was delivered": (
        WINNER,
        lambda d: d.lose("confirmations", order_id=ORDER),
    ),
    "a bid that was better": (
        BEST,
        lambda d: d.spoil("bids", {"amount_paisa": 1}, status="lost"),
    ),
    "bids in a round without any": (
        BEST,
        lambda d: d.spoil("rounds", {"status": RoundStatus.NO_BIDS}, order_id=ORDER),
    ),
    "a message that waits in no queue": (
        LOST,
        lambda d: a_message(d).update(status=MessageStatus.QUEUED),
    ),
    "a message that failed without a reason": (
        LOST,
        lambda d: a_message(d).update(status=MessageStatus.FAILED),
    ),
    "a message that expired and has no end": (
        LOST,
        lambda d: a_message(d).update(status=MessageStatus.EXPIRED),
    ),
    "an offer that nobody was told of": (
        OCCASION,
        lambda d: d.lose("messages", purpose="confirm_request"),
    ),
    "an expiry that nobody was told of": (
        OCCASION,
        lambda d: d.lose("messages", purpose="order_expired"),
    ),
    "two messages for one occasion": (
        OCCASION,
        lambda d: list_of(d.books, "messages").append(
            a_message(d) | {"id": "m2", "dedupe_key": "another"}
        ),
    ),
    "a message sent again though it was told": (
        TWICE,
        lambda d: send_again(d, told=True),
    ),
    "a message sent again that may go out once": (
        TWICE,
        lambda d: send_again(d, told=False, delivery="at_most_once"),
    ),
    "a message that went out and is not known to": (
        TWICE,
        lambda d: a_message(d).update(
            status=MessageStatus.EXPIRED, not_after=d.books.now
        ),
    ),
    "a message that is said to be out and is not": (
        TWICE,
        lambda d: d.log.pop(),
    ),
    "a message of nobody's": (
        TWICE,
        lambda d: d.log.append(taken({"id": "m9", "wamid": "w9"})),
    ),
    "a job that was never added": (
        OUTBOX,
        lambda d: d.spoil("job_outbox", {"relayed_at": None}),
    ),
    "a dead letter without a reason": (
        DEAD,
        lambda d: d.set(dead=[DeadLetter("j", MESSAGE_QUEUE, "", "")]),
    ),
    "a dead letter of a message that is not": (
        DEAD,
        lambda d: d.set(dead=[DeadLetter("j", MESSAGE_QUEUE, "exhausted", "500")]),
    ),
    "a dead letter that nobody planted": (
        DEAD,
        lambda d: d.set(dead=[DeadLetter("j", "order-expiry", "exhausted", "no")]),
    ),
    "a planted fault that did not show": (
        DEAD,
        lambda d: d.diary.planted.add("planted"),
    ),
    "an invariant of the store": (STORE, lambda d: d.set(faults=["a counter"])),
    "an error that nobody expected": (DEMO, lambda d: d.diary.errors.append("Boom")),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_planted_fault_breaks_its_rule(day: Day, fault: str) -> None:
    rule, spoil = SPOILT[fault]
    spoil(day)
    assert rule in day.broken()


def test_every_rule_has_a_planted_fault() -> None:
    assert {rule for rule, _ in SPOILT.values()} == set(RULES)


def test_a_message_may_go_out_again_if_nobody_was_told(day: Day) -> None:
    send_again(day, told=False)
    assert day.broken() == set()


def test_a_kill_during_the_call_counts_as_not_told(day: Day) -> None:
    send_again(day, told=True, at_ms=5_000)
    day.kills_ms = [5_100]
    assert day.broken() == set()
    day.kills_ms = [90_000]
    assert day.broken() == {TWICE}


def test_what_is_broken_is_told_with_its_first_subjects(day: Day) -> None:
    day.diary.errors += ["one", "two", "three", "four"]
    assert list(told(check(day.books, day.diary, Sends()), of_each=2)) == [
        "BROKEN (4): nothing failed without a word",
        "  demo: one",
        "  demo: two",
    ]
