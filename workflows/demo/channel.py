"""The demo's way to WhatsApp: it prints, and has the troubles of a real one."""

from random import Random

from workflows.demo.people import NOT_ON_WHATSAPP, OPTED_OUT
from workflows.marketplace.message import Message
from workflows.marketplace.ports import Accepted
from workflows.marketplace.rules.business_time import KATHMANDU
from workflows.marketplace.settings import MarketplaceSettings
from workflows.marketplace.transports.console import ConsoleTransport
from workflows.marketplace.whatsapp_errors import SendFailure

FAULTS_PERCENT = 6
DOWN_MINUTES = range(20, 24)  # of each hour
REFUSALS = {NOT_ON_WHATSAPP: 131026, OPTED_OUT: 131050}


class FaultyConsole:
    """Prints; some calls fail, and each hour the account is down for a while."""

    def __init__(self, settings: MarketplaceSettings) -> None:
        self._clock = settings.clock
        self._console = ConsoleTransport()

    def send(self, message: Message) -> Accepted | SendFailure:
        """See `MessageTransport.send`."""
        draw = Random(f"{message.dedupe_key}:{message.attempts}")
        if not self.probe():
            return SendFailure(http_status=401, code=190, detail="the account is down")
        if message.to_phone in REFUSALS:
            return SendFailure(http_status=400, code=REFUSALS[message.to_phone])
        if draw.randrange(100) < FAULTS_PERCENT:
            return SendFailure(http_status=500, code=131000, detail="try again")
        return self._console.send(message)

    def probe(self) -> bool:
        """See `MessageTransport.probe`."""
        return self._clock.now().astimezone(KATHMANDU).minute not in DOWN_MINUTES
