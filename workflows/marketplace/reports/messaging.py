"""Messages."""

from collections import Counter

from workflows.marketplace.reports.figures import Figures, Window
from workflows.marketplace.sql.work import SqlWork


def messaging(work: SqlWork, window: Window) -> Figures:
    """The messages written in the day: where they are, and why some failed."""
    written = work.messages.written_between(window.start, window.end)
    statuses = Counter(status for status, _ in written)
    codes = Counter(code for status, code in written if status == "failed" and code)
    return Figures(
        flow={
            "byStatus": dict(sorted(statuses.items())),
            "failedByCode": dict(sorted(codes.items())),
        }
    )
