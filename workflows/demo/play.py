"""Opens a day on the queues of this process, plays it, and reads the books."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import Connection, func, select

from workflows.app import huey
from workflows.demo.books import PENDING, Books, read_books
from workflows.demo.day import Day
from workflows.demo.habits import Habits
from workflows.demo.history import plant_debts
from workflows.demo.office import Office
from workflows.demo.people import people
from workflows.demo.phones import Phones
from workflows.exceptions import StoreUnavailableError
from workflows.jobs import (
    close_bidding,
    end_unanswered_offers,
    expire_order,
    reconcile_credit,
    remind_debtors,
    report_day,
)
from workflows.jobs.queues import marketplace
from workflows.marketplace import tables
from workflows.marketplace.bidding import RoundStatus
from workflows.marketplace.change import Change
from workflows.marketplace.order import EXPIRABLE, OrderStatus, PaymentStatus
from workflows.marketplace.services import services

Result = TypeVar("Result")

PACE_S = 0.1
PATIENCE_S = 60.0
LOOK_EVERY_S = 1.0
SETTLED_LOOKS = 3  # in a row: what nothing waits for may be under way
SLACK_S = 20.0  # real seconds
JOBS = {
    one.job_type.queue: one
    for one in (
        close_bidding,
        end_unanswered_offers,
        expire_order,
        reconcile_credit,
        remind_debtors,
        report_day,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """How much is played. `over`: how long orders are placed, on our clock."""

    seed: int
    orders: int
    over: timedelta


def open_day(script: Script, phones: Phones) -> Day:
    """Let the people move in, begin the day's jobs, and note the orders to come.

    Repeated on the same files, people are there already, and the day is another one
    if the clock shows another date.
    """
    shop = marketplace()
    size = max(1, script.orders // 100)
    cast = people(12 + script.orders // 4, 3 + size, 2 + size)

    def move_in(change: Change) -> None:
        cast.move_in(change.work)
        plant_debts(change, cast.customers, cast.suppliers[-1])

    patiently(lambda: shop.run("demo", move_in))
    habits = Habits(script.seed, shop.terms)
    day = Day(shop, habits, phones, Office(shop, habits, add_job))
    today = f"{shop.clock().astimezone(shop.terms.zone):%m%d}"
    for queue in ("daily-reports", "credit-reconciliation", "payment-reminders"):
        add_job(queue, f"demo:{queue}:{today}")
    stray = f"demo:stray:{today}"  # a planted fault: the order is nobody's
    expire_order.enqueue({"orderId": "nobody-s"}, job_id=stray)
    day.diary.planted.add(stray)
    day.open(habits.orders(f"o{today}", cast.customers, script.orders, script.over))
    return day


def until_there_is_a_consumer(within_s: float) -> None:
    """Wait for a consumer to say that it lives, or for the time to pass."""
    until = time.monotonic() + within_s
    while not huey.store.list_workers() and time.monotonic() < until:
        time.sleep(PACE_S)


def add_job(queue: str, job_id: str) -> None:
    """Add an empty job of a queue, as its schedule does."""
    JOBS[queue].enqueue({}, job_id=job_id)


def play(day: Day, *, within_s: float, go_on: Callable[[], bool]) -> bool:
    """Play until nothing is left to do; False: it was stopped, or took too long."""
    until = time.monotonic() + within_s
    next_look, looks = 0.0, 0
    while time.monotonic() < until and go_on():
        patiently(day.go_on)
        if time.monotonic() >= next_look and not day.agenda.left:
            next_look = time.monotonic() + LOOK_EVERY_S
            looks = looks + 1 if settled() else 0
            if looks >= SETTLED_LOOKS:
                return True
        time.sleep(PACE_S)
    return False


def settled() -> bool:
    """Whether every order is closed or waits for people, and no message waits."""
    return not any(patiently(_unfinished).values())


def _unfinished() -> dict[str, int]:
    with services().storage.begin() as work:
        return unfinished(work.connection)


def patiently(read: Callable[[], Result]) -> Result:
    """Call until the store is available, a minute at most: so would people."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return read()
        except StoreUnavailableError:
            if time.monotonic() > until:
                raise
            time.sleep(PACE_S)


def unfinished(connection: Connection) -> dict[str, int]:
    """Count what is still on its way, by kind."""
    order, message, outbox = tables.orders, tables.messages, tables.job_outbox
    open_orders = order.c.status.in_(EXPIRABLE | {OrderStatus.CONFIRMED})
    queries = {
        "orders": (order, open_orders),
        "refunds": (order, order.c.payment_status == PaymentStatus.REFUND_DUE),
        "rounds": (tables.rounds, tables.rounds.c.status == RoundStatus.OPEN),
        "messages": (message, message.c.status.in_(PENDING)),
        "jobs to add": (outbox, outbox.c.relayed_at.is_(None)),
    }
    return {
        name: connection.execute(
            select(func.count()).select_from(table).where(condition)
        ).scalar_one()
        for name, (table, condition) in queries.items()
    }


def books() -> Books:
    """Read everything that was written."""
    parts = services()
    slack = timedelta(seconds=SLACK_S) * parts.settings.clock.speed
    return patiently(
        lambda: read_books(parts.storage, huey, parts.clock(), slack=slack)
    )


def what_is_left() -> str:
    """Name what is not finished."""
    left = patiently(_unfinished)
    return ", ".join(f"{count} {name}" for name, count in left.items() if count)


def wipe() -> None:
    """Remove everything from the store's namespace."""
    huey.store.wipe()
