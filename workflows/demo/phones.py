"""The people's phones: which messages have reached them."""

from dataclasses import dataclass
from typing import Any, Protocol

import httpx2
from sqlalchemy import select

from workflows.marketplace import tables
from workflows.marketplace.message import TAKEN
from workflows.marketplace.ports import Storage


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message has reached its user, under WhatsApp's id for it."""

    message_id: str
    wamid: str


class Phones(Protocol):
    """Where messages arrive."""

    def new(self) -> list[Arrival]:
        """Return what has arrived since the last call."""


class AcceptedRows:
    """What the transport said was sent, as the marketplace's rows tell."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._seen: set[str] = set()

    def new(self) -> list[Arrival]:
        """See `Phones`."""
        table = tables.messages
        query = select(table.c.id, table.c.wamid).where(table.c.status.in_(TAKEN))
        with self._storage.begin() as work:
            rows = work.connection.execute(query).all()
        found = [Arrival(*row) for row in rows if row[0] not in self._seen]
        self._seen.update(arrival.message_id for arrival in found)
        return found


class StubPhones:
    """What the stand-in for the Graph API took, whether it said so or not."""

    def __init__(self, url: str) -> None:
        self._client = httpx2.Client(base_url=url, timeout=10)
        self.taken: list[dict[str, Any]] = []

    def new(self) -> list[Arrival]:
        """See `Phones`."""
        answer = self._client.get(f"/__stub__/messages?since={len(self.taken)}")
        found = answer.raise_for_status().json()
        self.taken += found
        return [
            Arrival(one["request"]["biz_opaque_callback_data"], one["wamid"])
            for one in found
        ]

    def behave(self, **settings: Any) -> None:
        """Set the stub's settings."""
        self._client.post("/__stub__/settings", json=settings).raise_for_status()
