"""Registers `daily-reports`, every midnight in Kathmandu."""

from workflows.app import huey
from workflows.huey.context import JobContext
from workflows.jobs.daily_reports import policy
from workflows.jobs.daily_reports.payload import DailyReports
from workflows.jobs.daily_reports.processor import Reporter
from workflows.jobs.put_off import put_off_while_unavailable
from workflows.jobs.queues import lead_to, marketplace
from workflows.marketplace.reports.build import Counts
from workflows.marketplace.services import services


@huey.job(
    name=policy.QUEUE,
    queue=policy.QUEUE,
    payload=DailyReports,
    retry=policy.RETRY,
    timeout=policy.TIMEOUT,
    context=True,
)
def report_day(what: DailyReports, *, job: JobContext) -> dict[str, object]:
    """Report finished days; see `Reporter.run`."""
    with put_off_while_unavailable():
        reporter = Reporter(
            marketplace=marketplace(),
            recipients=services().settings.report_recipients,
            counts=_counts,
        )
        last = job.attempt >= policy.ATTEMPTS
        return reporter.run(what, job.id, last_attempt=last)


def _counts() -> Counts:
    queues = huey.store.list_queues()
    return {
        queue.name: {str(state): count for state, count in queue.counts.items()}
        for queue in queues
    }


lead_to(report_day)
report_day.repeat(
    cron=policy.CRON, tz="Asia/Kathmandu", payload=DailyReports(), overlap=False
)
