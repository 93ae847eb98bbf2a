"""What the way to WhatsApp must do."""

from datetime import UTC, datetime

from workflows.marketplace.content import (
    Button,
    Content,
    InteractiveContent,
    TemplateContent,
    TextContent,
)
from workflows.marketplace.message import Message
from workflows.marketplace.ports import Accepted, MessageTransport

CONTENTS: tuple[Content, ...] = (
    TextContent(body="नमस्ते"),
    InteractiveContent(body="Yes?", buttons=(Button(id="y", title="Yes"),)),
    TemplateContent(name="order_note_v1", body_params=("ORD-1",)),
)


class TransportContract:
    """Subclass it; `phone` must be one that your transport delivers to in tests."""

    phone = "+9779800000000"

    def make(self) -> MessageTransport:
        """Return the adapter."""
        raise NotImplementedError

    def test_every_kind_of_content_is_accepted_under_an_id_of_its_own(self) -> None:
        """The ids come back in status webhooks, so they must differ."""
        transport = self.make()
        ids = set()
        for number, content in enumerate(CONTENTS):
            outcome = transport.send(self._message(f"msg_{number}", content))
            assert isinstance(outcome, Accepted), outcome
            ids.add(outcome.wamid)
        assert len(ids) == len(CONTENTS)

    def test_a_working_account_is_said_to_work(self) -> None:
        """`probe` sends nothing."""
        assert self.make().probe() is True

    def _message(self, id: str, content: Content) -> Message:
        return Message(
            id=id,
            dedupe_key=id,
            purpose="contract",
            to_phone=self.phone,
            to_bsuid=None,
            content=content,
            fallback=None,
            delivery="at_least_once",
            order_id=None,
            not_before=None,
            not_after=None,
            created_at=datetime.now(UTC),
        )
