"""What a table of orders must do."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from workflows.marketplace.database import Database
from workflows.marketplace.order import Order, OrderStatus
from workflows.marketplace.repositories import OrderRepository
from workflows.marketplace.rules.pricing import Line

NOW = datetime(2026, 11, 24, 4, 15, tzinfo=UTC)
DEADLINE = NOW + timedelta(minutes=30)
LINES = (
    Line(product_id="noodles", quantity=20, unit_price_paisa=90_000, vat_bps=1300),
    Line(product_id="oil", quantity=10, unit_price_paisa=250_000, vat_bps=0),
)


def contract_order(id: str = "order-1", expires_at: datetime = DEADLINE) -> Order:
    """Return an order that waits for its money."""
    return Order(
        id=id,
        customer_phone="+9779841000001",
        total_paisa=4_859_000,
        placed_at=NOW,
        expires_at=expires_at,
    )


class OrdersContract:
    """Subclass it, and return your adapter from `make`."""

    def make(self, connection: Connection) -> OrderRepository:
        """Return the adapter, on the connection of a transaction."""
        raise NotImplementedError

    def _database(self, folder: Path) -> Database:
        return Database(f"sqlite:///{folder}/contract.db", orders=self.make)

    def test_what_is_added_is_found(self, tmp_path: Path) -> None:
        """An order comes back as it was."""
        database = self._database(tmp_path)
        with database.begin() as work:
            assert work.orders.add(contract_order())
        with database.begin() as work:
            assert work.orders.get("order-1") == contract_order()

    def test_an_unknown_order_is_none(self, tmp_path: Path) -> None:
        """Nobody raises for it."""
        with self._database(tmp_path).begin() as work:
            assert work.orders.get("nobody's") is None

    def test_an_id_is_added_once(self, tmp_path: Path) -> None:
        """The second add says False and changes nothing."""
        with self._database(tmp_path).begin() as work:
            assert work.orders.add(contract_order())
            assert not work.orders.add(replace(contract_order(), total_paisa=1))
            assert work.orders.get("order-1") == contract_order()

    def test_lines_keep_their_order(self, tmp_path: Path) -> None:
        """And are written once."""
        with self._database(tmp_path).begin() as work:
            work.orders.add(contract_order())
            work.orders.add_lines("order-1", LINES)
            work.orders.add_lines("order-1", LINES)
            assert tuple(work.orders.lines("order-1")) == LINES
            assert list(work.orders.lines("nobody's")) == []

    def test_a_status_that_changed_meanwhile_is_not_overwritten(
        self, tmp_path: Path
    ) -> None:
        """Compare-and-set on the status."""
        placed = replace(contract_order(), status=OrderStatus.PLACED)
        self._lost(tmp_path, placed)

    def test_an_epoch_that_changed_meanwhile_is_not_overwritten(
        self, tmp_path: Path
    ) -> None:
        """Compare-and-set on the epoch: the deadline has moved."""
        self._lost(tmp_path, replace(contract_order(), expiry_epoch=2))

    def test_money_that_came_meanwhile_is_not_overwritten(self, tmp_path: Path) -> None:
        """Compare-and-set on the money."""
        self._lost(tmp_path, replace(contract_order(), paid_paisa=1))

    def _lost(self, folder: Path, other: Order) -> None:
        read = contract_order()
        with self._database(folder).begin() as work:
            work.orders.add(read)
            assert work.orders.save(read, other)
            assert not work.orders.save(read, read.expired())
            assert work.orders.get(read.id) == other

    def test_a_rollback_leaves_nothing(self, tmp_path: Path) -> None:
        """The adapter writes in the transaction it was given, and nowhere else."""
        database = self._database(tmp_path)
        try:
            with database.begin() as work:
                work.orders.add(contract_order())
                raise KeyError
        except KeyError:
            pass
        with database.begin() as work:
            assert work.orders.get("order-1") is None

    def test_overdue_orders_are_open_and_oldest_first(self, tmp_path: Path) -> None:
        """The deadline itself counts; closed and later ones do not."""
        with self._database(tmp_path).begin() as work:
            for id, seconds in (("late", 0), ("later", 1), ("earlier", -1)):
                at = DEADLINE + timedelta(seconds=seconds)
                work.orders.add(contract_order(id, at))
            closed = contract_order("closed").expired()
            work.orders.add(closed)
            found = work.orders.overdue(DEADLINE, limit=10)
            assert [order.id for order in found] == ["earlier", "late"]
            assert len(work.orders.overdue(DEADLINE, limit=1)) == 1
            waiting = work.orders.in_status(OrderStatus.PENDING_PAYMENT, limit=10)
            assert {order.id for order in waiting} == {"earlier", "late", "later"}

    def test_of_two_transitions_at_once_one_wins(self, tmp_path: Path) -> None:
        """Twenty times, from two threads."""
        database = self._database(tmp_path)
        for number in range(20):
            order = contract_order(f"race-{number}")
            with database.begin() as work:
                work.orders.add(order)
            paid = order.paid(order.total_paisa, deadline=DEADLINE)
            assert _race(database, order, (paid, order.expired())) == {
                True: 1,
                False: 1,
            }


def _race(database: Database, old: Order, news: tuple[Order, ...]) -> Counter[bool]:
    barrier, won = threading.Barrier(len(news)), Counter[bool]()

    def save(new: Order) -> Callable[[], None]:
        def run() -> None:
            barrier.wait()
            with database.begin() as work:
                won[work.orders.save(old, new)] += 1

        return run

    threads = [threading.Thread(target=save(new)) for new in news]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won
