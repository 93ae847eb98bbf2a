"""What each will do: drawn from a seed and the occasion, so a day can be played again.

How long a thing takes is a share of the span that the terms give for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from random import Random

from workflows.demo.people import PRODUCTS
from workflows.marketplace.order import OrderMode, PaymentMode
from workflows.marketplace.parties import Customer
from workflows.marketplace.rules.pricing import Line
from workflows.marketplace.terms import Terms
from workflows.marketplace.transitions.orders import NewOrder

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """A payment of an order: so much of it (percent), told `copies` times.

    `told_after` counts from the placing; `lag` is how long the news was under way.
    `begun`: its start is told too.
    """

    percent: int
    told_after: timedelta
    lag: timedelta = timedelta(0)
    copies: int = 1
    begun: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """An order to be placed, and what its customer will do."""

    after: timedelta  # since the day began
    wanted: NewOrder
    payments: tuple[Money, ...] = ()
    cancel_after: timedelta | None = None
    cancelled_by_ops: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A bid: when it is told, how long it was under way, and the price it asks."""

    told_after: timedelta
    lag: timedelta
    bps_of_ceiling: int
    copies: int = 1


class Reply(StrEnum):
    """How a supplier answers an offer."""

    YES = "yes"
    NO = "no"
    SILENCE = "silence"
    YES_THEN_NO = "yes_then_no"  # he takes it back within a minute
    YES_THEN_WITHDRAWN = "yes_then_withdrawn"  # he takes it back later


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to an offer, told `copies` times."""

    reply: Reply
    told_after: timedelta
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Habits:
    """Decides by the seed; asked twice, it says the same."""

    seed: int
    terms: Terms

    def _draw(self, *occasion: object) -> Random:
        return Random(":".join(str(part) for part in (self.seed, *occasion)))

    def orders(
        self, prefix: str, customers: Sequence[Customer], count: int, over: timedelta
    ) -> list[Plan]:
        """Return the orders of a day, placed over a span, the first first."""
        return [
            self._plan(f"{prefix}-{n:04}", customers, over * n / count)
            for n in range(1, count + 1)
        ]

    def _plan(
        self, order_id: str, customers: Sequence[Customer], after: timedelta
    ) -> Plan:
        draw = self._draw("order", order_id)
        credit = draw.random() < 0.35
        wanted = NewOrder(
            id=order_id,
            customer_id=draw.choice(customers).id,
            lines=_basket(draw),
            mode=OrderMode.DIRECT if draw.random() < 0.2 else OrderMode.BIDDING,
            payment_mode=PaymentMode.CREDIT if credit else PaymentMode.PREPAID,
        )
        cancelled = draw.random() < 0.08
        return Plan(
            after=after,
            wanted=wanted,
            payments=() if credit else self._payments(draw),
            cancel_after=self._within(draw, 1, 120) if cancelled else None,
            cancelled_by_ops=draw.random() < 0.3,
        )

    def _payments(self, draw: Random) -> tuple[Money, ...]:
        """Prompt, announced, in two parts, told late, too late, or never."""
        ttl, kind = self.terms.payment_ttl, draw.random()
        copies = draw.choice((1, 1, 1, 2, 3))
        soon = self._within(draw, 2, 50)
        if kind < 0.62:
            return (Money(percent=100, told_after=soon, copies=copies),)
        if kind < 0.72:
            return (Money(percent=100, told_after=soon, copies=copies, begun=True),)
        if kind < 0.79:
            late = self._within(draw, 55, 90)
            return (
                Money(percent=40, told_after=soon, copies=copies),
                Money(percent=60, told_after=late),
            )
        if kind < 0.87:  # it was paid in time, and the order expired before we heard
            grace = self.terms.reinstate_within * draw.uniform(0.2, 0.6)
            return (
                Money(
                    percent=100, told_after=ttl + grace, lag=2 * grace, copies=copies
                ),
            )
        if kind < 0.90:
            too_late = ttl + 1.5 * self.terms.reinstate_within
            return (Money(percent=100, told_after=too_late),)
        return ()

    def bids(self, order_id: str, supplier_id: str) -> tuple[Offer, ...]:
        """Return what a wholesaler bids when he is invited."""
        draw = self._draw("bid", order_id, supplier_id)
        if draw.random() < 0.2:
            return ()
        window = self.terms.bidding_window
        first = Offer(
            told_after=window * draw.uniform(0.05, 0.75),
            lag=timedelta(0),
            bps_of_ceiling=draw.randrange(8_000, 10_300, 100),
            copies=draw.choice((1, 1, 1, 2)),
        )
        kind = draw.random()
        if kind < 0.06:  # sent too late
            return (Offer(told_after=window * 1.1, lag=SECOND, bps_of_ceiling=8_000),)
        if kind < 0.12:  # sent in time, and told after the close
            return (
                Offer(
                    told_after=window + 10 * SECOND,
                    lag=30 * SECOND,
                    bps_of_ceiling=8_500,
                ),
            )
        if kind < 0.24:  # he thinks again
            second = Offer(
                told_after=first.told_after * 1.2,
                lag=timedelta(0),
                bps_of_ceiling=first.bps_of_ceiling - 200,
            )
            return (first, second)
        return (first,)

    def answer(self, order_id: str, supplier_id: str, *, nudged: bool) -> Answer:
        """Return how a supplier answers; who is silent may answer when nudged."""
        draw = self._draw("answer", order_id, supplier_id, nudged)
        share = draw.uniform(0.02, 0.35)
        kind = draw.random()
        if nudged:
            reply = Reply.YES if kind < 0.4 else Reply.SILENCE
        elif kind < 0.74:
            reply = Reply.YES
        elif kind < 0.82:
            reply = Reply.NO
        elif kind < 0.94:
            reply = Reply.SILENCE
        else:
            reply = Reply.YES_THEN_NO if kind < 0.97 else Reply.YES_THEN_WITHDRAWN
        return Answer(
            reply=reply,
            told_after=self.terms.confirm_window * share,
            copies=draw.choice((1, 1, 1, 2)),
        )

    def delivery(self, order_id: str) -> tuple[timedelta, int]:
        """Return how long a delivery takes, and how often it is told."""
        draw = self._draw("delivery", order_id)
        return self._within(draw, 20, 90), draw.choice((1, 1, 1, 2))

    def pays_invoice_after(self, order_id: str) -> timedelta | None:
        """Return how soon a customer pays what he bought on credit; None: not today."""
        draw = self._draw("invoice", order_id)
        return self._within(draw, 5, 60) if draw.random() < 0.6 else None

    def receipts(self, message_id: str, attempt: int) -> tuple[str, ...]:
        """Return the status reports of a message, in the order in which they come."""
        draw = self._draw("receipt", message_id, attempt)
        return draw.choice(
            (
                ("delivered",),
                ("delivered",),
                ("sent", "delivered", "read"),
                ("read", "delivered", "sent"),
                ("delivered", "delivered"),
                (),  # it never gets through
            )
        )

    def _within(self, draw: Random, least: int, most: int) -> timedelta:
        """Return a share, in percent, of the time that there is to pay."""
        return self.terms.payment_ttl * (draw.uniform(least, most) / 100)


def _basket(draw: Random) -> tuple[Line, ...]:
    chosen = draw.sample(sorted(PRODUCTS), draw.randint(1, 3))
    return tuple(
        Line(
            product_id=product,
            quantity=draw.randint(2, 20),
            unit_price_paisa=PRODUCTS[product][0],
            vat_bps=PRODUCTS[product][1],
        )
        for product in chosen
    )
