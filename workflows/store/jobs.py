"""Jobs that a caller gives to the store, and what became of them."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to accept.

    At most one of `delay_ms` (from the store's now) and `run_at` is set; a time that
    is not in the future means waiting at once. `priority`: smaller first, finite.
    `dedup_id` admits one live job per (queue, dedup_id); it is free again when its
    owner ends or is removed. `headers`: bytes that belong to the message but are not
    its payload. Id, queue and type are not empty.
    """

    id: str
    queue: str
    type: str
    payload: bytes
    headers: bytes = b""
    priority: float = 0
    delay_ms: int = 0
    run_at: int | None = None
    expires_ms: int | None = None  # from the store's now; pending then: expired
    max_stalls: int = 3
    dedup_id: str | None = None
    trace: str = ""  # W3C traceparent


class EnqueueStatus(StrEnum):
    """What became of one job of an enqueue."""

    CREATED = "created"
    DUPLICATE = "duplicate"  # a job of this id exists; nothing was changed
    DEDUPLICATED = "deduplicated"  # a live job holds the dedup_id; nothing changed


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The answer per job; `id` is that of the existing job if nothing was created."""

    id: str
    status: EnqueueStatus
