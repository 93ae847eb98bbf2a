"""The tables, the transitions and their races on a real PostgreSQL server.

Runs where `initdb`, `postgres` and psycopg are installed; is skipped elsewhere.
"""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

from tests.integration.marketplace import people
from tests.integration.marketplace.contests import CONTESTS, judge, race
from tests.property.test_marketplace import (
    BY_BIDS,
    START,
    TOTAL,
    Step,
    World,
    _check_money,
    _receipt,
    check,
    play,
)
from workflows.marketplace.migrations.upgrade import upgrade
from workflows.marketplace.order import OrderStatus
from workflows.marketplace.sql.rows import LostRaceError
from workflows.marketplace.sql.work import SqlWork
from workflows.marketplace.transitions import orders, payments
from workflows.marketplace.transitions.orders import NewOrder

pytest.importorskip("psycopg")
if shutil.which("initdb") is None or shutil.which("postgres") is None:
    pytest.skip("no PostgreSQL here", allow_module_level=True)

DEADLOCK = "40P01"
RACES = 6  # of each kind
USER = "nobody" if os.geteuid() == 0 else None  # the server refuses to be root
STORY: list[Step] = [
    *BY_BIDS,
    ("answer", 0, 1),
    ("deliver", 0, 0),
    ("pay free", 0, 0),
    ("place", 1, 2),
    ("pay", 1, 0),
    ("pay again", 1, 0),
    ("cancel", 1, 1),
    ("refund", 1, 0),
]


class PostgresDatabase:
    """A `Storage` on a server."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def begin(self) -> Iterator[SqlWork]:
        try:
            with self.engine.begin() as connection:
                yield SqlWork(connection)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != DEADLOCK:
                raise
            raise LostRaceError from error  # the server chose us: again


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """A server of its own, on a socket in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        data, log = f"{folder}/data", Path(f"{folder}/log")
        make = ["initdb", "-D", data, "-A", "trust", "-U", "shop"]
        subprocess.run(make, check=True, capture_output=True, user=USER)
        run = ["postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
        with log.open("wb") as out:
            server = subprocess.Popen(run, stdout=out, stderr=out, user=USER)
        try:
            until(lambda: "ready to accept" in log.read_text())
            engine = create_engine(f"postgresql+psycopg://shop@/postgres?host={folder}")
            yield engine
            engine.dispose()
        finally:
            server.terminate()
            server.wait(timeout=30)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def world(engine: Engine) -> World:
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    for _ in range(2):  # the second finds nothing to do
        with engine.begin() as connection:
            upgrade(connection)
    database = PostgresDatabase(engine)
    with database.begin() as work:
        people.move_in(work)
    return World(database)


def test_a_story_leaves_the_books_in_order(world: World) -> None:
    for step in STORY:
        play(world, step)
    check(world)
    with world.database.begin() as work:
        done = work.orders.get("o1")
    assert done is not None
    assert done.status is OrderStatus.COMPLETED


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET amount_paisa = 1",
        "DELETE FROM ledger_entries",
        "UPDATE ledger_transactions SET kind = 'x'",
    ],
)
def test_the_ledger_is_never_changed(world: World, statement: str) -> None:
    for step in STORY:
        play(world, step)

    def run() -> None:
        with world.database.begin() as work:
            work._connection.execute(text(statement))

    with pytest.raises(IntegrityError):
        run()


def test_oe_3_a_capture_and_an_expiry_at_once_have_one_winner(world: World) -> None:
    outcomes = Counter(pay_and_expire(world, f"race-{number}") for number in range(20))
    assert set(outcomes) <= {("expired", "refund_due"), ("bidding", "paid")}
    with world.database.begin() as work:
        _check_money(work)


def pay_and_expire(world: World, name: str) -> tuple[str, str]:
    world.now = START
    wanted = NewOrder(id=name, customer_id="cus_1", lines=people.LINES)
    world.market.run("t", orders.place, wanted)
    world.now = START + world.market.terms.payment_ttl
    barrier = threading.Barrier(2)

    def pay() -> None:
        barrier.wait()
        receipt = _receipt(world, name, ref=name)
        world.market.run("t", payments.capture, receipt)

    def expire() -> None:
        barrier.wait()
        world.market.run("t", orders.expire, name)

    threads = [threading.Thread(target=target) for target in (pay, expire)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with world.database.begin() as work:
        after = work.orders.get(name)
    assert after is not None
    assert after.paid_paisa == TOTAL
    return str(after.status), str(after.payment_status)


@pytest.mark.parametrize("title", CONTESTS)
def test_of_threads_that_race_one_wins(title: str, world: World) -> None:
    for number in range(RACES):
        name = f"race-{number}"
        CONTESTS[title].before(world, name)
        assert race(title, world, name) == []
        judge(title, world, name)
