"""Builds the reports of finished days, and sends them to staff."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from workflows.exceptions import StoreFullError, StoreUnavailableError
from workflows.jobs.daily_reports import policy
from workflows.jobs.daily_reports.payload import DailyReports
from workflows.marketplace.backoffice import Report, ReportType, RunState
from workflows.marketplace.change import Change, Marketplace
from workflows.marketplace.errors import PermanentError, TransientError
from workflows.marketplace.reports.build import Counts, build_report, send_reports
from workflows.marketplace.rules.business_time import business_date
from workflows.marketplace.transitions.schedules import claim, finish, finished

log = logging.getLogger(__name__)

ACTOR = "job:daily-reports"
PARTIAL = "partial"
NOT_FINISHED = "day_not_finished"
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Processes `daily-reports`; share one among threads.

    `counts` tells how many jobs of each queue are in which state.
    """

    marketplace: Marketplace
    recipients: tuple[str, ...]
    counts: Callable[[], Counts]

    def run(
        self, payload: DailyReports, run_id: str, *, last_attempt: bool
    ) -> dict[str, object]:
        """Report what is asked for; safe to repeat at any point.

        Raises:
            TransientError: some reports failed; the others are kept.
            PermanentError: the day has not ended.
            StoreUnavailableError: database or queue is not available.
        """
        shop = self.marketplace
        today = business_date(shop.clock(), shop.terms.zone)
        if payload.business_date is not None and payload.business_date >= today:
            text = f"{payload.business_date} ends at midnight; today is {today}"
            raise PermanentError(NOT_FINISHED, text)
        if payload.business_date is not None:
            return self._by_hand(payload, payload.business_date)
        built = []
        for day in shop.run(ACTOR, missing_days, today - ONE_DAY):
            if shop.run(ACTOR, claim, policy.QUEUE, day, run_id):
                self._scheduled(payload, day, last_attempt=last_attempt)
                built.append(day.isoformat())
        if not built:
            return {"outcome": "noop:claimed"}
        self._rebuild(today - 2 * ONE_DAY)
        return {"outcome": "done", "days": built}

    def _scheduled(
        self, payload: DailyReports, day: date, *, last_attempt: bool
    ) -> None:
        shop = self.marketplace
        _, failed = self._build(_kinds(payload), day, again=False)
        if failed and not last_attempt:
            raise TransientError(PARTIAL, f"of {day} failed: {', '.join(failed)}")
        if payload.deliver:
            shop.run(ACTOR, send_reports, day, self.recipients)
        state = RunState.FAILED if failed else RunState.DONE
        shop.run(ACTOR, finish, policy.QUEUE, day, state)
        if failed:
            raise TransientError(PARTIAL, f"of {day} failed: {', '.join(failed)}")

    def _by_hand(self, payload: DailyReports, day: date) -> dict[str, object]:
        built, failed = self._build(_kinds(payload), day, again=payload.force)
        if built and payload.deliver:
            self.marketplace.run(ACTOR, send_reports, day, self.recipients)
        if failed:
            raise TransientError(PARTIAL, f"of {day} failed: {', '.join(failed)}")
        return {"outcome": "done" if built else "noop:unchanged", "built": built}

    def _rebuild(self, day: date) -> None:
        """Correct the day before silently: some of it was told after midnight."""
        with self.marketplace.storage.begin() as work:
            known = work.reports.newest(ReportType.ORDERS, day) is not None
        if known:
            kinds = [kind for kind in ReportType if kind is not ReportType.QUEUES]
            self._build(kinds, day, again=True)

    def _build(
        self, kinds: Sequence[ReportType], day: date, *, again: bool
    ) -> tuple[list[str], list[str]]:
        """Build each in a transaction of its own; return which, and which failed."""
        built, failed = [], []
        counts = self.counts()
        for kind in kinds:
            try:
                made = self.marketplace.run(
                    ACTOR, build_report, kind, day, counts, again=again
                )
            except (StoreUnavailableError, StoreFullError):
                raise
            except Exception:  # the other reports are built all the same
                log.exception("the report %s of %s failed", kind, day)
                failed.append(str(kind))
            else:
                if isinstance(made, Report):
                    built.append(str(kind))
        return built, failed


def missing_days(change: Change, yesterday: date) -> list[date]:
    """Return the days without reports, oldest first, up to a week back.

    Not from before the first run: nobody waits for reports of those days.
    """
    days = [yesterday - n * ONE_DAY for n in range(policy.CAUGHT_UP)]
    runs = change.work.schedule_runs
    known = [day for day in days if runs.get(policy.QUEUE, day.isoformat())]
    first = min(known, default=yesterday)
    left = [day for day in days if not finished(change, policy.QUEUE, day)]
    return sorted(day for day in left if day >= first)


def _kinds(payload: DailyReports) -> list[ReportType]:
    if payload.report_type == "all":
        return list(ReportType)
    return [ReportType(payload.report_type)]
