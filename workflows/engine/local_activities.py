"""The seam to whoever runs local activities while a workflow task is open."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from workflows.engine.activation import Backoff, Resolution
from workflows.engine.commands import ScheduleLocalActivity


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOutcome:
    """The end of a local activity, at `at` (ms, of workflow time).

    A Failed or Cancelled carries the bare failure: an ApplicationFailure, a
    TimeoutFailure, a CanceledFailure.
    """

    seq: int
    resolution: Resolution | Backoff
    at: int
    attempt: int = 1


class LocalActivities(Protocol):
    """Runs local activities of one workflow task."""

    def start(self, command: ScheduleLocalActivity, at: int) -> None:
        """Begin one; `at` is workflow time. Attempts and retries are its business."""

    def cancel(self, seq: int) -> None:
        """Ask one to cancel; its outcome, if it still comes, may be left out."""

    def wait(self) -> Sequence[LocalOutcome]:
        """Block until at least one has ended; return those, in the order they did."""
