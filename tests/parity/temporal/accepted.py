"""The differences from Temporal that we mean: at most three, each with its reason.

docs/compatibility.md tells users the same.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Accepted:
    """What differs in one program: lines of a comparison that begin with a place."""

    places: tuple[str, ...]
    reason: str


LATER = (
    "In Temporal any worker of the queue takes it and fails it at once, also in the "
    "middle of a rolling deploy. Here a worker takes only types that it knows: "
)

ACCEPTED: dict[str, Accepted] = {
    "continue_as_new_with_pending_signal": Accepted(
        ("runs",),
        "Temporal drops the task that continues as new when a signal comes meanwhile, "
        "and runs it again: under a steady stream of signals it never ends. We move "
        "the signals to the new run. None is lost, and their order stays.",
    ),
    "activity_that_no_worker_knows": Accepted(
        ("outcomes.main", "runs"),
        LATER + "the attempt fails only when no living worker has known its type for "
        "minutes, and `why` tells at once what is missing.",
    ),
    "unknown_workflow_type": Accepted(
        ("notes.its task fails",),
        LATER + "the run stays open, as in Temporal, but its task waits for a worker "
        "that knows its type, and `why` tells at once what is missing.",
    ),
}


def unexpected(program: str, differences: list[str]) -> list[str]:
    """Return the differences that are not accepted; say when one is not there."""
    accepted = ACCEPTED.get(program)
    if accepted is None:
        return differences
    places = accepted.places
    left = [line for line in differences if not line.startswith((*places, "    "))]
    left += [
        f"{place}: differs no longer; take it out of accepted.py"
        for place in places
        if not any(line.startswith(place) for line in differences)
    ]
    return left
