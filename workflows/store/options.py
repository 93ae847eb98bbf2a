"""What a store is made with."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """What every adapter takes beside its URL."""

    namespace: str = "workflows"
    clock: Callable[[], int] | None = None  # test mode
    overrides: frozenset[str] = field(default_factory=frozenset)  # accepted risks
