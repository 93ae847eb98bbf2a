"""The transport of the demo: one printed line per message."""

import sys

from workflows.marketplace.content import (
    InteractiveContent,
    TemplateContent,
    TextContent,
)
from workflows.marketplace.message import Message
from workflows.marketplace.ports import Accepted


class ConsoleTransport:
    """Prints to standard output; never fails."""

    def send(self, message: Message) -> Accepted:
        """Print one line; see `MessageTransport.send`."""
        sys.stdout.write(f"{line(message)}\n")
        sys.stdout.flush()
        return Accepted(wamid=f"wamid.console.{message.id}")

    def probe(self) -> bool:
        """See `MessageTransport.probe`."""
        return True


def line(message: Message) -> str:
    """Return what is printed, with control characters escaped."""
    text = f"→ {message.recipient_key} [{message.purpose}] {_text(message.content)}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _text(content: TextContent | InteractiveContent | TemplateContent) -> str:
    if isinstance(content, TextContent):
        return content.body
    if isinstance(content, InteractiveContent):
        titles = " ".join(f"[{n}] {b.title}" for n, b in enumerate(content.buttons, 1))
        return f"{content.body} {titles}"
    return f"{content.name}({', '.join(content.body_params)})"
