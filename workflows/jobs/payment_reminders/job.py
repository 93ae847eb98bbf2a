"""Registers `payment-reminders`, every morning at nine in Kathmandu."""

from workflows.app import huey
from workflows.huey.context import JobContext
from workflows.jobs.payment_reminders import policy
from workflows.jobs.payment_reminders.payload import PaymentReminders
from workflows.jobs.payment_reminders.processor import remind_all
from workflows.jobs.put_off import put_off_while_unavailable
from workflows.jobs.queues import lead_to, marketplace


@huey.job(
    name=policy.QUEUE,
    queue=policy.QUEUE,
    payload=PaymentReminders,
    retry=policy.RETRY,
    timeout=policy.TIMEOUT,
    context=True,
)
def remind_debtors(what: PaymentReminders, *, job: JobContext) -> dict[str, object]:
    """Remind customers of overdue invoices; see `remind_all`."""
    with put_off_while_unavailable():
        return remind_all(marketplace(), what, job.id)


lead_to(remind_debtors)
remind_debtors.repeat(
    cron=policy.CRON, tz="Asia/Kathmandu", payload=PaymentReminders(), overlap=False
)
