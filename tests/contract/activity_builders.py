"""Runs with activities, and workers that take them."""

from typing import Any

from tests.contract.run_builders import activity, do, entry, limits, start, take_work
from workflows.store import LeasedJob, Store

OUTCOME = entry("activity", b"outcome")
CLOCKS = limits(
    schedule_to_start=10, start_to_close=20, schedule_to_close=100, heartbeat=5
)


def schedule(store: Store, *jobs: Any, **fields: Any) -> None:
    """Start the run with these activities (one, `act`, with these fields)."""
    start(store)
    do(store, activities=jobs or (activity(**fields),))


def work(store: Store, token: str = "a") -> LeasedJob:
    """Claim the one activity that waits."""
    (leased,) = take_work(store, token)
    return leased


def overdue(store: Store) -> list[tuple[str, str]]:
    """Which activities are overdue, under which tokens."""
    return [
        (each.activity.id, each.token)
        for each in store.list_overdue()
        if each.activity is not None
    ]
