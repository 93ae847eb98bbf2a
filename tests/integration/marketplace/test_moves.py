"""No transition can take an order where no order goes."""

from dataclasses import replace

import pytest

from tests.integration.marketplace import story
from tests.integration.marketplace.shop import Shop
from workflows.marketplace.change import Change
from workflows.marketplace.errors import PermanentError
from workflows.marketplace.order import OrderStatus
from workflows.marketplace.transitions.orders import get_order
from workflows.marketplace.transitions.release import save_order


def test_a_move_that_is_not_in_the_table_is_refused(market: Shop) -> None:
    story.place(market)

    def deliver_unpaid(change: Change) -> None:
        order = get_order(change, story.ORDER)
        save_order(change, order, replace(order, status=OrderStatus.DELIVERED))

    with pytest.raises(PermanentError, match="from pending_payment to delivered"):
        market.market.run("test", deliver_unpaid)
    assert story.the_order(market).status is OrderStatus.PENDING_PAYMENT
