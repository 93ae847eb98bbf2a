"""The payload of `vendor-fallback`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workflows.marketplace.fields import EntityId, JobPayload

Reason = Literal["no_bids", "rejected", "timed_out", "withdrawn", "unreachable", "ops"]


class VendorFallback(JobPayload):
    """Find the next supplier after an attempt that failed.

    `failedAttemptNo` 0: nobody was asked yet, for nobody (or too few) bid.
    """

    order_id: EntityId
    failed_attempt_no: Annotated[int, Field(ge=0, le=20)]
    reason: Reason
    failed_supplier_id: EntityId | None = None

    @model_validator(mode="after")
    def _names_who_failed(self) -> Self:
        if (self.failed_attempt_no == 0) != (self.reason == "no_bids"):
            msg = "failedAttemptNo 0 goes with reason no_bids and only with it"
            raise ValueError(msg)
        return self
