"""The payload of `daily-reports`."""

from datetime import date
from typing import Literal

from workflows.marketplace.fields import JobPayload


class DailyReports(JobPayload):
    """Report a finished day; without `businessDate`, every one that is missing.

    `force` builds it again: a new revision if the figures differ.
    """

    report_type: Literal[
        "all", "orders", "bidding", "payments", "suppliers", "messaging", "queues"
    ] = "all"
    business_date: date | None = None
    force: bool = False
    deliver: bool = True
