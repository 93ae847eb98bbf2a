"""Whatever happens in whatever order: the ledger balances, one supplier is bound."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.marketplace import people
from workflows.exceptions import NonRetryableError
from workflows.marketplace.backoffice import OutboxJob
from workflows.marketplace.bidding import BidSource, BidStatus, RoundStatus
from workflows.marketplace.billing import PaymentState
from workflows.marketplace.change import Marketplace
from workflows.marketplace.confirmation import LIVE
from workflows.marketplace.database import Database
from workflows.marketplace.ledger import Account
from workflows.marketplace.order import OrderMode, OrderStatus, PaymentMode
from workflows.marketplace.ports import Storage
from workflows.marketplace.sql.work import SqlWork
from workflows.marketplace.transitions import (
    bidding,
    delivery,
    fallback,
    offers,
    orders,
    payments,
)
from workflows.marketplace.transitions.orders import NewOrder
from workflows.marketplace.transitions.payments import Receipt

START = datetime(2026, 11, 24, 4, 15, tzinfo=UTC)
NAMES = ("o1", "o2")
TOTAL = 4_859_000
PAUSES = (20, 400, 620, 1000)  # seconds


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the people of F0, to copy."""
    path = tmp_path_factory.mktemp("market") / "template.db"
    database = Database(f"sqlite:///{path}")
    with database.begin() as work:
        people.move_in(work)
    database.close()
    return path


@dataclass
class World:
    """A marketplace whose jobs nobody runs but the program."""

    database: Storage
    now: datetime = START
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    refs: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.market = Marketplace(
            storage=self.database,
            clock=lambda: self.now,
            new_id=lambda: f"{next(self.numbers):05}",
            jobs=self,
        )

    def add(self, job: OutboxJob, delay: timedelta) -> bool:
        return True


Step = tuple[str, int, int]  # what, for which order, a number


def play(world: World, step: Step) -> None:
    """One step; what cannot be, is refused."""
    what, which, number = step
    name = NAMES[which]
    acts: dict[str, Callable[[], object]] = {
        "wait": lambda: setattr(
            world,
            "now",
            world.now + timedelta(seconds=PAUSES[number % 4]),
        ),
        "place": lambda: world.market.run("t", orders.place, _order(name, number)),
        "pay": lambda: world.market.run("t", payments.capture, _receipt(world, name)),
        "pay free": lambda: world.market.run(
            "t", payments.capture, _receipt(world, None)
        ),
        "pay again": lambda: world.market.run(
            "t", payments.capture, _receipt(world, name, ref=f"same-{which}")
        ),
        "bid": lambda: _bid(world, name, number),
        "close": lambda: _close(world, name),
        "answer": lambda: _answer(world, name, accept=bool(number % 3)),
        "time out": lambda: _on_offer(world, name, offers.time_out),
        "withdraw": lambda: _on_offer(world, name, offers.withdraw),
        "unreachable": lambda: _on_offer(world, name, offers.unreachable),
        "fall back": lambda: _fall_back(world, name),
        "expire": lambda: world.market.run("t", orders.expire, name),
        "cancel": lambda: world.market.run(
            "t", orders.cancel, name, "ops" if number % 2 else "customer"
        ),
        "deliver": lambda: world.market.run("t", delivery.deliver, name),
        "refund": lambda: _refund(world, name),
    }
    with suppress(NonRetryableError):
        acts[what]()


def _order(name: str, number: int) -> NewOrder:
    return NewOrder(
        id=name,
        customer_id="cus_1",
        lines=people.LINES,
        mode=OrderMode.DIRECT if number % 3 == 0 else OrderMode.BIDDING,
        payment_mode=PaymentMode.CREDIT if number % 2 else PaymentMode.PREPAID,
    )


def _receipt(world: World, name: str | None, ref: str | None = None) -> Receipt:
    return Receipt(
        provider="esewa",
        provider_ref=ref or f"ref-{next(world.refs)}",
        amount_paisa=TOTAL,
        paid_at=world.now,
        customer_id="cus_1",
        order_id=name,
    )


def _bid(world: World, name: str, number: int) -> None:
    with world.database.begin() as work:
        found = work.rounds.open_of(name)
    if found is not None:
        world.market.run(
            "t",
            bidding.submit_bid,
            found.id,
            f"sup_{'ABC'[number % 3]}",
            3_900_000 + number * 20_000,
            sent_at=world.now,
            source=BidSource.API,
        )


def _close(world: World, name: str) -> None:
    with world.database.begin() as work:
        rounds = work.rounds.of_order(name)
    if rounds:
        world.market.run("t", bidding.close_round, rounds[0].id)


def _on_offer(world: World, name: str, act: Callable[..., object]) -> None:
    with world.database.begin() as work:
        found = work.confirmations.of_order(name)
    if found:
        world.market.run("t", act, found[0].id)


