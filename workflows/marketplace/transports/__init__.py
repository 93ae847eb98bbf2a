"""Ways to WhatsApp: `console` prints, `graph` is Meta's Cloud API."""

from typing import cast

from workflows.marketplace.adapters import load_class
from workflows.marketplace.ports import MessageTransport
from workflows.marketplace.settings import MarketplaceSettings
from workflows.marketplace.transports.console import ConsoleTransport
from workflows.marketplace.transports.graph import GraphTransport


def make_transport(settings: MarketplaceSettings) -> MessageTransport:
    """Return the transport that the settings name."""
    if settings.whatsapp_transport == "graph":
        return GraphTransport(settings)
    if settings.whatsapp_transport == "console":
        return ConsoleTransport()
    made = load_class("WHATSAPP_TRANSPORT", settings.whatsapp_transport)(settings)
    return cast("MessageTransport", made)
