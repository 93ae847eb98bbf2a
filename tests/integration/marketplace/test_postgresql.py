"""The tables, the transitions and their races on a real PostgreSQL server.

Runs where `initdb`, `postgres` and psycopg are installed; is skipped elsewhere.
"""

import threading
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, OperationalError

from tests.integration.marketplace import people
from tests.integration.marketplace.contests import CONTESTS, judge, race
from tests.integration.marketplace.postgresql import PostgresServer, available
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
from tests.unit.marketplace.rows import message
from workflows.exceptions import StoreRefusedError, StoreUnavailableError
from workflows.marketplace import on_postgresql
from workflows.marketplace.database import Database
from workflows.marketplace.inbound import apply_status
from workflows.marketplace.message import Channel, MessageStatus
from workflows.marketplace.migrations.upgrade import upgrade
from workflows.marketplace.order import OrderStatus
from workflows.marketplace.sql.rows import LostRaceError
from workflows.marketplace.sql.work import SqlWork
from workflows.marketplace.tables import SCHEMA_VERSION
from workflows.marketplace.transitions import orders, payments
from workflows.marketplace.transitions.orders import NewOrder
from workflows.marketplace.webhook import StatusEvent

pytest.importorskip("psycopg")
if not available():
    pytest.skip("no PostgreSQL here", allow_module_level=True)

DEADLOCK = "40P01"
RACES = 6  # of each kind
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
def engine(postgresql: PostgresServer) -> Iterator[Engine]:
    engine = create_engine(postgresql.url())
    yield engine
    engine.dispose()


def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))


@pytest.fixture
def world(engine: Engine) -> World:
    empty(engine)
    for _ in range(2):  # the second finds nothing to do
        with engine.begin() as connection:
            upgrade(connection)
    database = PostgresDatabase(engine)
    with database.begin() as work:
        people.move_in(work)
    return World(database)


@pytest.fixture
def url(engine: Engine, world: World) -> str:
    return engine.url.render_as_string(hide_password=False)


def test_the_tables_are_made_at_start_by_one_of_many(engine: Engine) -> None:
    empty(engine)
    url = engine.url.render_as_string(hide_password=False)
    made: list[Database] = []
    threads = [
        threading.Thread(target=lambda: made.append(Database(url))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    with made[0].begin() as work:
        people.move_in(work)
    with engine.connect() as connection:
        query = text("SELECT version_num FROM alembic_version")
        assert int(connection.execute(query).scalar_one()) == SCHEMA_VERSION
    for database in made:
        database.close()


def test_tables_of_another_program_or_a_newer_one_are_refused(
    engine: Engine, url: str
) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    with pytest.raises(StoreRefusedError, match="schema 0099"):
        Database(url)
    empty(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (x integer)"))
    with pytest.raises(StoreRefusedError, match="another program"):
        Database(url)


def test_a_story_on_the_database_as_configured(url: str) -> None:
    database = Database(url)
    world = World(database)
    for step in STORY:
        play(world, step)
    check(world)
    database.close()


def test_transactions_follow_one_another_and_wait_for_a_while_only(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_postgresql, "WAIT_SECONDS", 1)
    first, second = Database(url), Database(url)

    def begin() -> None:
        with second.begin() as work:
            assert work.channel.get() == Channel()

    with first.begin(), pytest.raises(StoreUnavailableError):
        begin()
    begin()
    first.close()
    second.close()


def test_a_webhook_told_twice_at_once_has_one_effect(url: str) -> None:
    database = Database(url)
    world = World(database)
    sent = message().accepted("wamid.1", None, START)
    with database.begin() as work:
        work.messages.add(sent)
    failed = StatusEvent(
        wamid="wamid.1",
        message_id=sent.id,
        status=MessageStatus.FAILED,
        at=START,
        code=131000,
    )
    barrier = threading.Barrier(4)

    def tell() -> None:
        barrier.wait()
        world.market.run("webhook", apply_status, failed)

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.begin() as work:
        after = work.messages.get(sent.id)
    assert after is not None
    assert (after.status, after.version) == (MessageStatus.QUEUED, 2)
    database.close()


def test_a_server_that_is_away_is_unavailable_and_its_password_unsaid(
    url: str,
) -> None:
    database = Database(url)
    away = make_url(url).set(password="hunter2", host="127.0.0.1", port=1, query={})
    with pytest.raises(StoreUnavailableError) as caught:
        Database(away.render_as_string(hide_password=False))
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in shown

    def be_thrown_out() -> None:
        with database.begin() as work:
            kill = "SELECT pg_terminate_backend(pg_backend_pid())"
            work._connection.execute(text(kill))

    with pytest.raises(StoreUnavailableError):
        be_thrown_out()
    with database.begin() as work:  # a new connection
        assert work.channel.get() == Channel()
    database.close()


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