def _answer(world: World, name: str, *, accept: bool) -> None:
    with world.database.begin() as work:
        found = work.confirmations.of_order(name)
    if found:
        world.market.run(
            "t",
            offers.answer,
            found[0].id,
            accept=accept,
            supplier_id=found[0].supplier_id,
            answered_at=world.now,
        )


def _fall_back(world: World, name: str) -> None:
    with world.database.begin() as work:
        order = work.orders.get(name)
        found = work.confirmations.of_order(name)
    if order is not None and order.status is OrderStatus.FALLBACK:
        attempt = found[0].attempt_no if found else 0
        reason = "rejected" if found else "no_bids"
        world.market.run("t", fallback.fall_back, name, attempt, reason)


def _refund(world: World, name: str) -> None:
    with world.database.begin() as work:
        paid = work.payments.of_order(name)
    for payment in paid:
        world.market.run("t", payments.refund, payment.id)


def check(world: World) -> None:
    """What must hold after every step."""
    with world.database.begin() as work:
        _check_money(work)
        for name in NAMES:
            _check_order(work, name)


def _check_money(work: SqlWork) -> None:
    assert work.ledger.trial_balance() == 0
    assert work.ledger.unbalanced() == []
    account = work.credit_accounts.get("cra_1")
    assert account is not None
    owed = work.ledger.balance(Account.RECEIVABLES, "cus_1")
    assert account.balance_paisa == owed
    holds = work.credit_holds.active_of("cra_1")
    assert account.held_paisa == sum(hold.amount_paisa for hold in holds)
    invoices = work.invoices.open_of("cus_1")
    assert owed == sum(invoice.outstanding_paisa for invoice in invoices)
    all_payments = work.payments.where()
    captured = [p for p in all_payments if p.status is PaymentState.CAPTURED]
    free = sum(payment.unallocated_paisa for payment in captured)
    assert work.ledger.balance(Account.ADVANCES, "cus_1") == -free
    received = sum(payment.amount_paisa for payment in all_payments)
    assert work.ledger.balance(Account.ESEWA) == received


def _check_order(work: SqlWork, name: str) -> None:
    order = work.orders.get(name)
    if order is None:
        return
    found = work.confirmations.of_order(name)
    live = [offer for offer in found if offer.status in LIVE]
    needs_one = order.status in {
        OrderStatus.AWAITING_CONFIRMATION,
        OrderStatus.CONFIRMED,
        OrderStatus.DELIVERED,
        OrderStatus.COMPLETED,
    }
    assert len(live) == needs_one
    assert all(offer.amount_paisa <= order.ceiling_paisa for offer in found)
    rounds = work.rounds.of_order(name)
    is_open = [r for r in rounds if r.status is RoundStatus.OPEN]
    assert len(is_open) == (order.status is OrderStatus.BIDDING)
    won = [b for b in work.bids.where() if b.status is BidStatus.WON]
    assert len({bid.round_id for bid in won}) == len(won)
    if order.status in {OrderStatus.EXPIRED, OrderStatus.CANCELLED}:
        hold = work.credit_holds.get(name)
        assert hold is None or hold.status != "active"


WORDS = (
    *("wait", "place", "pay", "pay free", "pay again", "bid", "close", "answer"),
    *("time out", "fall back", "expire", "cancel", "deliver", "refund"),
    *("withdraw", "unreachable"),
)
WHICH = st.sampled_from([0, 0, 0, 1])
STEP = st.tuples(st.sampled_from(WORDS), WHICH, st.integers(0, 11))
STEPS = st.lists(STEP, min_size=4, max_size=30)
OPENING: list[Step] = [("place", 0, 0), ("pay", 0, 0)]
DIRECT: list[Step] = [("place", 0, 0), ("pay", 0, 0), ("answer", 0, 1)]
BY_BIDS: list[Step] = [
    ("place", 0, 1),
    ("bid", 0, 1),
    ("bid", 0, 2),
    ("wait", 0, 2),
    ("wait", 0, 0),
    ("close", 0, 0),
]


FULL = os.environ.get("HYPOTHESIS_PROFILE") == "full"
CHECKED_EVERY = 5  # steps; and at the end


@settings(deadline=None, max_examples=200 if FULL else 15)
@pytest.mark.timeout(1200 if FULL else 300)
@given(opening=st.sampled_from([[], OPENING, DIRECT, BY_BIDS]), steps=STEPS)
def test_money_is_conserved_and_one_supplier_is_bound_whatever_happens(
    template: Path, opening: list[Step], steps: list[Step]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(template, f"{folder}/market.db")
        database = Database(f"sqlite:///{folder}/market.db")
        world = World(database)
        for number, step in enumerate((*opening, *steps)):
            play(world, step)
            if number % CHECKED_EVERY == 0:
                check(world)
        check(world)
        database.close()
