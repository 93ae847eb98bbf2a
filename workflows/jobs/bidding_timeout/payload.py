"""The payload of `bidding-timeout`."""

from typing import Annotated, Literal

from pydantic import Field

from workflows.marketplace.fields import EntityId, JobPayload


class BiddingTimeout(JobPayload):
    """Close one round (`roundId`), or sweep up all that a timer should have closed."""

    round_id: EntityId | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 200
    source: Literal["timer", "sweeper", "workflow", "ops"] = "sweeper"
