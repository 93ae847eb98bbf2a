"""Registers `credit-reconciliation`, every night at two in Kathmandu."""

from workflows.app import huey
from workflows.huey.context import JobContext
from workflows.jobs.credit_reconciliation import policy
from workflows.jobs.credit_reconciliation.payload import CreditReconciliation
from workflows.jobs.credit_reconciliation.processor import reconcile
from workflows.jobs.put_off import put_off_while_unavailable
from workflows.jobs.queues import lead_to, marketplace


@huey.job(
    name=policy.QUEUE,
    queue=policy.QUEUE,
    payload=CreditReconciliation,
    retry=policy.RETRY,
    timeout=policy.TIMEOUT,
    context=True,
)
def reconcile_credit(
    what: CreditReconciliation, *, job: JobContext
) -> dict[str, object]:
    """Prove that the books agree; see `reconcile`."""
    with put_off_while_unavailable():
        return reconcile(marketplace(), what, job.id)


lead_to(reconcile_credit)
reconcile_credit.repeat(
    cron=policy.CRON,
    tz="Asia/Kathmandu",
    payload=CreditReconciliation(),
    overlap=False,
)
