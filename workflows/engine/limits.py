"""How big a run may grow and how long it is kept; a deployment may set others."""

from dataclasses import dataclass
from typing import Any

from workflows.exceptions import InvalidArgumentError

MB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of the runs of a namespace, by default Temporal's.

    Sizes are in bytes of stored events. `retention_ms`: how long a closed run is kept
    (None: for ever).
    """

    suggest_events: int = 4096
    suggest_bytes: int = 4 * MB
    warn_events: int = 10_240
    warn_bytes: int = 10 * MB
    max_events: int = 51_200
    max_bytes: int = 50 * MB
    max_signals: int = 10_000  # that wait in its inbox, not handled yet
    max_pending: int = 2000  # of activities, children, signals, cancels: each
    max_id: int = 1000  # characters of a workflow id, a type, a queue, a signal
    retention_ms: int | None = None

    @classmethod
    def ending_at(cls, events: int, size: int, **others: Any) -> "Limits":
        """Return limits that terminate there, and suggest and warn before.

        At the same parts of it as the defaults do: 8 % and 20 %.
        """
        return cls(
            suggest_events=max(1, events * 8 // 100),
            suggest_bytes=max(1, size * 8 // 100),
            warn_events=max(1, events // 5),
            warn_bytes=max(1, size // 5),
            max_events=events,
            max_bytes=size,
            **others,
        )

    def suggests_continue_as_new(self, events: int, size: int) -> bool:
        """Return whether a history is long enough to continue as new."""
        return events >= self.suggest_events or size >= self.suggest_bytes

    def warns(self, events: int, size: int) -> bool:
        """Return whether a history is near its end."""
        return events >= self.warn_events or size >= self.warn_bytes

    def exceeded(self, events: int, size: int) -> str:
        """Say which limit a history is over and that its run must be terminated."""
        if events > self.max_events:
            return f"the history has {events} events; at most {self.max_events}"
        if size > self.max_bytes:
            return f"the history has {size} bytes; at most {self.max_bytes}"
        return ""

    def check_pending(self, what: str, count: int) -> None:
        """Refuse that a run waits for so many things of a kind.

        Raises:
            InvalidArgumentError: they are more than `max_pending`.
        """
        if count > self.max_pending:
            msg = f"{count} {what} would be pending at once; at most {self.max_pending}"
            raise InvalidArgumentError(msg)

    def check_id(self, what: str, value: str) -> None:
        """Refuse an empty or too long id or name.

        Raises:
            InvalidArgumentError: it is; the text names `what`.
        """
        if not value:
            msg = f"{what} is empty"
            raise InvalidArgumentError(msg)
        if len(value) > self.max_id:
            msg = f"{what} has {len(value)} characters; at most {self.max_id}"
            raise InvalidArgumentError(msg)
