"""The payload of `whatsapp-message-send`."""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, StringConstraints, model_validator

from workflows.marketplace.content import (
    Content,
    TemplateContent,
    TextBody,
    TextContent,
)
from workflows.marketplace.fields import (
    Bsuid,
    DedupeKey,
    EntityId,
    JobPayload,
    Phone,
)


class WhatsAppMessageSend(JobPayload):
    """Send an outbox row (`messageId`), or the message that is given here.

    `message` is short for a text content. `dedupeKey`: the same key is the same
    message, however many jobs carry it; default: the job's id. After `notAfter` the
    message is worthless and never sent. `fallbackTemplate` goes out instead of free
    text when the user's 24 h window is shut.
    """

    message_id: EntityId | None = None
    phone_number: Phone | None = None
    bsuid: Bsuid | None = None
    message: TextBody | None = None
    content: Content | None = None
    fallback_template: TemplateContent | None = None
    purpose: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")] = (
        "adhoc"
    )
    dedupe_key: DedupeKey | None = None
    delivery: Literal["at_least_once", "at_most_once"] = "at_least_once"
    not_before: AwareDatetime | None = None
    not_after: AwareDatetime | None = None
    order_id: EntityId | None = None

    @model_validator(mode="after")
    def _names_one_message(self) -> Self:
        if self.message_id:
            return self
        if not (self.phone_number or self.bsuid):
            msg = "phoneNumber or bsuid is required"
            raise ValueError(msg)
        if (self.message is None) == (self.content is None):
            msg = "exactly one of message and content is required"
            raise ValueError(msg)
        if self.not_before and self.not_after and self.not_before >= self.not_after:
            msg = "notBefore must be earlier than notAfter"
            raise ValueError(msg)
        return self

    @property
    def what(self) -> Content:
        """The content, the shorthand resolved."""
        return self.content or TextContent(body=self.message or "")
