"""Recurring jobs, and what became of a firing."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A recurring job. `spec` is opaque to the store (engine.schedule reads it).

    `next_at` is the slot that fires next; None: never again. `declared`: it comes from
    code (a worker's `schedules` names it), not from the API.
    """

    id: str
    queue: str
    type: str
    payload: bytes
    spec: str
    headers: bytes = b""
    priority: float = 0
    max_stalls: int = 3
    expires_ms: int | None = None
    next_at: int | None
    declared: bool = False
    paused: bool = False
    last_slot: int | None = None
    last_fired_at: int | None = None
    last_job_id: str | None = None


class FireStatus(StrEnum):
    """What became of a firing."""

    FIRED = "fired"
    OVERLAP = "overlap"  # the slot moved on, but the last job is still live: no new one
    MISSED = "missed"  # the slot was not `slot` any more, or it is paused or gone
