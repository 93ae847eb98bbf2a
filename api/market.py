"""The marketplace as the API needs it, where its jobs are registered."""

from collections.abc import Callable
from dataclasses import dataclass, field

from workflows.marketplace.change import Marketplace
from workflows.marketplace.ports import PaymentsPort


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Transitions, providers of payments, and the secrets of the webhook.

    Without `app_secrets` every webhook is refused, without `verify_token` every
    handshake.
    """

    run: Marketplace
    payments: PaymentsPort
    verify_token: str = field(default="", repr=False)
    app_secrets: tuple[bytes, ...] = field(default=(), repr=False)


OpenMarket = Callable[[], Market]  # on first use: not before the fork
