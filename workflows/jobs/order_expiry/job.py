"""Registers `order-expiry`."""

from workflows.app import huey
from workflows.jobs.order_expiry import policy
from workflows.jobs.order_expiry.payload import OrderExpiry
from workflows.jobs.order_expiry.processor import OrderExpirer
from workflows.jobs.put_off import put_off_while_unavailable
from workflows.jobs.queues import lead_to, marketplace
from workflows.marketplace.services import services


@huey.job(
    name=policy.QUEUE,
    queue=policy.QUEUE,
    payload=OrderExpiry,
    retry=policy.RETRY,
    timeout=policy.TIMEOUT,
)
def expire_order(order: OrderExpiry) -> dict[str, object]:
    """Close one order; see `OrderExpirer.run`."""
    with put_off_while_unavailable():
        expirer = OrderExpirer(marketplace=marketplace(), payments=services().payments)
        return expirer.run(order)


lead_to(expire_order)
