"""Switches a protection off in the consumers, to prove that the checker can fail."""

import os
from typing import Any

from workflows.huey import WorkflowHuey


def apply(huey: WorkflowHuey) -> None:
    """Do what CHAOS_SABOTAGE says: nothing, `fence` or `sweep`."""
    mode = os.environ.get("CHAOS_SABOTAGE", "")
    if mode == "sweep":
        _without_sweep(huey)
    elif mode == "fence":
        _without_fence(huey)


def _without_sweep(huey: WorkflowHuey) -> None:
    """Never take a lease back."""
    store_type: Any = type(huey.store)
    store_type.sweep = lambda _store, **_options: []
