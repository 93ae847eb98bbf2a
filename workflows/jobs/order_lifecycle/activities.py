"""The activities of the order's workflow: the transitions that jobs and sweeps run.

Each does one transition, by its condition: run again after a crash, it does nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, TypeVar

from workflows import activity
from workflows.exceptions import Snooze
from workflows.jobs.order_expiry.payload import OrderExpiry
from workflows.jobs.order_expiry.processor import OrderExpirer
from workflows.jobs.order_lifecycle.steps import (
    CLOSED,
    Seen,
    collection,
    delivery_question,
    look,
)
from workflows.marketplace.change import LIFECYCLE, Change, Noop
from workflows.marketplace.order import OrderStatus
from workflows.marketplace.transitions import bidding, fallback, offers, orders

Args = ParamSpec("Args")
Result = TypeVar("Result")


class OrderActivities:
    """`expirer` returns this process's; the others use its marketplace too.

    `speed`: of the marketplace's clock.
    """

    def __init__(
        self, expirer: Callable[[], OrderExpirer], *, speed: float = 1.0
    ) -> None:
        self._expirer = expirer
        self._speed = speed

    @property
    def all(self) -> list[Callable[..., Any]]:
        """What a worker registers."""
        return [
            self.look_at_order,
            self.expire_order,
            self.close_round,
            self.look_after_offer,
            self.find_supplier,
            self.ask_about_delivery,
            self.hand_to_collections,
            self.cancel_order,
        ]

    @activity.defn(name="look-at-order")
    def look_at_order(self, order_id: str) -> Seen:
        """Return where the order is, and what it needs next."""
        return replace(self._run(look, order_id), speed=self._speed)

    @activity.defn(name="expire-order")
    def expire_order(self, order_id: str) -> str:
        """Close the order if its deadline has passed; asks its provider first."""
        try:
            done = self._expirer().run(
                OrderExpiry(orderId=order_id, source="workflow")  # type: ignore[call-arg]
            )
        except Snooze as later:  # the next look sees until when
            return str(later)
        return str(done["outcome"])

    @activity.defn(name="close-round")
    def close_round(self, round_id: str) -> str:
        """Close the round, and offer the order to the best bidder."""
        return _said(self._run(bidding.close_round, round_id))

    @activity.defn(name="look-after-offer")
    def look_after_offer(self, confirmation_id: str) -> str:
        """Remind the supplier at half time, end the offer when its time is up."""
        nudged = self._run(offers.nudge, confirmation_id)
        if not isinstance(nudged, Noop):
            return "nudged"
        return _said(self._run(offers.time_out, confirmation_id))

    @activity.defn(name="find-supplier")
    def find_supplier(self, order_id: str) -> str:
        """Offer the order to the next supplier; close it if there is none."""
        return _said(self._run(_search, order_id))

    @activity.defn(name="ask-about-delivery")
    def ask_about_delivery(self, confirmation_id: str) -> None:
        """Have a person ask where the goods are."""
        self._run(_ask_about_delivery, confirmation_id)

    @activity.defn(name="hand-to-collections")
    def hand_to_collections(self, order_id: str) -> None:
        """Have a person collect what is owed."""
        self._run(_collect, order_id)

    @activity.defn(name="cancel-order")
    def cancel_order(self, order_id: str) -> bool:
        """Undo the order: its round, offer, credit and money; False: it is delivered.

        All of it is one transition, in one transaction.
        """
        return self._run(_undo, order_id)

    def _run(
        self,
        transition: Callable[Concatenate[Change, Args], Result],
        *args: Args.args,
        **kwargs: Args.kwargs,
    ) -> Result:
        return self._expirer().marketplace.run(LIFECYCLE, transition, *args, **kwargs)


def _said(outcome: object) -> str:
    return str(outcome) if isinstance(outcome, Noop) else "done"


def _search(change: Change, order_id: str) -> object:
    order = orders.get_order(change, order_id)
    if order.status is not OrderStatus.FALLBACK:
        return Noop("state")
    attempt_no, reason = fallback.failed_attempt(change, order_id)
    return fallback.fall_back(change, order_id, attempt_no, reason)


def _ask_about_delivery(change: Change, confirmation_id: str) -> None:
    offer = offers.get_offer(change, confirmation_id)
    order = orders.get_order(change, offer.order_id)
    if order.status is OrderStatus.CONFIRMED:
        text = f"Order {order.id} is not delivered; ask {offer.supplier_id}."
        key = delivery_question(offer)
        change.ask_people(key, "call", f"order:{order.id}", text)


def _collect(change: Change, order_id: str) -> None:
    order = orders.get_order(change, order_id)
    if order.status is OrderStatus.DELIVERED:
        text = f"Order {order_id} was not paid after all reminders; collect the debt."
        change.ask_people(collection(order_id), "call", f"order:{order_id}", text)


def _undo(change: Change, order_id: str) -> bool:
    orders.cancel(change, order_id, "ops")
    status = orders.get_order(change, order_id).status
    return status in CLOSED and status is not OrderStatus.COMPLETED
