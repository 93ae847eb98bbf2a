"""The order as a durable workflow: its timers act, the sweeps find nothing."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.clock import ManualClock
from tests.conftest import MakeStore
from tests.integration.marketplace import people, story
from tests.integration.marketplace.conftest import Deliveries
from tests.integration.marketplace.lifecycle_shop import LifecycleShop, open_shop
from tests.integration.marketplace.story import at, go
from tests.integration.workflow_world import event_loop
from workflows.marketplace.confirmation import ConfirmationStatus
from workflows.marketplace.database import Database
from workflows.marketplace.order import OrderStatus


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


def test_lc_9_three_offers_time_out_by_the_workflows_timers_alone(
    market: LifecycleShop,
) -> None:
    story.three_bids(market)
    go(market, "10:10:20")
    assert story.the_order(market).status is OrderStatus.AWAITING_CONFIRMATION
    go(market, "11:00")
    ended = [offer.status for offer in story.all_offers(market)]
    assert ended == [ConfirmationStatus.TIMED_OUT] * 3
    asked = [offer.requested_at for offer in story.all_offers(market)]
    assert asked == [at("10:10:20"), at("10:25:40"), at("10:41:00")]
    assert story.the_order(market).closed_reason == "no_supplier"
