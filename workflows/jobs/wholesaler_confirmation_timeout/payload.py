"""The payload of `wholesaler-confirmation-timeout`."""

from typing import Annotated, Literal

from pydantic import Field

from workflows.marketplace.fields import EntityId, JobPayload


class WholesalerConfirmationTimeout(JobPayload):
    """Look after one offer (`confirmationId`), or sweep up all that were missed."""

    confirmation_id: EntityId | None = None
    unreachable: bool = False  # the message with the offer cannot be delivered
    limit: Annotated[int, Field(ge=1, le=1000)] = 200
    source: Literal["timer", "sweeper", "workflow", "ops"] = "sweeper"
