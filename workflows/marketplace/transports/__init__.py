"""Ways to WhatsApp: `console` prints, `graph` is Meta's Cloud API."""

from workflows.marketplace.ports import MessageTransport
from workflows.marketplace.settings import MarketplaceSettings
from workflows.marketplace.transports.console import ConsoleTransport
from workflows.marketplace.transports.graph import GraphTransport


def make_transport(settings: MarketplaceSettings) -> MessageTransport:
    """Return the transport that the settings name."""
    if settings.whatsapp_transport == "graph":
        return GraphTransport(settings)
    return ConsoleTransport()
