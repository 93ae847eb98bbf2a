"""Races: what two or three do at once to one order, and what may come of it.

Contestants are threads, or processes of their own; they start together, each after a
delay of up to a few milliseconds that its seed gives, so that any of them may be first.
"""

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from tests.integration.marketplace import people
from tests.property.test_marketplace import START, TOTAL, World, _check_money
from workflows.jobs.bidding_timeout.payload import BiddingTimeout
from workflows.jobs.bidding_timeout.processor import close_rounds
from workflows.jobs.wholesaler_confirmation_timeout.payload import (
    WholesalerConfirmationTimeout,
)
from workflows.jobs.wholesaler_confirmation_timeout.processor import look_after_offers
from workflows.marketplace import tables
from workflows.marketplace.bidding import BidSource, BidStatus, Round
from workflows.marketplace.change import Marketplace
from workflows.marketplace.confirmation import LIVE, Confirmation
from workflows.marketplace.ports import Storage
from workflows.marketplace.transitions import bidding, fallback, offers, orders
from workflows.marketplace.transitions import payments as money
from workflows.marketplace.transitions.orders import NewOrder
from workflows.marketplace.transitions.payments import Receipt

CALL_S = 0.05  # from the call to the start
PATIENCE_S = 100  # three processes start, perhaps on a busy machine
SPREAD_S = 0.004  # within which the contestants start

Act = Callable[[World, str], object]
Outcome = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """`before` makes an order and moves the clock; then all `acts` happen at once.

    `outcomes`: the order's status and its payment's, its offers, its payments.
    """

    before: Act
    acts: tuple[Act, ...]
    outcomes: frozenset[Outcome]


def start_together(act: Act, world: World, name: str, seed: str, at: float) -> None:
    """Wait until a time of the machine's clock and as long as the seed says; act."""
    at += random.Random(seed).random() * SPREAD_S
    while time.monotonic() < at:
        pass  # a sleep would last too long
    act(world, name)


def outcome(storage: Storage, name: str) -> Outcome:
    """Return how it ended."""
    with storage.begin() as work:
        order = work.orders.get(name)
        made = work.confirmations.of_order(name)
        paid = work.payments.of_order(name)
    assert order is not None
    said = "+".join(str(offer.status) for offer in reversed(made)) or "none"
    got = "+".join(str(payment.status) for payment in paid) or "none"
    return str(order.status), str(order.payment_status), said, got


def check(storage: Storage, name: str) -> None:
    """What holds for any outcome: money is conserved, nobody is told a thing twice."""
    with storage.begin() as work:
        _check_money(work)
        table = tables.messages
        mine = select(table.c.purpose, table.c.to_phone, table.c.subject).where(
            table.c.order_id == name
        )
        told = Counter(map(tuple, work._connection.execute(mine)))
        assert {what: n for what, n in told.items() if n > 1} == {}
        live = [o for o in work.confirmations.of_order(name) if o.status in LIVE]
        assert len(live) <= 1
        won = [bid for bid in work.bids.where() if bid.status is BidStatus.WON]
        assert len({bid.round_id for bid in won}) == len(won)
        order = work.orders.get(name)
        assert order is not None
        kept = [p for p in work.payments.of_order(name) if p.status == PAID]
        assert order.paid_paisa == sum(p.amount_paisa for p in kept)


# -- what contestants do ---------------------------------------------------------------


def capture(world: World, name: str) -> object:
    receipt = Receipt(
        provider="esewa",
        provider_ref=f"ref-{name}",
        amount_paisa=TOTAL,
        paid_at=world.now,
        customer_id="cus_1",
        order_id=name,
    )
    return world.market.run("webhook", money.capture, receipt)


def expire(world: World, name: str) -> object:
    return world.market.run("job", orders.expire, name)


def cancel(world: World, name: str) -> object:
    return world.market.run("api", orders.cancel, name, "customer")


def close(world: World, name: str) -> object:
    return world.market.run("job", bidding.close_round, _round(world, name).id)


def sweep(world: World, _name: str) -> object:
    """Sweep rounds and offers, as the schedule does."""
    quiet: Marketplace = world.market
    close_rounds(quiet, BiddingTimeout())
    return look_after_offers(quiet, WholesalerConfirmationTimeout())


def accept(world: World, name: str) -> object:
    return _answer(world, name, accept=True)


def reject(world: World, name: str) -> object:
    return _answer(world, name, accept=False)


def time_out(world: World, name: str) -> object:
    return world.market.run("job", offers.time_out, _offers(world, name)[-1].id)


def search(world: World, name: str) -> object:
    return world.market.run("job", fallback.fall_back, name, 1, "rejected")


def refund(world: World, name: str) -> object:
    with world.database.begin() as work:
        [paid] = work.payments.of_order(name)
    return world.market.run("ops", money.refund, paid.id)


def bid(world: World, name: str) -> object:
    """The same message of C, however often it is told."""
    return world.market.run(
        "webhook",
        bidding.submit_bid,
        _round(world, name).id,
        "sup_C",
        3_995_000,
        sent_at=world.now,
        source=BidSource.WHATSAPP,
        source_ref=f"wamid-{name}",
    )


def _answer(world: World, name: str, *, accept: bool) -> object:
    offer = _offers(world, name)[0]
    return world.market.run(
        "webhook",
        offers.answer,
        offer.id,
        accept=accept,
        supplier_id=offer.supplier_id,
        answered_at=offer.respond_by - timedelta(seconds=1),
        ref=f"answer-{name}",
    )


def _round(world: World, name: str) -> Round:
    with world.database.begin() as work:
        return work.rounds.of_order(name)[0]


