"""Demo traffic: messages and orders of a made-up shop, through the real queues."""

import itertools
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

from workflows.app import huey
from workflows.engine.states import JobState
from workflows.exceptions import StoreFullError, StoreUnavailableError
from workflows.jobs.order_expiry.job import expire_order
from workflows.jobs.order_expiry.payload import OrderExpiry
from workflows.jobs.whatsapp_message_send.job import send_whatsapp_message
from workflows.jobs.whatsapp_message_send.payload import WhatsAppMessageSend
from workflows.marketplace.content import TemplateContent
from workflows.marketplace.order import Order
from workflows.marketplace.services import services

STOP = frozenset({signal.SIGTERM, signal.SIGINT})
REPORT_EVERY_S = 5.0
PAY_WITHIN = timedelta(seconds=8)
DISHES = ("momo", "dal bhat", "thukpa", "sel roti", "chatamari")
SHOWN = (
    JobState.WAITING,
    JobState.DELAYED,
    JobState.ACTIVE,
    JobState.COMPLETED,
    JobState.FAILED,
)


def send_traffic(*, rate: float, count: int) -> int:
    """Add `rate` jobs per second, `count` in all or (0) until a signal of `STOP`.

    The caller has blocked these signals: one that came before is not missed. Prints
    what the queues hold every few seconds. Returns an exit code.
    """
    since_report = 0.0
    for number, add in enumerate(_traffic(), start=1):
        if signal.sigtimedwait(STOP, 1 / rate):
            break
        try:
            add()
            since_report += 1 / rate
            if since_report >= REPORT_EVERY_S or number == count:
                _report()
                since_report = 0.0
        except (StoreUnavailableError, StoreFullError) as error:
            _say(f"not accepted: {error}")
        if number == count:
            break
    huey.store.close()
    return 0


def _traffic() -> Iterator[Callable[[], None]]:
    """Return what to add next: messages, orders that nobody pays, a wrong job."""
    shop = secrets.token_hex(3)
    for number in itertools.count(1):
        phone = f"+977984{number % 10_000_000:07}"
        order_id = f"demo-{shop}-{number}"
        if number % 20 == 0:  # an order that is not there: a dead letter
            yield partial(_expire, order_id, delay=0)
        elif number % 4 == 0:
            yield partial(_order, order_id, phone)
        else:
            yield partial(_greet, number, phone)


def _greet(number: int, phone: str) -> None:
    dish = DISHES[number % len(DISHES)]
    content = TemplateContent(name="dish_of_the_day_v1", body_params=(dish,))
    payload = WhatsAppMessageSend(phone_number=phone, content=content, purpose="demo")
    send_whatsapp_message.enqueue(payload)


def _order(order_id: str, phone: str) -> None:
    """Place an order, with the timer that closes it if it is not paid."""
    shop = services()
    now = shop.clock()
    order = Order(
        id=order_id,
        customer_phone=phone,
        total_paisa=45_000,
        placed_at=now,
        expires_at=now + PAY_WITHIN,
    )
    with shop.storage.begin() as work:
        work.orders.add(order)
    _expire(order_id, delay=PAY_WITHIN.total_seconds())


def _expire(order_id: str, *, delay: float) -> None:
    payload = OrderExpiry(order_id=order_id)
    expire_order.enqueue(payload, job_id=f"expire:{order_id}", delay=delay)


def _report() -> None:
    for queue in huey.store.list_queues():
        counts = "  ".join(f"{state} {queue.counts.get(state, 0)}" for state in SHOWN)
        _say(f"{queue.name}: {counts}")


def _say(text: str) -> None:
    sys.stdout.write(f"demo: {text}\n")
    sys.stdout.flush()
