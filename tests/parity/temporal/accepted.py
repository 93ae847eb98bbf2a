"""The differences from Temporal that we mean: at most three, each with its reason.

docs/compatibility.md tells users the same.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Accepted:
    """What may differ in one program: lines of a comparison that begin with `place`."""

    place: str
    reason: str


ACCEPTED: dict[str, Accepted] = {
    "continue_as_new_with_pending_signal": Accepted(
        "runs",
        "Temporal drops the task that continues as new when a signal comes meanwhile, "
        "and runs it again: under a steady stream of signals it never ends. We move "
        "the signals to the new run. None is lost, and their order stays.",
    ),
}


OPEN = frozenset(
    {
        "activity_that_no_worker_knows",
        "everything_and_a_cancel_in_one_task",
        "everything_in_one_task",
        "signal_and_timer_in_one_task",
        "unknown_workflow_type",
    }
)
"""Programs that still differ from Temporal and must not: work to do, not a choice."""


def unexpected(program: str, differences: list[str]) -> list[str]:
    """Return the differences that are not accepted; say when one is not there."""
    accepted = ACCEPTED.get(program)
    if accepted is None:
        return differences
    left = [
        line for line in differences if not line.startswith((accepted.place, "    "))
    ]
    if len(left) == len(differences):
        left.append(f"{accepted.place}: differs no longer; take it out of accepted.py")
    return left