def _offers(world: World, name: str) -> list[Confirmation]:
    with world.database.begin() as work:
        return work.confirmations.of_order(name)[::-1]


# -- what was before -------------------------------------------------------------------


def placed(world: World, name: str) -> None:
    """It waits for its money, and its time is up."""
    _place(world, name)
    world.now += world.market.terms.payment_ttl


def waiting(world: World, name: str) -> None:
    """It waits for its money."""
    _place(world, name)


def open_round(world: World, name: str) -> None:
    """It is paid, and bids are taken."""
    _place(world, name)
    capture(world, name)


def due_round(world: World, name: str) -> None:
    """C has bid, and the sweeps may close the round."""
    open_round(world, name)
    bid(world, name)
    world.now += world.market.terms.bidding_window + timedelta(minutes=1)


def offered(world: World, name: str) -> None:
    """C has the offer."""
    due_round(world, name)
    close(world, name)


def silent(world: World, name: str) -> None:
    """C has not answered, and the sweeps may end his offer."""
    offered(world, name)
    world.now += world.market.terms.confirm_window + timedelta(minutes=1)


def rejected(world: World, name: str) -> None:
    """C has said no."""
    offered(world, name)
    reject(world, name)


def refund_due(world: World, name: str) -> None:
    """It is paid and cancelled."""
    open_round(world, name)
    cancel(world, name)


def nothing(world: World, name: str) -> None:
    """It is not placed yet."""
    days = int(name.rsplit("-", 1)[1])
    world.now = START + timedelta(days=days)


def place(world: World, name: str) -> object:
    wanted = NewOrder(id=name, customer_id="cus_1", lines=people.LINES)
    return world.market.run("api", orders.place, wanted)


def _place(world: World, name: str) -> None:
    nothing(world, name)
    place(world, name)


PAID, BACK = "captured", "refunded"
CONTESTS = {
    "the same order thrice": Contest(
        before=nothing,
        acts=(place, place, place),
        outcomes=frozenset({("pending_payment", "unpaid", "none", "none")}),
    ),
    "pay against expire": Contest(
        before=placed,
        acts=(capture, expire),
        outcomes=frozenset(
            {
                ("bidding", "paid", "none", PAID),
                ("expired", "refund_due", "none", PAID),
            }
        ),
    ),
    "pay against cancel": Contest(
        before=waiting,
        acts=(capture, cancel),
        outcomes=frozenset({("cancelled", "refund_due", "none", PAID)}),
    ),
    "the same payment thrice": Contest(
        before=waiting,
        acts=(capture, capture, capture),
        outcomes=frozenset({("bidding", "paid", "none", PAID)}),
    ),
    "award against cancel": Contest(
        before=due_round,
        acts=(close, cancel),
        outcomes=frozenset(
            {
                ("cancelled", "refund_due", "none", PAID),
                ("cancelled", "refund_due", "withdrawn", PAID),
            }
        ),
    ),
    "a timer and two sweeps award": Contest(
        before=due_round,
        acts=(close, sweep, sweep),
        outcomes=frozenset({("awaiting_confirmation", "paid", "pending", PAID)}),
    ),
    "a timer and two sweeps time out": Contest(
        before=silent,
        acts=(time_out, sweep, sweep),
        outcomes=frozenset({("fallback", "paid", "timed_out", PAID)}),
    ),
    "the same bid thrice": Contest(
        before=open_round,
        acts=(bid, bid, bid),
        outcomes=frozenset({("bidding", "paid", "none", PAID)}),
    ),
    "accept against time-out": Contest(
        before=silent,
        acts=(accept, time_out),
        outcomes=frozenset(
            {
                ("confirmed", "paid", "confirmed", PAID),
                ("fallback", "paid", "timed_out", PAID),
            }
        ),
    ),
    "the same yes thrice": Contest(
        before=offered,
        acts=(accept, accept, accept),
        outcomes=frozenset({("confirmed", "paid", "confirmed", PAID)}),
    ),
    "accept against cancel": Contest(
        before=offered,
        acts=(accept, cancel),
        outcomes=frozenset(
            {
                ("confirmed", "paid", "confirmed", PAID),
                ("cancelled", "refund_due", "withdrawn", PAID),
            }
        ),
    ),
    "two searches": Contest(
        before=rejected,
        acts=(search, search),
        outcomes=frozenset(
            {("awaiting_confirmation", "paid", "rejected+pending", PAID)}
        ),
    ),
    "refund twice": Contest(
        before=refund_due,
        acts=(refund, refund),
        outcomes=frozenset({("cancelled", "refunded", "none", BACK)}),
    ),
}


# -- the race -------------------------------------------------------------------------


def take_part(place: int, title: str, world: World, name: str, at: float) -> str | None:
    """Do one contestant's act; return what went wrong."""
    try:
        seed = f"{title}:{name}:{place}"
        start_together(CONTESTS[title].acts[place], world, name, seed, at)
    except BaseException:  # noqa: BLE001 - shown by the test
        return traceback.format_exc()
    return None


def race(title: str, world: World, name: str) -> list[str]:
    """Let threads race; return what went wrong."""
    contestants = len(CONTESTS[title].acts)
    at = time.monotonic() + CALL_S
    with ThreadPoolExecutor(contestants) as pool:
        running = [
            pool.submit(take_part, place, title, world, name, at)
            for place in range(contestants)
        ]
        said = [one.result(PATIENCE_S) for one in running]
    return [problem for problem in said if problem is not None]


def judge(title: str, world: World, name: str) -> None:
    """Check how one race ended."""
    assert outcome(world.database, name) in CONTESTS[title].outcomes
    check(world.database, name)
