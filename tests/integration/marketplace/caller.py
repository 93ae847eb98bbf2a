"""The API over WSGI as a test calls it, with the shop behind it."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

import falcon.testing

from api.app import create_app
from api.market import Market
from tests.integration.marketplace import story
from tests.integration.marketplace.shop import Shop
from workflows.client import JobClient
from workflows.marketplace.billing import PaymentState
from workflows.marketplace.ports import Lookup

SECRET, OLD_SECRET = b"app-secret", b"app-secret-before"
HOOK = "/api/v1/webhooks/whatsapp"
LINES = [
    {"productId": "noodles", "quantity": 20, "unitPricePaisa": 90_000},
    {"productId": "oil", "quantity": 10, "unitPricePaisa": 250_000},
]
ORDER = {"orderId": "ord_1001", "customerId": "cus_1", "lines": LINES}
MONEY = {
    "provider": "esewa",
    "providerRef": "esewa-1",
    "amountPaisa": story.TOTAL,
    "orderId": "ord_1001",
}


@dataclass
class Provider:
    """A provider of payments that says what a test has it say."""

    known: dict[str, Lookup] = field(default_factory=dict)

    def lookup(self, provider: str, provider_ref: str) -> Lookup | None:
        return self.known.get(f"{provider}:{provider_ref}")


class Caller:
    """The API, and the shop behind it."""

    def __init__(self, shop: Shop, provider: Provider) -> None:
        self.shop, self.provider = shop, provider
        self.app_secrets: tuple[bytes, ...] = (SECRET, OLD_SECRET)
        client = JobClient(shop.store, {}, shop.new_id)
        app = create_app(client, new_id=shop.new_id, market=self.market)
        self.http = falcon.testing.TestClient(app, headers={"Host": "localhost"})

    def market(self) -> Market:
        return Market(
            run=self.shop.market,
            payments=self.provider,
            verify_token="shared-token",
            app_secrets=self.app_secrets,
        )

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.http.simulate_post(f"/api/v1/{path}", json=body, headers=headers)

    def get(self, path: str) -> Any:
        return self.http.simulate_get(f"/api/v1/{path}")

    def has_paid(self, state: PaymentState = PaymentState.CAPTURED) -> None:
        """Have the provider say so of MONEY."""
        self.provider.known["esewa:esewa-1"] = Lookup(
            state=state, amount_paisa=story.TOTAL, paid_at=self.shop.now()
        )

    def tell(
        self, *, secret: bytes = SECRET, raw: bytes | None = None, **value: Any
    ) -> Any:
        """Send a signed webhook."""
        body = {"entry": [{"changes": [{"field": "messages", "value": value}]}]}
        raw = json.dumps(body).encode() if raw is None else raw
        return self._send(raw, self.signature(raw, secret))

    @staticmethod
    def signature(raw: bytes, secret: bytes = SECRET) -> str:
        return hmac.new(secret, raw, hashlib.sha256).hexdigest()

    def send(self, raw: bytes, signature: str) -> int:
        return int(self._send(raw, signature).status_code)

    def _send(self, raw: bytes, signature: str) -> Any:
        headers = {
            "X-Hub-Signature-256": f"sha256={signature}",
            "Content-Type": "application/json",
        }
        return self.http.simulate_post(HOOK, body=raw, headers=headers)

    def seconds(self) -> str:
        return str(int(self.shop.now().timestamp()))


def awarded(api: Caller) -> str:
    """Bring the order of F0 to an offer to C; return the offer's id."""
    story.three_bids(api.shop)
    story.go(api.shop, "10:11")
    return story.the_offer(api.shop).id
