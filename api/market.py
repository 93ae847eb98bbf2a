"""The marketplace as the API needs it, where its jobs are registered."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # an API without the marketplace does not load its libraries
    from workflows.marketplace.change import Marketplace
    from workflows.marketplace.ports import PaymentsPort


class Tally:
    """Counts what anybody can cause, so that few of it reach the database.

    What is not handed out yet is lost when the process ends: a second's worth.
    """

    def __init__(self, seconds: float = 1.0) -> None:
        self._lock = threading.Lock()
        self._seconds, self._next, self._number = seconds, 0.0, 0

    def one_more(self) -> int:
        """Count one; return how many to write down now, mostly none."""
        with self._lock:
            self._number += 1
            if time.monotonic() < self._next:
                return 0
            self._next = time.monotonic() + self._seconds
            number, self._number = self._number, 0
            return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Transitions, providers of payments, and the secrets of the webhook.

    Without `app_secrets` every webhook is refused, without `verify_token` every
    handshake.
    """

    run: "Marketplace"
    payments: "PaymentsPort"
    verify_token: str = field(default="", repr=False)
    app_secrets: tuple[bytes, ...] = field(default=(), repr=False)
    refused: Tally = field(default_factory=Tally)


OpenMarket = Callable[[], Market]  # on first use: not before the fork
