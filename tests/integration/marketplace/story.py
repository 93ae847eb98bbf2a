"""The steps of fixture F0, each at its time of day in Kathmandu."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

from tests.integration.marketplace.people import LINES
from tests.integration.marketplace.shop import Shop
from workflows.marketplace.backoffice import OpsTask, OrderEvent
from workflows.marketplace.bidding import Bid, BidSource, Round
from workflows.marketplace.change import Marketplace, Noop
from workflows.marketplace.confirmation import Confirmation
from workflows.marketplace.credit import CreditAccount
from workflows.marketplace.order import Order, OrderMode, PaymentMode
from workflows.marketplace.rules.business_time import local_instant
from workflows.marketplace.transitions import bidding, offers, orders, payments
from workflows.marketplace.transitions.orders import NewOrder
from workflows.marketplace.transitions.payments import Receipt

DAY = date(2026, 11, 24)
TOTAL = 4_859_000
ORDER = "ord_1001"


def at(text: str, day: date = DAY) -> datetime:
    """Return the instant of a local time, `10:05` or `10:05:01`."""
    return local_instant(day, time.fromisoformat(text))


def go(shop: Shop, text: str) -> None:
    """Let time pass, running what is due."""
    shop.run_until(at(text))


def place(
    shop: Shop,
    order_id: str = ORDER,
    *,
    mode: OrderMode = OrderMode.BIDDING,
    credit: bool = False,
) -> Order:
    paid = PaymentMode.CREDIT if credit else PaymentMode.PREPAID
    wanted = NewOrder(
        id=order_id, customer_id="cus_1", lines=LINES, mode=mode, payment_mode=paid
    )
    return shop.market.run("test", orders.place, wanted)


def pay(
    shop: Shop,
    amount: int = TOTAL,
    *,
    order_id: str | None = ORDER,
    ref: str = "esewa-1",
    paid_at: datetime | None = None,
) -> object:
    receipt = Receipt(
        provider="esewa",
        provider_ref=ref,
        amount_paisa=amount,
        paid_at=paid_at or shop.now(),
        customer_id="cus_1",
        order_id=order_id,
    )
    return shop.market.run("test", payments.capture, receipt)


def bid(
    shop: Shop,
    letter: str,
    amount: int,
    sent: str | None = None,
    ref: str | None = None,
) -> Bid | Noop:
    return shop.market.run(
        "test",
        bidding.submit_bid,
        the_round(shop).id,
        f"sup_{letter}",
        amount,
        sent_at=shop.now() if sent is None else at(sent),
        source=BidSource.WHATSAPP,
        source_ref=ref,
    )


def three_bids(shop: Shop) -> None:
    """Place, pay, and let A, B and C bid as in F0; it is 10:07:30 then."""
    place(shop)
    pay(shop)
    go(shop, "10:05")
    bid(shop, "A", 4_020_000)
    go(shop, "10:07:30")
    bid(shop, "B", 3_995_000, "10:07:01")
    bid(shop, "C", 3_995_000, "10:07:00")


def answer(
    shop: Shop,
    *,
    accept: bool,
    sent: str | None = None,
    supplier: str | None = None,
    offer: str | None = None,
    ref: str | None = None,
) -> Confirmation | Noop:
    made = the_offer(shop) if offer is None else get_offer(shop, offer)
    return shop.market.run(
        "test",
        offers.answer,
        made.id,
        accept=accept,
        supplier_id=supplier or made.supplier_id,
        answered_at=shop.now() if sent is None else at(sent),
        ref=ref,
    )


def the_order(shop: Shop, order_id: str = ORDER) -> Order:
    return shop.order(order_id)


def the_round(shop: Shop) -> Round:
    with shop.storage.begin() as work:
        return work.rounds.of_order(ORDER)[0]


def all_offers(shop: Shop, order_id: str = ORDER) -> list[Confirmation]:
    """Return the offers of the order, the first first."""
    with shop.storage.begin() as work:
        return work.confirmations.of_order(order_id)[::-1]


def the_offer(shop: Shop) -> Confirmation:
    """Return the newest offer."""
    return all_offers(shop)[-1]


def get_offer(shop: Shop, offer_id: str) -> Confirmation:
    with shop.storage.begin() as work:
        found = work.confirmations.get(offer_id)
    assert found is not None
    return found


def strikes(shop: Shop, letter: str) -> int:
    with shop.storage.begin() as work:
        return work.strikes.since(f"sup_{letter}", shop.now() - timedelta(days=30))


def account(shop: Shop) -> CreditAccount:
    with shop.storage.begin() as work:
        found = work.credit_accounts.get("cra_1")
    assert found is not None
    return found


def history(shop: Shop, order_id: str = ORDER) -> list[OrderEvent]:
    with shop.storage.begin() as work:
        return work.events.of_order(order_id)


def tasks(shop: Shop) -> list[OpsTask]:
    with shop.storage.begin() as work:
        return work.tasks.where()


def tick(shop: Shop, queue: str) -> dict[str, object]:
    """Run a sweep now and return what it says."""
    job = shop.enqueue(queue, {})
    shop.run_for(0)
    return shop.result(job)


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def with_terms(shop: Shop, **terms: Any) -> Marketplace:
    """Return the shop's marketplace on other terms."""
    return replace(shop.market, terms=replace(shop.market.terms, **terms))
