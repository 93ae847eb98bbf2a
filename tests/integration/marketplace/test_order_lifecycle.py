"""The order as a durable workflow: its timers act, the sweeps find nothing."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.clock import ManualClock
from tests.conftest import MakeStore
from tests.integration.marketplace import people, story
from tests.integration.marketplace.conftest import Deliveries
from tests.integration.marketplace.lifecycle_shop import LifecycleShop, open_shop
from tests.integration.marketplace.shop import PHONE
from tests.integration.marketplace.story import ORDER, TOTAL, answer, at, go
from tests.integration.marketplace.test_lifecycle import TOMORROW, deliver
from tests.integration.workflow_world import Death, event_loop
from tests.modes import as_shipped
from workflows import workflow
from workflows.client import WorkflowExecutionStatus, WorkflowHistory
from workflows.jobs.bidding_timeout.payload import BiddingTimeout
from workflows.jobs.bidding_timeout.processor import close_rounds
from workflows.jobs.order_lifecycle.activities import OrderActivities
from workflows.jobs.order_lifecycle.steps import Seen
from workflows.jobs.order_lifecycle.workflow import (
    LONG_HISTORY,
    WORKFLOW,
    Moment,
    OrderLifecycle,
)
from workflows.jobs.wholesaler_confirmation_timeout.payload import (
    WholesalerConfirmationTimeout,
)
from workflows.jobs.wholesaler_confirmation_timeout.processor import look_after_offers
from workflows.marketplace.bidding import Bid, BidStatus, RoundStatus
from workflows.marketplace.confirmation import ConfirmationStatus
from workflows.marketplace.database import Database
from workflows.marketplace.order import OrderStatus, PaymentStatus
from workflows.marketplace.transitions import delivery, orders
from workflows.store import Store
from workflows.worker import Replayer

pytestmark = as_shipped  # its worker is made by hand

C_PHONE = "+9779842000005"


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    with event_loop() as made:
        yield made


@pytest.fixture
def market(
    make_store: MakeStore,
    database: Database,
    deliveries: Deliveries,
    clock: ManualClock,
    loop: asyncio.AbstractEventLoop,
    monkeypatch: pytest.MonkeyPatch,
) -> LifecycleShop:
    store = make_store("sqlite", clock)
    shop = open_shop(store, database, deliveries, clock, loop, monkeypatch)
    with database.begin() as work:
        people.move_in(work)
    return shop


def statuses(shop: LifecycleShop) -> list[str]:
    return [moment["status"] for moment in shop.ask("timeline")]


def closed_as(shop: LifecycleShop, order_id: str = ORDER) -> object:
    return shop.handle(order_id).describe().status


def rescued(shop: LifecycleShop) -> list[object]:
    """Sweep everything; return what was found of each kind."""
    offers = look_after_offers(shop.market, WholesalerConfirmationTimeout())
    found: Any = close_rounds(shop.market, BiddingTimeout())
    kinds = ("rounds", "orders", "searches")
    return [offers["rescued"], *(found[kind]["rescued"] for kind in kinds)]


def replay(shop: LifecycleShop, order_id: str = ORDER) -> None:
    exported = shop.handle(order_id).fetch_history().to_json()
    history = WorkflowHistory.from_json(f"order:{order_id}", exported)
    asyncio.run(Replayer(workflows=[OrderLifecycle]).replay_workflow(history))


def test_lc_1_the_workflow_sees_an_order_to_its_end(
    market: LifecycleShop, deliveries: Deliveries
) -> None:
    story.three_bids(market)
    assert market.ask("status") == "bidding"
    deliver(market)
    market.run_for(30)
    assert closed_as(market) is WorkflowExecutionStatus.COMPLETED
    assert market.handle().result() == "completed"
    seen = ["bidding", "awaiting_confirmation", "confirmed", "completed"]
    assert statuses(market) == seen
    assert len(story.all_offers(market)) == 1
    assert len(deliveries.to(PHONE)) == 4
    replay(market)


def test_lc_1_in_workflow_mode_no_job_keeps_an_orders_time(
    market: LifecycleShop,
) -> None:
    story.three_bids(market)
    used = {queue.name for queue in market.store.list_queues()}
    assert used.isdisjoint({"order-expiry", "bidding-timeout"})


class Deadly:
    """A store whose process dies in the first exchange after something is true."""

    def __init__(self, store: Store, when: Callable[[], bool]) -> None:
        self._store, self._when = store, when
        self.died = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def exchange(*args: Any, **kwargs: Any) -> Any:
            if not self.died and self._when():
                self.died = True
                raise Death
            return method(*args, **kwargs)

        return exchange if name == "exchange" else method


def test_lc_4_a_death_between_the_award_and_its_record_awards_once(
    market: LifecycleShop, deliveries: Deliveries
) -> None:
    def awarded() -> bool:
        return story.the_round(market).status is RoundStatus.AWARDED

    story.place(market)
    market.through = lambda store: Deadly(store, awarded)
    story.pay(market)
    go(market, "10:05")
    story.bid(market, "C", 3_995_000)
    with pytest.raises(Death):
        go(market, "10:10:21")
    assert awarded()
    market.life, market.through = None, lambda store: store
    market.move_to(at("10:11"))
    market.run_for(30)
    [offer] = story.all_offers(market)
    assert (offer.supplier_id, offer.respond_by) == ("sup_C", at("10:25:20"))
    assert deliveries.to(C_PHONE).count("confirm_request") == 1
    assert market.ask("status") == "awaiting_confirmation"
    replay(market)


def test_lc_5_after_an_outage_the_bids_in_time_decide(market: LifecycleShop) -> None:
    story.three_bids(market)
    market.life = None
    market.move_to(at("10:40"))
    market.run_for(0)
    offer = story.the_offer(market)
    assert offer.supplier_id == "sup_C"
    assert offer.respond_by >= at("10:55")
    late = story.bid(market, "A", 3_000_000, "10:09:00")
    assert isinstance(late, Bid)
    assert late.status is BidStatus.REJECTED
    assert story.the_order(market).status is OrderStatus.AWAITING_CONFIRMATION


def test_lc_6_words_that_come_thrice_cost_looks_and_change_nothing(
    market: LifecycleShop,
) -> None:
    story.place(market)
    story.pay(market)
    go(market, "10:05")
    for letter, amount in (("C", 3_995_000), ("A", 4_020_000), ("B", 4_010_000)) * 3:
        story.bid(market, letter, amount, ref=f"wamid-{letter}")
        market.handle().signal("changed")
    go(market, "10:10:20")
    [offer] = story.all_offers(market)
    assert offer.supplier_id == "sup_C"
    looks = market.events().count("ACTIVITY_TASK_SCHEDULED")
    assert looks <= 5  # at the start, at the words, the close and after it


def test_lc_7_of_a_cancellation_and_an_award_at_once_none_binds(
    market: LifecycleShop,
) -> None:
    story.three_bids(market)
    go(market, "10:10:19")
    barrier = threading.Barrier(2)

    def cancel() -> None:
        barrier.wait()
        market.market.run("api", orders.cancel, ORDER, "customer")

    thread = threading.Thread(target=cancel)
    thread.start()
    barrier.wait()
    go(market, "10:10:20")
    thread.join()
    go(market, "10:40")
    assert story.the_order(market).status is OrderStatus.CANCELLED
    assert closed_as(market) is WorkflowExecutionStatus.COMPLETED
    with market.storage.begin() as work:
        assert work.confirmations.live_of(ORDER) is None
        assert work.rounds.open_of(ORDER) is None


@workflow.defn(name=WORKFLOW)
class SecondVersion(OrderLifecycle):
    """Looks twice at the start, in runs that start with it."""

    @workflow.init
    def __init__(self, order_id: str, timeline: list[Moment] | None = None) -> None:
        super().__init__(order_id, timeline)

    @workflow.run
    async def run(self, order_id: str, timeline: list[Moment] | None = None) -> str:
        if workflow.patched("look-twice"):
            await self._look()
        return await super().run(order_id, timeline)


def test_lc_8_open_runs_go_on_by_the_code_that_they_began_with(
    market: LifecycleShop,
) -> None:
    old = [f"old_{number}" for number in range(20)]
    for order_id in old:
        story.place(market, order_id)
    go(market, "10:01")
    market.life, market.code = None, SecondVersion
    story.place(market, "new")
    go(market, "10:32")
    for order_id in (*old, "new"):
        assert market.handle(order_id).result() == "expired"
        marked = "MARKER_RECORDED" in market.events(order_id)
        assert marked == (order_id == "new")


def test_lc_9_three_offers_time_out_by_the_workflows_timers_alone(
    market: LifecycleShop,
) -> None:
    story.three_bids(market)
    go(market, "10:10:20")
    for time in ("10:26:10", "10:41:30", "10:56:20"):
        go(market, time)
        assert rescued(market) == [0, 0, 0, 0]
    offers = story.all_offers(market)
    assert [offer.status for offer in offers] == [ConfirmationStatus.TIMED_OUT] * 3
    asked = [offer.requested_at for offer in offers]
    assert asked == [at("10:10:20"), at("10:25:40"), at("10:41:00")]
    order = story.the_order(market)
    assert order.closed_reason == "no_supplier"
    assert (order.payment_status, order.paid_paisa) == (PaymentStatus.REFUND_DUE, TOTAL)
    assert [story.strikes(market, letter) for letter in "ABC"] == [1, 1, 1]
    assert market.handle().result() == "expired"
    replay(market)


def test_a_cancelled_workflow_undoes_its_order(market: LifecycleShop) -> None:
    story.place(market, credit=True)
    go(market, "10:05")
    assert story.account(market).held_paisa == TOTAL
    market.handle().cancel()
    go(market, "10:06")
    assert closed_as(market) is WorkflowExecutionStatus.CANCELED
    assert story.the_order(market).closed_reason == "ops_cancelled"
    assert story.account(market).held_paisa == 0
    assert story.the_round(market).status is RoundStatus.CANCELLED


def test_once_the_goods_are_delivered_a_workflow_only_goes_forward(
    market: LifecycleShop,
) -> None:
    story.place(market, credit=True)
    go(market, "10:05")
    story.bid(market, "C", 3_995_000)
    go(market, "10:14")
    deliver(market)
    market.handle().cancel()
    market.run_for(60)
    assert story.the_order(market).status is OrderStatus.DELIVERED
    assert closed_as(market) is WorkflowExecutionStatus.RUNNING
    story.pay(market, order_id=None)
    market.run_for(60)
    assert market.handle().result() == "completed"


def test_a_delivery_that_does_not_come_and_a_debt_become_tasks_once(
    market: LifecycleShop,
) -> None:
    story.place(market, credit=True)
    go(market, "10:05")
    story.bid(market, "C", 3_995_000)
    go(market, "10:14")
    answer(market, accept=True)
    market.run_for(3 * 24 * 3600)
    assert [task.key.split(":")[0] for task in story.tasks(market)] == [
        "delivery_overdue"
    ]
    market.market.run("api", delivery.deliver, ORDER)
    market.run_until(at("10:00", TOMORROW) + timedelta(days=80))
    assert [task.key.split(":")[0] for task in story.tasks(market)] == [
        "delivery_overdue",
        "collect",
    ]
    assert market.handle().result() == "delivered"


def test_a_reinstated_order_has_a_workflow_again(market: LifecycleShop) -> None:
    story.place(market)
    go(market, "10:41")
    assert market.handle().result() == "expired"
    story.pay(market, paid_at=at("10:29:30"))
    market.run_for(0)
    assert closed_as(market) is WorkflowExecutionStatus.RUNNING
    assert market.ask("status") == "bidding"


def test_an_order_that_is_reinstated_during_the_last_look_keeps_its_workflow(
    market: LifecycleShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = OrderActivities._run
    over: list[str] = []

    def pay_behind(self: OrderActivities, *args: Any, **named: Any) -> Any:
        seen = run(self, *args, **named)
        if isinstance(seen, Seen) and seen.over and not over:
            over.append(seen.status)
            story.pay(market, paid_at=at("10:29:30"))
        return seen

    monkeypatch.setattr(OrderActivities, "_run", pay_behind)
    story.place(market)
    go(market, "10:41")
    assert over == ["expired"]
    assert closed_as(market) is WorkflowExecutionStatus.RUNNING
    assert market.ask("status") == "awaiting_confirmation"  # it is on its way again


def test_a_long_history_is_continued_with_its_timeline(market: LifecycleShop) -> None:
    story.place(market)
    first = market.handle().describe().run_id
    for _ in range(LONG_HISTORY // 10 + 5):
        market.run_for(1)
        market.handle().signal("changed")
    market.run_for(1)
    assert market.handle().describe().run_id != first
    assert len(market.events()) < LONG_HISTORY
    story.pay(market)
    market.run_for(0)
    assert statuses(market) == ["pending_payment", "bidding"]
