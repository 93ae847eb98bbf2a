"""The payload of `order-expiry`."""

from typing import Annotated, Literal

from pydantic import Field

from workflows.marketplace.fields import EntityId, JobPayload


class OrderExpiry(JobPayload):
    """Close an order whose deadline has passed.

    `expiryEpoch` is the epoch of the deadline that this timer was set for; without
    one, the order's own deadline decides.
    """

    order_id: EntityId
    expiry_epoch: Annotated[int, Field(ge=1)] | None = None
    source: Literal["timer", "sweeper", "workflow", "ops"] = "timer"
