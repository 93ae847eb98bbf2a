"""The protocol of small values beside the jobs."""

from collections.abc import Sequence
from typing import Protocol


class KeyValues(Protocol):
    """Small values beside the jobs: what Huey's key-value storage needs.

    `space` separates kinds: result, value, revoked, lock, join, metric.
    """

    def put_value(
        self, space: str, key: str, value: bytes, *, ttl_ms: int | None = None
    ) -> None:
        """Set a value, replacing any."""

    def put_value_if_absent(
        self,
        space: str,
        key: str,
        value: bytes,
        *,
        ttl_ms: int | None = None,
        lease: tuple[str, str] | None = None,
    ) -> bool:
        """Set a value unless one exists; return whether it was set.

        With `lease` (job id, token; a token alone is shared by all jobs of its claim),
        the value belongs to that lease: it goes when the lease is settled, released or
        swept. If the lease does not hold (active or lingering), nothing is set.
        """

    def get_values(self, space: str, keys: Sequence[str]) -> dict[str, bytes]:
        """Return those of the values that exist."""

    def pop_value(self, space: str, key: str) -> bytes | None:
        """Remove a value and return it; one of many callers gets it."""

    def delete_value(self, space: str, key: str) -> bool:
        """Remove a value; return whether it existed."""

    def list_values(self, space: str) -> dict[str, bytes]:
        """Return all values of a space (for small spaces and tests)."""

    def flush_values(self, space: str) -> None:
        """Remove all values of a space."""

    def increment(self, space: str, key: str, amount: int = 1) -> int:
        """Add to a counter (absent: 0) and return it. Counters read as ASCII digits."""
