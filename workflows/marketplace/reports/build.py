"""Builds a report and keeps it; sends the day's figures to staff."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from workflows.marketplace import notices
from workflows.marketplace.backoffice import Report, ReportType
from workflows.marketplace.change import Change, Noop
from workflows.marketplace.metrics import count
from workflows.marketplace.reports.figures import Figures, Window
from workflows.marketplace.reports.messaging import messaging
from workflows.marketplace.reports.money import payments
from workflows.marketplace.reports.trade import bidding, orders, suppliers
from workflows.marketplace.rules.business_time import day_window
from workflows.marketplace.rules.money import rupees
from workflows.marketplace.sql.work import SqlWork

BUILDERS: dict[ReportType, Callable[[SqlWork, Window], Figures]] = {
    ReportType.ORDERS: orders,
    ReportType.BIDDING: bidding,
    ReportType.PAYMENTS: payments,
    ReportType.SUPPLIERS: suppliers,
    ReportType.MESSAGING: messaging,
}
Counts = Mapping[str, Mapping[str, int]]  # of each queue, by state


def build_report(
    change: Change, kind: ReportType, day: date, counts: Counts, *, again: bool
) -> Report | Noop:
    """Build a day's report; `again`: a new revision if the figures differ now.

    Repeating it changes nothing.
    """
    newest = change.work.reports.newest(kind, day)
    if newest is not None and not again:
        return Noop("exists")
    start, end = day_window(day, change.terms.zone)
    if kind is ReportType.QUEUES:
        figures = Figures(flow={name: dict(of) for name, of in sorted(counts.items())})
    else:
        window = Window(day=day, start=start, end=end)
        figures = BUILDERS[kind](change.work, window)
    content = figures.as_json()
    digest = _digest(content)
    if newest is not None and newest.content_sha256 == digest:
        return Noop("unchanged")
    report = Report(
        report_type=kind,
        business_date=day,
        revision=1 if newest is None else newest.revision + 1,
        is_empty=figures.empty,
        content=content,
        content_sha256=digest,
        built_at=change.now,
    )
    if change.work.reports.add(report):
        count(change.work, "report_revision_total", type=kind)
    return report


def send_reports(change: Change, day: date, recipients: tuple[str, ...]) -> int:
    """Send the day's figures to staff, once per revision; return to how many."""
    kinds = [change.work.reports.newest(kind, day) for kind in ReportType]
    found = {r.report_type: r for r in kinds if r is not None}
    revision = max((report.revision for report in found.values()), default=1)
    text = _figures(found, complete=len(found) == len(ReportType))
    name = "corrected" if revision > 1 else "report"
    for phone in recipients:
        key = f"report:{day}:{revision}:{phone}"
        notices.tell_staff(change, phone, f"{day} {name}", text, key=key)
    return len(recipients)


def _figures(found: Mapping[ReportType, Report], *, complete: bool) -> str:
    if all(report.is_empty for report in found.values()):
        return "no activity"
    sold = found.get(ReportType.ORDERS)
    paid = found.get(ReportType.PAYMENTS)
    parts = []
    if sold is not None:
        parts.append(f"{sold.content['secured']} orders")
        parts.append(f"GMV {rupees(sold.content['gmvPaisa'])}")
    if paid is not None:
        captured = sum(paid.content["capturedPaisa"].values())
        parts.append(f"received {rupees(captured)}")
        parts.append(f"owed {rupees(paid.content['receivablesPaisa'])}")
    if not complete:
        parts.append("incomplete")
    return ", ".join(parts)


def _digest(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
