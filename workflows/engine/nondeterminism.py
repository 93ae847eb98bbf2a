"""The error of code that no longer does what the history says it did."""

from collections.abc import Sequence

from workflows.exceptions import WorkflowsError

LIKELY = (
    "  likely   : the code changed after the event was written, or it depends on"
    " something outside the workflow (time, randomness, I/O, the order of a set)"
)
FIX = (
    "  fix      : put the change behind workflow.patched(…), or run the old code"
    " for this run"
)


class NondeterminismError(WorkflowsError):
    """Replayed code asked for something else than the history records.

    `recorded` and `attempted` say what (empty: nothing), `event_id` where in the
    history, `site` where the workflow's code stands now, `around` the events nearby.
    """

    def __init__(
        self,
        reason: str,
        *,
        workflow: str,
        event_id: int,
        recorded: str = "",
        attempted: str = "",
        site: str = "",
        around: Sequence[str] = (),
        advice: Sequence[str] = (LIKELY, FIX),
    ) -> None:
        self.reason = reason
        self.event_id = event_id
        self.recorded = recorded
        self.attempted = attempted
        self.site = site
        self.around = tuple(around)
        where = f" ({site})" if site else ""
        lines = [
            f"Nondeterminism in {workflow} at event {event_id}{where}: {reason}",
            f"  recorded : {recorded or 'nothing more'}",
            f"  now      : {attempted or 'nothing more'}",
            "  history  :",
            *(f"    {line}" for line in around),
            *advice,
        ]
        super().__init__("\n".join(lines))
