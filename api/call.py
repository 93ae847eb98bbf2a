"""What a handler is given, and what it returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from api.cache import Cached
from api.market import Market, OpenMarket
from api.waits import DEFAULT_WAITS, Waits
from workflows.client import BlockingClient, JobClient

BodyModel = TypeVar("BodyModel", bound=BaseModel)

METRICS_SECONDS = 2.0
READY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Shared:
    """Answers that all requests of a process share for a moment."""

    metrics: Cached[str] = field(default_factory=lambda: Cached(METRICS_SECONDS))
    ready: Cached[None] = field(default_factory=lambda: Cached(READY_SECONDS))
    waits: Waits = field(default_factory=lambda: Waits(DEFAULT_WAITS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One checked request: ids, parameters and body are of the declared shape."""

    client: JobClient
    workflows: BlockingClient
    shared: Shared
    ids: Mapping[str, str]
    query: Mapping[str, Any]
    body: BaseModel | None
    request_key: str | None  # the Idempotency-Key, scoped by method and path
    traceparent: str
    open_market: OpenMarket | None = None
    raw: bytes = b""  # of a signed body, as it came
    signature: str = ""

    @property
    def market(self) -> Market:
        """Return the marketplace, of which only its own routes know."""
        if self.open_market is None:
            msg = "the marketplace is not served here"
            raise TypeError(msg)
        return self.open_market()

    def read(self, model: type[BodyModel]) -> BodyModel:
        """Return the body, whose model the route declares."""
        if not isinstance(self.body, model):
            msg = f"the route declares another body than {model.__name__}"
            raise TypeError(msg)
        return self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to answer: the data of the envelope and what goes around it."""

    data: BaseModel
    status: int = 200
    next_cursor: str | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RawReply:
    """An answer that has no envelope."""

    content_type: str
    content: bytes
